"""Every change of an image's size goes through here, so that all stages see the same pixels.

Downscaling is always antialiased: area averaging. Plain `cv2.INTER_CUBIC` samples without a filter and costs a
super-resolution network up to 7 dB.
"""

import cv2
import numpy as np


def downscale_area(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Area-averaging (antialiased) downscale of one float32 image, H x W x 3; no dimension may grow."""
    if height > image.shape[0] or width > image.shape[1]:
        raise ValueError(f"area downscale of {image.shape[:2]} cannot enlarge to {(height, width)}")
    return _resize(image, height, width, cv2.INTER_AREA)


def upscale_bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """OpenCV's bilinear resize of one float32 image (half-pixel centres, replicated border)."""
    return _resize(image, height, width, cv2.INTER_LINEAR)


def upscale_bicubic(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """OpenCV's bicubic resize (a = -0.75) of one float32 image, clipped to [0, 1]."""
    return np.clip(_resize(image, height, width, cv2.INTER_CUBIC), 0.0, 1.0)


def nearest(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Nearest-neighbour resize of one float32 image."""
    return _resize(image, height, width, cv2.INTER_NEAREST)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Area averaging when both sides shrink (or stay), bicubic otherwise."""
    if image.shape[:2] == (height, width):
        return image
    if height <= image.shape[0] and width <= image.shape[1]:
        return downscale_area(image, height, width)
    return upscale_bicubic(image, height, width)


def _resize(image: np.ndarray, height: int, width: int, interpolation: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return np.asarray(image, np.float32)
    return cv2.resize(np.asarray(image, np.float32), (width, height), interpolation=interpolation)
