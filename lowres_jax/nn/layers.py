"""Layers that networks of several rooms share."""

import functools
from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Shaped

from lowres_jax.utils.shapes import Array


class PReLU(nn.Module):
    """Parametric ReLU with one slope for each channel, shared over positions (He et al., arXiv:1502.01852, eq. 1)."""

    initial_slope: float = 0.25  # the paper's
    frozen: bool = False  # the slopes have no gradient

    @nn.compact
    def __call__(self, inputs: Shaped[Array, "... C"]) -> Shaped[jax.Array, "... C"]:
        """(..., C) -> (..., C)."""
        slope = self.param("slope", nn.initializers.constant(self.initial_slope), (inputs.shape[-1],), jnp.float32)
        if self.frozen:
            slope = jax.lax.stop_gradient(slope)
        return jnp.where(inputs >= 0, inputs, slope.astype(inputs.dtype) * inputs)


class BatchDropout(nn.Module):
    """Dropout (Srivastava et al., JMLR 2014) that is drawn for the whole batch, however many devices share it.

    Attributes:
      rate: share of the values that become zero; the others are enlarged, so that their sum is expected to stay.
      axis_name: axis over which devices share the batch; all of them need the same random stream "dropout".
    """

    rate: float
    axis_name: str | None = None

    @nn.compact
    def __call__(self, inputs: Shaped[Array, "b ..."], train: bool) -> Shaped[jax.Array, "b ..."]:
        """(b, ...), this device's rows of the batch -> the same."""
        if not train or not self.rate:
            return inputs
        rows, devices = inputs.shape[0], jax.lax.axis_size(self.axis_name) if self.axis_name else 1
        kept = jax.random.bernoulli(self.make_rng("dropout"), 1.0 - self.rate, (devices * rows, *inputs.shape[1:]))
        if self.axis_name:
            kept = jax.lax.dynamic_slice_in_dim(kept, jax.lax.axis_index(self.axis_name) * rows, rows)
        return jnp.where(kept, inputs / (1.0 - self.rate), jnp.zeros((), inputs.dtype))


def max_pool(inputs: Shaped[Array, "B H W C"]) -> Shaped[jax.Array, "B _ _ C"]:
    """Maxima of 3x3 windows of stride 2, no padding: (B, H, W, C) -> (B, (H - 1) // 2, (W - 1) // 2, C).

    One direction after the other: XLA's CPU back end takes fifteen times as long for the gradient of whole windows.
    Where pixels of a window are equally large its gradient is shared by them, instead of given to the first.
    """
    return _maxima(_maxima(inputs, 1), 2)


def _maxima(inputs: jax.Array, axis: int) -> jax.Array:
    """Maxima of pixels 0 to 2, 2 to 4 and so on along an axis."""
    count = (inputs.shape[axis] - 1) // 2
    paired = jax.lax.slice_in_dim(inputs, 0, 2 * count, axis=axis)
    paired = paired.reshape(*inputs.shape[:axis], count, 2, *inputs.shape[axis + 1 :])
    last = jax.lax.slice_in_dim(inputs, 2, 2 * count + 1, 2, axis)
    return jnp.maximum(paired.max(axis=axis + 1), last)


class Normalized(Protocol):
    """A module that says how its batch normalization is to be."""

    momentum: float
    epsilon: float
    axis_name: str | None
    dtype: jnp.dtype


def batch_norm(module: Normalized, train: bool) -> Callable[..., nn.BatchNorm]:
    """Batch normalization as a module's attributes say; in training by the statistics of the batch."""
    return functools.partial(
        nn.BatchNorm,
        use_running_average=not train,
        momentum=module.momentum,
        epsilon=module.epsilon,
        axis_name=module.axis_name,
        dtype=module.dtype,
    )
