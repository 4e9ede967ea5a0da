"""SRResNet, the generator of SRGAN (Ledig et al., arXiv:1609.04802, figure 4)."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from lowres_jax.layers import PReLU
from lowres_jax.super_resolution.layers import depth_to_space


class ResidualBlock(nn.Module):
    """conv - BN - PReLU - conv - BN - add."""

    features: int
    epsilon: float
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, inputs: jax.Array, train: bool) -> jax.Array:
        """(B, H, W, features) -> the same."""
        features = nn.Conv(self.features, (3, 3), dtype=self.dtype, name="conv_0")(inputs)
        features = _batch_norm(self, train, "norm_0")(features)
        features = PReLU(name="prelu")(features)
        features = nn.Conv(self.features, (3, 3), dtype=self.dtype, name="conv_1")(features)
        return inputs + _batch_norm(self, train, "norm_1")(features)


class Model(nn.Module):
    """SRResNet: 1.55 million parameters at its paper's sizes.

    Attributes:
      scale: enlargement of each side, a power of two.
      blocks: residual blocks.
      features: channels of the trunk.
      epsilon: of batch normalisation.
      dtype: of the computation; parameters and batch statistics are float32.
    """

    scale: int = 4
    blocks: int = 16
    features: int = 64
    epsilon: float = 1e-3
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """Enlarges RGB images.

        Args:
          images: (B, H, W, 3) in [0, 1].
          train: whether batch normalisation uses the batch's statistics (and updates `batch_stats`).

        Returns:
          (B, scale * H, scale * W, 3) float32 in [0, 1]: the network's tanh, brought from [-1, 1].
        """
        first = nn.Conv(self.features, (9, 9), dtype=self.dtype, name="conv_first")(images)
        first = PReLU(name="prelu_first")(first)
        features = first
        for block in range(self.blocks):
            features = ResidualBlock(self.features, self.epsilon, self.dtype, name=f"block_{block}")(features, train)
        features = nn.Conv(self.features, (3, 3), dtype=self.dtype, name="conv_trunk")(features)
        features = first + _batch_norm(self, train, "norm_trunk")(features)
        for step in range(self.scale.bit_length() - 1):
            features = nn.Conv(4 * self.features, (3, 3), dtype=self.dtype, name=f"conv_up_{step}")(features)
            features = PReLU(name=f"prelu_up_{step}")(depth_to_space(features, 2))
        output = nn.Conv(3, (9, 9), dtype=self.dtype, name="conv_last")(features)
        return (jnp.tanh(output.astype(jnp.float32)) + 1.0) / 2.0


def _batch_norm(owner: Model | ResidualBlock, train: bool, name: str) -> nn.BatchNorm:
    return nn.BatchNorm(
        use_running_average=not train, momentum=0.9, epsilon=owner.epsilon, dtype=owner.dtype, name=name
    )
