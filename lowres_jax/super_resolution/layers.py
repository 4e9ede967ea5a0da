"""Layers that the super-resolution networks share."""

import jax
import jax.numpy as jnp

from lowres_jax.nn.convolution import Conv


def depth_to_space(inputs: jax.Array, scale: int) -> jax.Array:
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


def edge_head(features: jax.Array, scale: int = 1) -> jax.Array:
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
