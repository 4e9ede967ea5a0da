"""Layers that the super-resolution networks share."""

import jax


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
