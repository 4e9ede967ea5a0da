"""A record's crop -> one row of a training batch, on the host."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped, UInt8
from ml_collections import ConfigDict

from lowres_jax.data.degradations import Degradation
from lowres_jax.super_resolution.training import train_config

# Thresholds of HR's Canny map, on the 0-255 scale.
_CANNY_THRESHOLDS = 50, 150


class Transform:
    """The transform that `data.pipeline` applies to each crop.

    Rows hold image (H, H, 3) uint8 RGB, the HR crop; low (h, h, 3) float32 in [0, 1] where a degradation is asked for
    (the plain reduction is quicker within the step, on the device); edges (H, H, 1) uint8, 0 or 1, where an edge loss
    asks for them.
    """

    def __init__(self, config: ConfigDict):
        """Reads `hr_size`, `flip`, `degradation`, the model's scale and the edge loss of a training's config.

        Raises:
          UserError: bounds of a degradation that cannot be.
        """
        self._size = config.hr_size
        self._low_size = train_config.lr_size(config)
        self._flip = config.flip
        self._degradation = Degradation.of(config.degradation)
        self._edges = bool(config.losses.edge.weight)

    def __call__(self, crop: UInt8[np.ndarray, "S S 3"], generator: np.random.Generator) -> dict[str, np.ndarray]:
        """A crop (S, S, 3) uint8 RGB, S at least the HR size -> a row."""
        crop = center(crop, self._size)
        if self.choices(generator)["mirrored"]:
            crop = crop[:, ::-1]
        row = {"image": np.ascontiguousarray(crop)}
        if not self._degradation.plain:
            high = row["image"].astype(np.float32) / np.float32(255.0)
            row["low"] = self._degradation.apply(high, self._low_size, generator)
        if self._edges:
            row["edges"] = edge_map(row["image"])
        return row

    def choices(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Random numbers of a row besides its degradation: mirrored () bool."""
        # Drawn whether used or not: a switch changes nothing but what it names.
        mirrored = generator.random() < 0.5
        return {"mirrored": np.asarray(self._flip and mirrored)}

    @property
    def can_stay_on_devices(self) -> bool:
        """True if rows can be made on the devices: degradations are OpenCV's, on the host."""
        return self._degradation.plain

    def resident(self, crops: UInt8[np.ndarray, "N S S 3"]) -> dict[str, np.ndarray]:
        """The source of the rows of `rows_on_device`.

        Args:
          crops: (N, S, S, 3) uint8 RGB.

        Returns:
          image (N, H, H, 3) uint8; where an edge loss asks for them edges (N, 2, H, H, 1) uint8, of the crop and of
          its mirror image.
        """
        images = np.stack([center(crop, self._size) for crop in crops])
        if not self._edges:
            return {"image": images}
        edges = np.stack([np.stack([edge_map(image), edge_map(image[:, ::-1])]) for image in images])
        return {"image": images, "edges": edges}

    @staticmethod
    def rows_on_device(resident: dict[str, jax.Array], batch: dict[str, jax.Array]) -> dict[str, jax.Array]:
        """The rows that calling this makes on the host, to the bit, made within a step.

        Args:
          resident: see `resident`.
          batch: row (b,) of the resident crops, mirrored (b,) bool.

        Returns:
          image (b, H, H, 3) uint8, and edges (b, H, H, 1) uint8.
        """
        row, mirrored = batch["row"], batch["mirrored"]
        images = resident["image"][row]
        rows = {"image": jnp.where(mirrored[:, None, None, None], images[:, :, ::-1], images)}
        if "edges" in resident:
            rows["edges"] = resident["edges"][row, mirrored.astype(jnp.int32)]
        return rows

    def reduced(self, crops: UInt8[np.ndarray, "N S S 3"]) -> tuple[np.ndarray, np.ndarray]:
        """Crops (N, S, S, 3) uint8 -> LR and HR images, float32 in [0, 1], as in training but never mirrored."""
        high = np.stack([center(crop, self._size) for crop in crops]).astype(np.float32) / np.float32(255.0)
        return self._degradation.reduced(high, self._low_size, range(len(high))), high

    def edges(self, high: Shaped[np.ndarray, "N H H 3"]) -> Shaped[np.ndarray, "N H H 1"]:
        """HR images (N, H, H, 3) in [0, 1] -> their edge maps (N, H, H, 1), 0 or 1."""
        return np.stack([edge_map(np.rint(image * 255.0).astype(np.uint8)) for image in high])


def center(crop: Shaped[np.ndarray, "S S 3"], size: int) -> Shaped[np.ndarray, "size size 3"]:
    """The middle `size` x `size` pixels of a crop (S, S, 3)."""
    margin = (crop.shape[0] - size) // 2
    return crop[margin : margin + size, margin : margin + size]


def edge_map(crop: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 1"]:
    """Canny's edges (PAMI 1986) of a gray crop, thresholds 50 and 150: (H, W, 3) uint8 -> (H, W, 1) uint8, 0 or 1."""
    gray = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)
    return (cv2.Canny(gray, *_CANNY_THRESHOLDS) > 0).astype(np.uint8)[..., None]
