"""PSNR and SSIM of enlarged faces against their originals, on RGB without border crop unless asked otherwise."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

from lowres_jax.utils.shapes import Images, PerImage, Templates

# Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE TIP 13(4), 2004.
_WINDOW, _SIGMA, _K1, _K2 = 11, 1.5, 0.01, 0.03


def to_luma(images: Shaped[np.ndarray, "B H W 3"]) -> Shaped[np.ndarray, "B H W 1"]:
    """ITU-R BT.601 luma of RGB in [0, 1], in its studio range [16, 235] / 255, as super-resolution papers use.

    Args:
      images: (B, H, W, 3).

    Returns:
      (B, H, W, 1).
    """
    weights = np.asarray([65.481, 128.553, 24.966], np.float32)
    return (images @ weights + np.float32(16.0))[..., None] / np.float32(255.0)


def _prepare(images: np.ndarray, luma: bool, border: int) -> np.ndarray:
    if border:
        images = images[:, border:-border, border:-border]
    return to_luma(images) if luma else np.asarray(images, np.float32)


def psnr(images: Images, references: Images, luma: bool = False, border: int = 0) -> PerImage:
    """Peak signal-to-noise ratio of each image: 10 log10(1 / MSE) over all its pixels and channels.

    Args:
      images: (B, H, W, 3) in [0, 1].
      references: originals of the same shape.
      luma: true for the Y channel (see `to_luma`) instead of RGB.
      border: pixels cut from every side first.

    Returns:
      (B,) decibels; infinite for equal images.
    """
    difference = _prepare(images, luma, border).astype(np.float64) - _prepare(references, luma, border)
    error = np.mean(difference**2, axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(error)


def ssim(images: Images, references: Images, luma: bool = False, border: int = 0) -> PerImage:
    """Structural similarity of each image: mean over channels of the map with Wang's Gaussian window.

    11 x 11 window, sigma 1.5, K1 = .01, K2 = .03, population covariance, only where the window fits whole. Equals
    scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)`.

    Args:
      images: (B, H, W, 3) in [0, 1], sides of at least 11 pixels.
      references: originals of the same shape.
      luma: true for the Y channel instead of RGB.
      border: pixels cut from every side first.

    Returns:
      (B,) in [-1, 1].
    """
    return np.asarray(_ssim(_prepare(images, luma, border), _prepare(references, luma, border)), np.float64)


@functools.lru_cache(maxsize=8)
def _window_matrix(size: int) -> np.ndarray:
    """The 1-D Gaussian window at all its places, (size - 10, size): filtering becomes two matrix products."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    window = np.exp(-0.5 * (offsets / _SIGMA) ** 2)
    window /= window.sum()
    places = size - _WINDOW + 1
    matrix = np.zeros((places, size), np.float32)
    for place in range(places):
        matrix[place, place : place + _WINDOW] = window
    return matrix


@jax.jit
def _ssim(images: jax.Array, references: jax.Array) -> jax.Array:
    rows, columns = (jnp.asarray(_window_matrix(size)) for size in images.shape[1:3])

    def blur(values: jax.Array) -> Shaped[jax.Array, "..."]:
        return jnp.einsum("ph,qw,bhwc->bpqc", rows, columns, values, precision=jax.lax.Precision.HIGHEST)

    # Moments about one half lose fewer digits in float32 than moments about zero.
    images, references = images - 0.5, references - 0.5
    mean_a, mean_b = blur(images), blur(references)
    variance_a = blur(images * images) - mean_a**2
    variance_b = blur(references * references) - mean_b**2
    covariance = blur(images * references) - mean_a * mean_b
    mean_a, mean_b = mean_a + 0.5, mean_b + 0.5
    c1, c2 = _K1**2, _K2**2
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return jnp.mean(structure * luminance, axis=(1, 2, 3))


def identity_cosine(templates: Templates, references: Templates) -> PerImage:
    """Cosine of the templates of each enlarged face and of its HR: (B, D) unit vectors twice -> (B,)."""
    return np.sum(np.asarray(templates, np.float64) * references, axis=-1)
