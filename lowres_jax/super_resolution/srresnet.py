"""SRResNet, the generator of SRGAN (Ledig et al., arXiv:1609.04802, figure 4)."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Shaped

from lowres_jax.nn.convolution import Conv
from lowres_jax.nn.layers import PReLU, batch_norm
from lowres_jax.super_resolution.layers import depth_to_space, edge_head, enlarge_cubic
from lowres_jax.utils.shapes import Array


def _identity(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Kernel (h, w, C, C) that leaves an image as it is, of odd height and width; a Flax initializer."""
    del key
    height, width, channels, _ = shape
    return jnp.zeros(shape, dtype).at[height // 2, width // 2].set(jnp.eye(channels, dtype=dtype))


class ResidualBlock(nn.Module):
    """conv - BN - PReLU - conv - BN - add."""

    features: int
    norm: Callable[..., nn.BatchNorm]
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, inputs: Shaped[Array, "B H W features"]) -> Shaped[jax.Array, "B H W features"]:
        """(B, H, W, features) -> the same."""
        features = Conv(self.features, (3, 3), dtype=self.dtype, name="conv_0")(inputs)
        features = self.norm(name="norm_0")(features)
        features = PReLU(name="prelu")(features)
        features = Conv(self.features, (3, 3), dtype=self.dtype, name="conv_1")(features)
        return inputs + self.norm(name="norm_1")(features)


class Model(nn.Module):
    """SRResNet: 1.55 million parameters at its paper's sizes.

    With the tail "direct" the trunk is SRResNet's, and one convolution at the size of the input makes all pixels of a
    cell at once (Shi et al., arXiv:1609.05158), added to the bicubic enlargement: a quarter of the multiplications for
    x8, a tenth for x16, where the paper's doublings cost more than the trunk. Each cell is made alone, which leaves a
    grid. "direct_smoothed" has one 3 x 3 convolution behind the cells, at the size of the output.

    Attributes:
      scale: enlargement of each side, a power of two.
      blocks: residual blocks.
      features: channels of the trunk.
      epsilon: epsilon of batch normalization.
      momentum: share of the running statistics that a batch leaves as they are.
      axis_name: axis over which devices share batch statistics in training; None: each has its own.
      edge_head: true if the network also tells where edges are (Canny model).
      tail: "paper": a doubling for each factor of two; or "direct", "direct_smoothed", see above.
      dtype: dtype of the computation; parameters and batch statistics are float32.
    """

    scale: int = 4
    blocks: int = 16
    features: int = 64
    epsilon: float = 1e-3
    momentum: float = 0.9
    axis_name: str | None = None
    edge_head: bool = False
    tail: Literal["paper", "direct", "direct_smoothed"] = "paper"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "B H W 3"], train: bool = False
    ) -> jax.Array | tuple[jax.Array, jax.Array]:
        """Enlarges RGB images.

        Args:
          images: (B, H, W, 3) in [0, 1].
          train: true if batch normalization uses the batch's statistics (and updates `batch_stats`).

        Returns:
          (B, scale * H, scale * W, 3) float32 in [0, 1]: the network's tanh, brought from [-1, 1]; with the tail
          "direct" or "direct_smoothed" not bounded. With `edge_head` also (B, scale * H, scale * W, 1) float32 logits.
        """
        norm = batch_norm(self, train)
        first = Conv(self.features, (9, 9), dtype=self.dtype, name="conv_first")(images)
        first = PReLU(name="prelu_first")(first)
        features = first
        for block in range(self.blocks):
            features = ResidualBlock(self.features, norm, self.dtype, name=f"block_{block}")(features)
        features = Conv(self.features, (3, 3), dtype=self.dtype, name="conv_trunk")(features)
        features = first + norm(name="norm_trunk")(features)
        if self.tail != "paper":
            return self._direct(images, features)
        for step in range(self.scale.bit_length() - 1):
            features = Conv(4 * self.features, (3, 3), dtype=self.dtype, name=f"conv_up_{step}")(features)
            features = PReLU(name=f"prelu_up_{step}")(depth_to_space(features, 2))
        output = Conv(3, (9, 9), dtype=self.dtype, name="conv_last")(features)
        output = (jnp.tanh(output.astype(jnp.float32)) + 1.0) / 2.0
        return (output, edge_head(features)) if self.edge_head else output

    def _direct(self, images: jax.Array, features: jax.Array) -> jax.Array | tuple[jax.Array, jax.Array]:
        """Bicubic enlargement, plus cells made at the size of the input: the tails "direct" and "direct_smoothed"."""
        # Small, so that a training begins near bicubic.
        start = nn.initializers.normal(1e-3)
        added = Conv(3 * self.scale**2, (3, 3), dtype=self.dtype, kernel_init=start, name="conv_direct")(features)
        added = depth_to_space(added.astype(jnp.float32), self.scale)
        if self.tail == "direct_smoothed":
            # A training begins as if the convolution were not there: from a direct tail's weights, where that ended.
            added = Conv(3, (3, 3), kernel_init=_identity, name="conv_smooth")(added)
        output = enlarge_cubic(images.astype(jnp.float32), self.scale) + added
        return (output, edge_head(features, self.scale)) if self.edge_head else output
