"""Faults of a photograph besides its size: noise and compression."""

import cv2
import numpy as np

from lowres_jax.data.images import DecodedImage
from lowres_jax.utils.shapes import Image

# Immerkær, "Fast Noise Variance Estimation", CVIU 1996: a kernel that answers to nothing that is locally linear.
_KERNEL = np.asarray([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_GAIN = 6.0  # the kernel's answer to noise of deviation 1
_MEDIAN_OF_NORMAL = 0.6745
_BLOCK, _FLATTEST = 16, 0.2
_FEWEST_BLOCKS = 64  # of a smaller picture, texture and noise are not told apart
_LARGEST = 2048  # of a larger picture the middle is read

# From which on a model that knows them is better; those of its training begin there (`degradations.footage`).
NOISY, COMPRESSED = 2.0, 60


def noise_level(image: Image) -> float:
    """Standard deviation of the noise in luma, of 255: that of the picture's flattest parts.

    Args:
      image: RGB in [0, 1]; of a small one, below about 128 pixels a side, 0 is said.
    """
    top, left = (max(side - _LARGEST, 0) // 2 for side in image.shape[:2])
    part = image[top : top + _LARGEST, left : left + _LARGEST]
    luma = part @ np.asarray([0.299, 0.587, 0.114], np.float32) * np.float32(255.0)
    answer = np.abs(cv2.filter2D(luma, -1, _KERNEL))
    rows, columns = (side // _BLOCK for side in answer.shape)
    if rows * columns < _FEWEST_BLOCKS:
        return 0.0
    blocks = answer[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    levels = np.median(blocks, axis=(1, 3)) / (_GAIN * _MEDIAN_OF_NORMAL)
    # Areas that are burnt out or drowned in black have no noise whatever the picture's is.
    means = luma[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK).mean(axis=(1, 3))
    exposed = (means > 8) & (means < 247)
    return float(np.quantile(levels[exposed], _FLATTEST)) if exposed.any() else 0.0


def of_picture(picture: DecodedImage, noise: float) -> str:
    """Faults of a picture in words, as "noise of 3.2 of 255 and JPEG quality 30"; "" where it has none.

    Args:
      picture: the picture.
      noise: see `noise_level`.
    """
    quality = picture.metadata.jpeg_quality
    found = [f"noise of {noise:.1f} of 255"] if noise >= NOISY else []
    found += [f"JPEG quality {quality}"] if 0 < quality <= COMPRESSED else []
    return " and ".join(found)
