"""A record's crop -> one row of a recognizer's training batch, on the host."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from ml_collections import ConfigDict

from lowres_jax.data import resize
from lowres_jax.data.degradations import Degradation

_ENLARGEMENTS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)


class FaceTransform:
    """The transform that `data.pipeline` applies to each crop: rows hold image (size, size, 3) uint8 RGB.

    Where a teacher's templates are learned they hold teacher_image too, of the same shape: the crop before it was made
    small or cut, so that a student learns of such a face what the teacher sees in the whole, large one.
    """

    def __init__(self, config: ConfigDict):
        """Reads a training's `size`, `flip`, `zoom`, `low_resolution`, `degradation`, `brightness`, `losses`."""
        self._size, self._flip, self._brightness = config.size, config.flip, config.brightness
        self._zoom = config.zoom
        self._share, self._sizes = config.low_resolution.share, tuple(config.low_resolution.sizes)
        self._degraded, self._degradation = config.low_resolution.degraded, Degradation.of(config.degradation)
        self._taught = bool(config.losses.distillation.weight)

    # Zoom and small faces are OpenCV's, on the host.
    can_stay_on_devices = False

    def __call__(self, crop: UInt8[np.ndarray, "S S 3"], generator: np.random.Generator) -> dict[str, np.ndarray]:
        """A crop (S, S, 3) uint8 RGB -> a row."""
        # All is drawn, whatever is used: a switch changes nothing but what it names.
        mirrored, reduced, factor = generator.random(), generator.random(), generator.uniform(-1.0, 1.0)
        side, kind = generator.choice(self._sizes or (crop.shape[0],)), generator.choice(_ENLARGEMENTS)
        place = generator.uniform(0.0, 1.0, 3)
        image: np.ndarray = crop.astype(np.float32)
        if self._flip and mirrored < 0.5:
            image = image[:, ::-1]
        small = part = self._part(image, place)
        if reduced < self._share and side < part.shape[0]:
            degradation = self._degradation if generator.random() < self._degraded else Degradation()
            small = degradation.apply(part / np.float32(255.0), int(side), generator) * np.float32(255.0)
            small = cv2.resize(small, part.shape[1::-1], interpolation=int(kind))
        shown = {"image": small} | ({"teacher_image": image} if self._taught else {})
        factor = 1.0 + self._brightness * factor
        return {name: self._finished(each, factor) for name, each in shown.items()}

    def _part(self, image: np.ndarray, place: np.ndarray) -> np.ndarray:
        """A square of the face, of a side and from a place that three numbers in [0, 1) say."""
        side = round(image.shape[0] * (1.0 - self._zoom * float(place[0])))
        top, left = (int(each * (image.shape[0] - side + 1)) for each in place[1:])
        return image[top : top + side, left : left + side]

    def _finished(self, image: np.ndarray, factor: float) -> np.ndarray:
        """float32 (S, S, 3) on the 0-255 scale -> (size, size, 3) uint8, so much brighter."""
        image = resize.resize(image / np.float32(255.0), self._size, self._size)
        return np.rint(np.clip(image * np.float32(factor), 0.0, 1.0) * 255.0).astype(np.uint8)

    def plain(self, crops: UInt8[np.ndarray, "N S S 3"]) -> Float[np.ndarray, "N size size 3"]:
        """Crops (N, S, S, 3) uint8 -> float32 (N, size, size, 3) in [0, 1], as they are."""
        images = [resize.resize(crop.astype(np.float32) / np.float32(255.0), self._size, self._size) for crop in crops]
        return np.stack(images)
