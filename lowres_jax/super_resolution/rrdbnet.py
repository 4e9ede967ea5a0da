"""RRDBNet, the generator of ESRGAN (Wang et al., arXiv:1809.00219, figures 3 and 4)."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Shaped

from lowres_jax.nn.convolution import Conv
from lowres_jax.super_resolution.layers import edge_head
from lowres_jax.utils.shapes import Array


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each seeing all before it; the last, scaled, is added to the input."""

    features: int
    growth: int
    residual_scale: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, inputs: Shaped[Array, "B H W features"]) -> Shaped[jax.Array, "B H W features"]:
        """(B, H, W, features) -> the same."""
        seen = inputs
        for number in range(4):
            grown = Conv(self.growth, (3, 3), dtype=self.dtype, name=f"conv_{number}")(seen)
            seen = jnp.concatenate([seen, _leaky_relu(grown)], axis=-1)
        return inputs + self.residual_scale * Conv(self.features, (3, 3), dtype=self.dtype, name="conv_4")(seen)


class Model(nn.Module):
    """RRDBNet: 16.7 million parameters at its paper's sizes.

    Attributes:
      scale: enlargement of each side, a power of two.
      blocks: residual-in-residual dense blocks, of three dense blocks each.
      features: channels of the trunk.
      growth: channels that each dense convolution adds.
      residual_scale: factor of each (dense) block's output.
      edge_head: true if the network also tells where edges are.
      dtype: dtype of the computation; parameters are float32.
    """

    scale: int = 4
    blocks: int = 23
    features: int = 64
    growth: int = 32
    residual_scale: float = 0.2
    edge_head: bool = False
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "B H W 3"], train: bool = False
    ) -> jax.Array | tuple[jax.Array, jax.Array]:
        """(B, H, W, 3) RGB in [0, 1] -> (B, scale * H, scale * W, 3) float32, not clipped; training changes nothing.

        With `edge_head` also (B, scale * H, scale * W, 1) float32 logits.
        """
        del train
        first = self._conv(self.features, "conv_first")(images)
        features = first
        for block in range(self.blocks):
            inside = features
            for number in range(3):
                inside = ResidualDenseBlock(
                    self.features, self.growth, self.residual_scale, self.dtype, name=f"block_{block}_dense_{number}"
                )(inside)
            features = features + self.residual_scale * inside
        features = first + self._conv(self.features, "conv_trunk")(features)
        for step in range(self.scale.bit_length() - 1):
            features = jnp.repeat(jnp.repeat(features, 2, axis=1), 2, axis=2)
            features = _leaky_relu(self._conv(self.features, f"conv_up_{step}")(features))
        features = _leaky_relu(self._conv(self.features, "conv_high")(features))
        output = self._conv(3, "conv_last")(features).astype(jnp.float32)
        return (output, edge_head(features)) if self.edge_head else output

    def _conv(self, features: int, name: str) -> nn.Conv:
        return Conv(features, (3, 3), dtype=self.dtype, name=name)


def _leaky_relu(inputs: jax.Array) -> jax.Array:
    return nn.leaky_relu(inputs, 0.2)
