"""Enlargement without learning: OpenCV's bilinear and bicubic."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Shaped

from lowres_jax.data import resize


@dataclass(frozen=True)
class Model:
    """Interpolation.

    Attributes:
      method: "bilinear" or "bicubic" (a = -0.75), both with half-pixel centers and replicated borders.
      scale: enlargement of each side.
    """

    method: Literal["bilinear", "bicubic"]
    scale: int = 4

    def __call__(self, images: Shaped[np.ndarray, "B H W 3"]) -> Shaped[np.ndarray, "B _ _ 3"]:
        """(B, H, W, 3) in [0, 1] -> (B, scale * H, scale * W, 3) in [0, 1]."""
        height, width = images.shape[1] * self.scale, images.shape[2] * self.scale
        enlarge = {"bilinear": resize.upscale_bilinear, "bicubic": resize.upscale_bicubic}[self.method]
        return np.stack([enlarge(image, height, width) for image in images])
