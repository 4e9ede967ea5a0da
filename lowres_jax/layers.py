"""Layers that networks of several rooms share."""

import functools
from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
from flax import linen as nn


class PReLU(nn.Module):
    """Parametric ReLU with one slope for each channel, shared over positions (He et al., arXiv:1502.01852, eq. 1)."""

    initial_slope: float = 0.25  # the paper's

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        """(..., C) -> (..., C)."""
        slope = self.param("slope", nn.initializers.constant(self.initial_slope), (inputs.shape[-1],), jnp.float32)
        return jnp.where(inputs >= 0, inputs, slope.astype(inputs.dtype) * inputs)


class Normalized(Protocol):
    """A module that says how its batch normalisation is to be."""

    momentum: float
    epsilon: float
    axis_name: str | None
    dtype: jnp.dtype


def batch_norm(module: Normalized, train: bool) -> Callable[..., nn.BatchNorm]:
    """Batch normalisation as a module's attributes say; in training by the statistics of the batch."""
    return functools.partial(
        nn.BatchNorm,
        use_running_average=not train,
        momentum=module.momentum,
        epsilon=module.epsilon,
        axis_name=module.axis_name,
        dtype=module.dtype,
    )
