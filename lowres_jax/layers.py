"""Layers that networks of several rooms share."""

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
