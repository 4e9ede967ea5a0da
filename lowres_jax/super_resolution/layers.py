"""Layers that the super-resolution networks share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float, Shaped

from lowres_jax.nn.convolution import Conv
from lowres_jax.utils.shapes import Array


def depth_to_space(inputs: Shaped[Array, "B H W _"], scale: int) -> Shaped[jax.Array, "B _ _ C"]:
    """Sub-pixel shuffle (Shi et al., arXiv:1609.05158), channels ordered as TensorFlow's depth_to_space.

    Args:
      inputs: (B, H, W, scale * scale * C); channel (i * scale + j) * C + c goes to row i, column j of each cell.
      scale: enlargement of each side.

    Returns:
      (B, scale * H, scale * W, C).
    """
    batch, height, width, depth = inputs.shape
    channels = depth // scale**2
    cells = inputs.reshape(batch, height, width, scale, scale, channels)
    return cells.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * scale, width * scale, channels)


def enlarge_cubic(images: Float[Array, "B H W C"], scale: int) -> Float[jax.Array, "B _ _ C"]:
    """`jax.image.resize(..., "cubic")` by a whole factor, as one convolution: for any size, which converters know.

    Args:
      images: (B, H, W, C) float32.
      scale: enlargement of each side.

    Returns:
      (B, scale * H, scale * W, C) float32.
    """
    kernel = _cubic_kernel(scale, images.shape[-1])

    def convolved(pixels: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            pixels,
            kernel,
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=lax.Precision.HIGHEST,
        )

    # Beyond the border there is nothing, and the weights of what is there sum to 1.
    return depth_to_space(convolved(images) / convolved(jnp.ones_like(images[:1])), scale)


@functools.lru_cache(maxsize=8)
def _cubic_kernel(scale: int, channels: int) -> np.ndarray:
    """(5, 5, C, scale ** 2 * C): Keys's cubic (1981, a = -0.5) at each pixel of a cell, as `depth_to_space` orders."""
    centers = (np.arange(scale) + 0.5) / scale - 0.5
    away = np.abs(centers[None] - np.arange(-2, 3)[:, None])
    near = (1.5 * away - 2.5) * away * away + 1.0
    far = ((-0.5 * away + 2.5) * away - 4.0) * away + 2.0
    taps = np.where(away < 1.0, near, np.where(away < 2.0, far, 0.0))
    kernel = np.einsum("yi,xj,cd->yxcijd", taps, taps, np.eye(channels))
    return kernel.reshape(5, 5, channels, scale * scale * channels).astype(np.float32)


def edge_head(features: Shaped[Array, "B H W C"], scale: int = 1) -> Float[jax.Array, "B _ _ 1"]:
    """The edge head: one more 3x3 convolution, to one channel, beside the one that gives RGB.

    Call it inside a module's `__call__`; the sigmoid that makes a probability of it is left to whoever reads it, since
    cross entropy is exact on logits only.

    Args:
      features: (B, H, W, C), what the convolution to RGB reads.
      scale: enlargement that is still to be made; 1 where the features have the final size.

    Returns:
      (B, scale * H, scale * W, 1) float32 logits of "there is an edge".
    """
    logits = Conv(scale**2, (3, 3), dtype=features.dtype, name="conv_edges")(features)
    return depth_to_space(logits, scale).astype(jnp.float32)
