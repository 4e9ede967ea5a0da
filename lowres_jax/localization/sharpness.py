"""Sharpness of a face: the variance of the Laplacian."""

import cv2
import numpy as np
from jaxtyping import Float


def variance_of_laplacian(image: Float[np.ndarray, "H W 3"]) -> float:
    """Variance of the 3 x 3 Laplacian of the gray image on the 0-255 scale (Pech-Pacheco et al., ICPR 2000).

    Args:
      image: (H, W, 3) float32 RGB in [0, 1].
    """
    gray = cv2.cvtColor(np.asarray(image, np.float32), cv2.COLOR_RGB2GRAY) * np.float32(255.0)
    return float(cv2.Laplacian(gray, cv2.CV_32F).var())
