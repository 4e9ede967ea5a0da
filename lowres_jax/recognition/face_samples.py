"""A record's crop -> one row of a recogniser's training batch, on the host."""

import cv2
import numpy as np
from ml_collections import ConfigDict

from lowres_jax.data import resize

_ENLARGEMENTS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)


class FaceSamples:
    """What `data.pipeline` applies to each crop: rows hold image (size, size, 3) uint8 RGB."""

    def __init__(self, config: ConfigDict):
        """Reads `size`, `flip`, `low_resolution` and `brightness` of a training's config."""
        self._size, self._flip, self._brightness = config.size, config.flip, config.brightness
        self._share, self._sizes = config.low_resolution.share, tuple(config.low_resolution.sizes)

    def __call__(self, crop: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """A crop (S, S, 3) uint8 RGB -> a row."""
        # All is drawn, whatever is used: a switch changes nothing but what it names.
        mirrored, reduced, factor = generator.random(), generator.random(), generator.uniform(-1.0, 1.0)
        side, kind = generator.choice(self._sizes or (crop.shape[0],)), generator.choice(_ENLARGEMENTS)
        image: np.ndarray = crop.astype(np.float32)
        if self._flip and mirrored < 0.5:
            image = image[:, ::-1]
        if reduced < self._share and side < crop.shape[0]:
            image = resize.downscale_area(image, int(side), int(side))
            image = cv2.resize(image, crop.shape[1::-1], interpolation=int(kind))
        image = resize.resize(image / np.float32(255.0), self._size, self._size)
        image = image * np.float32(1.0 + self._brightness * factor)
        return {"image": np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)}

    def plain(self, crops: np.ndarray) -> np.ndarray:
        """Crops (N, S, S, 3) uint8 -> float32 (N, size, size, 3) in [0, 1], as they are."""
        images = [resize.resize(crop.astype(np.float32) / np.float32(255.0), self._size, self._size) for crop in crops]
        return np.stack(images)
