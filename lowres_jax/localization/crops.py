"""Crops of many boxes at once, with TensorFlow's `crop_and_resize` sampling, which MTCNN's weights were packed with."""

import jax
import jax.numpy as jnp
from jaxtyping import Integer, Shaped

from lowres_jax.utils.shapes import Array


def crop_and_resize(
    stack: Shaped[Array, "N H W C"],
    sizes: Shaped[Array, " 2"],
    image: Integer[Array, " B"],
    boxes: Shaped[Array, "B 4"],
    side: int,
) -> Shaped[jax.Array, "B side side C"]:
    """Bilinear crops whose first and last samples lie on the boxes' corners; zero outside the image.

    Args:
      stack: (N, H, W, C) images, each in the upper left `sizes` of its array.
      sizes: (2,) height and width of the images proper.
      image: (B,) int32, which image a box is of.
      boxes: (B, 4) x0, y0, x1, y1 in pixels. A pixel x is sampled at x * (width - 1) / width, as the package does.
      side: side of the crops in pixels.

    Returns:
      (B, side, side, C).
    """
    above, below, down, row_inside = _sample(boxes[:, 1], boxes[:, 3], sizes[0], side)
    left, right, across, column_inside = _sample(boxes[:, 0], boxes[:, 2], sizes[1], side)

    def pixels(rows: jax.Array, columns: jax.Array) -> jax.Array:
        return stack[image[:, None, None], rows[:, :, None], columns[:, None, :]]

    across, down = across[:, None, :, None], down[:, :, None, None]
    upper = pixels(above, left) * (1 - across) + pixels(above, right) * across
    lower = pixels(below, left) * (1 - across) + pixels(below, right) * across
    inside = row_inside[:, :, None, None] & column_inside[:, None, :, None]
    return jnp.where(inside, upper * (1 - down) + lower * down, 0.0)


def _sample(low: jax.Array, high: jax.Array, length: jax.Array, side: int) -> tuple[jax.Array, ...]:
    """Along one axis: the two neighbors of every sample, the second's share, and whether the sample is inside."""
    first = low / length * (length - 1)
    step = (high - low) / length * (length - 1) / (side - 1)
    position = first[:, None] + jnp.arange(side) * step[:, None]
    inside = (position >= 0) & (position <= length - 1)
    below = jnp.clip(jnp.floor(position), 0, length - 1)
    above = jnp.clip(jnp.ceil(position), 0, length - 1)
    return below.astype(jnp.int32), above.astype(jnp.int32), position - jnp.floor(position), inside
