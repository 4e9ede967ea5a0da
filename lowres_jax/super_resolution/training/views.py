"""Random views of two images for a frozen recognizer: the same shift, zoom, mirroring and noise for both, each step.

A generator that is judged through one fixed view learns that view's weaknesses; through random ones it learns less
about one recognizer, and more that others see too.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Shaped

from lowres_jax.training.devices import AXIS
from lowres_jax.utils.shapes import Array

_SHIFT = 2.0  # pixels, in each direction
_ZOOM = 0.05
_NOISE = 0.02  # standard deviation, of [0, 1]


@dataclass(frozen=True)
class Views:
    """Random numbers of the views of B images.

    Attributes:
      shift: (B, 2) pixels, down and to the right.
      zoom: (B,) factor.
      mirrored: (B,) bool.
      noise: (B, H, W, 3), added to both images.
    """

    shift: jax.Array
    zoom: jax.Array
    mirrored: jax.Array
    noise: jax.Array

    @classmethod
    def draw(cls, key: Shaped[Array, "..."], images: Shaped[Array, "b H W 3"]) -> "Views":
        """Draws for all devices' images, and takes this device's: one device or eight see the same.

        Args:
          key: key of the step, the same on all devices.
          images: (b, H, W, 3), this device's.
        """
        rows, devices = images.shape[0], jax.lax.axis_size(AXIS)
        keys = jax.random.split(key, 4)
        drawn = (
            jax.random.uniform(keys[0], (devices * rows, 2), minval=-_SHIFT, maxval=_SHIFT),
            jax.random.uniform(keys[1], (devices * rows,), minval=1.0 - _ZOOM, maxval=1.0 + _ZOOM),
            jax.random.bernoulli(keys[2], 0.5, (devices * rows,)),
            _NOISE * jax.random.normal(keys[3], (devices * rows, *images.shape[1:])),
        )
        first = jax.lax.axis_index(AXIS) * rows
        return cls(*(jax.lax.dynamic_slice_in_dim(each, first, rows) for each in drawn))

    def of(self, images: Shaped[Array, "B H W 3"]) -> Shaped[jax.Array, "B H W 3"]:
        """(B, H, W, 3) -> the same, about the middle; beyond the border it is black."""
        size = jnp.asarray(images.shape[1:3], jnp.float32)
        images = jnp.where(self.mirrored[:, None, None, None], images[:, :, ::-1], images)

        def moved(image: Shaped[Array, "H W 3"], shift: jax.Array, zoom: jax.Array) -> jax.Array:
            translation = shift + (1.0 - zoom) * size / 2.0
            scale = jnp.broadcast_to(zoom, (2,))
            return jax.image.scale_and_translate(image, image.shape, (0, 1), scale, translation, "linear")

        return jax.vmap(moved)(images, self.shift, self.zoom) + self.noise
