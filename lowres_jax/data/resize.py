"""Every change of an image's size goes through here, so that all stages see the same pixels.

Downscaling is always antialiased: area averaging. Plain `cv2.INTER_CUBIC` samples without a filter and costs a
super-resolution network up to 7 dB.
"""

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from lowres_jax.utils.shapes import Images


def downscale_area(image: Shaped[np.ndarray, "H W ..."], height: int, width: int) -> Float[np.ndarray, "h w ..."]:
    """Area-averaging (antialiased) downscale of one float32 image, H x W x 3; no dimension may grow."""
    if height > image.shape[0] or width > image.shape[1]:
        raise ValueError(f"area downscale of {image.shape[:2]} cannot enlarge to {(height, width)}")
    return _resize(image, height, width, cv2.INTER_AREA)


def upscale_bilinear(image: Shaped[np.ndarray, "H W ..."], height: int, width: int) -> Float[np.ndarray, "h w ..."]:
    """OpenCV's bilinear resize of one float32 image (half-pixel centers, replicated border)."""
    return _resize(image, height, width, cv2.INTER_LINEAR)


def upscale_bicubic(image: Shaped[np.ndarray, "H W ..."], height: int, width: int) -> Float[np.ndarray, "h w ..."]:
    """OpenCV's bicubic resize (a = -0.75) of one float32 image, clipped to [0, 1]."""
    return np.clip(_resize(image, height, width, cv2.INTER_CUBIC), 0.0, 1.0)


def nearest(image: Shaped[np.ndarray, "H W ..."], height: int, width: int) -> Shaped[np.ndarray, "h w ..."]:
    """Nearest-neighbor resize of one float32 image: of the pixel that an output pixel's center lies in."""
    # INTER_NEAREST looks at an output pixel's corner instead, which shifts 32 -> 112 by a quarter of a pixel.
    return _resize(image, height, width, cv2.INTER_NEAREST_EXACT)


def resize(image: Shaped[np.ndarray, "H W ..."], height: int, width: int) -> Float[np.ndarray, "h w ..."]:
    """Area averaging when both sides shrink (or stay), bicubic otherwise."""
    if image.shape[:2] == (height, width):
        return image
    if height <= image.shape[0] and width <= image.shape[1]:
        return downscale_area(image, height, width)
    return upscale_bicubic(image, height, width)


def fit(images: Images, size: int) -> Float[np.ndarray, "batch {size} {size} 3"]:
    """Brings images to a recognizer's input size.

    A larger image is reduced by antialiased area averaging (128 -> 112). A smaller one, a raw low-resolution face, is
    enlarged by nearest neighbor, which adds nothing to it; who enlarges better does so before.

    Args:
      images: (B, H, W, 3) float32 RGB in [0, 1].
      size: side of the result in pixels.

    Returns:
      (B, size, size, 3) float32.
    """
    height, width = images.shape[1:3]
    if (height, width) == (size, size):
        return np.asarray(images, np.float32)
    change = downscale_area if min(height, width) >= size else nearest
    return np.stack([change(image, size, size) for image in images])


def _resize(image: np.ndarray, height: int, width: int, interpolation: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return np.asarray(image, np.float32)
    return cv2.resize(np.asarray(image, np.float32), (width, height), interpolation=interpolation)


def downscale_area_on_device(
    images: Float[jax.Array, "batch old_height old_width channels"], height: int, width: int
) -> Float[jax.Array, "batch {height} {width} channels"]:
    """`downscale_area` of a batch as two matrix products: differentiable, and part of a compiled step.

    Args:
      images: (B, H, W, C) float32.
      height: height of the result, at most H.
      width: width of the result, at most W.

    Returns:
      (B, height, width, C) float32.
    """
    if images.shape[1:3] == (height, width):
        return images
    rows, columns = area_weights(images.shape[1], height), area_weights(images.shape[2], width)
    return jnp.einsum("bhwc,rh,sw->brsc", images, rows, columns, precision=jax.lax.Precision.HIGHEST)


@functools.lru_cache(maxsize=32)
def area_weights(length: int, size: int) -> Float[np.ndarray, "size length"]:
    """Area averaging along one axis: (size, length) float32, how much of each pixel a cell covers; rows sum to 1."""
    if size > length:
        raise ValueError(f"area downscale of {length} pixels cannot enlarge to {size}")
    edges = np.arange(size + 1) * (length / size)
    pixels = np.arange(length)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.maximum(covered, 0.0) / (length / size)).astype(np.float32)
