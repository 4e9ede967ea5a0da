"""EDSR: residual blocks without batch normalization (Lim et al., arXiv:1707.02921, figure 3)."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Shaped

from lowres_jax.nn.convolution import Conv
from lowres_jax.super_resolution.layers import depth_to_space, edge_head
from lowres_jax.utils.shapes import Array

# Mean color of the training pictures on the 0-255 scale, RGB, as the published TensorFlow weights want it.
MEAN_RGB = (114.3563, 111.5615, 103.1546)


class Model(nn.Module):
    """EDSR: by default the full network of 32 blocks of 256 channels; the paper's baseline is 16 of 64 without scaling.

    Attributes:
      scale: enlargement of each side: 2, 3, or a power of two.
      blocks: residual blocks.
      features: channels.
      residual_scale: factor of each block's output.
      tail: "paper" enlarges by [conv to 4 (or 9) x features, shuffle] for each factor of the scale and ends with a
        convolution to RGB (43.1 million parameters at x4); "direct" goes to RGB cells by one convolution, as the
        published TensorFlow weights do (38.5 million).
      edge_head: true if the network also tells where edges are.
      dtype: dtype of the computation; parameters are float32.
    """

    scale: int = 4
    blocks: int = 32
    features: int = 256
    residual_scale: float = 0.1
    tail: Literal["paper", "direct"] = "paper"
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
        mean = jnp.asarray(MEAN_RGB, jnp.float32)
        first = self._conv(self.features, "conv_first")(images * 255.0 - mean)
        features = first
        for block in range(self.blocks):
            residual = nn.relu(self._conv(self.features, f"block_{block}_conv_0")(features))
            residual = self._conv(self.features, f"block_{block}_conv_1")(residual)
            features = features + self.residual_scale * residual
        features = first + self._conv(self.features, "conv_trunk")(features)
        if self.tail == "direct":
            output = depth_to_space(self._conv(3 * self.scale**2, "conv_last")(features), self.scale)
            left = self.scale
        else:
            steps = [3] if self.scale == 3 else [2] * (self.scale.bit_length() - 1)
            for number, step in enumerate(steps):
                features = self._conv(step**2 * self.features, f"conv_up_{number}")(features)
                features = depth_to_space(features, step)
            output = self._conv(3, "conv_last")(features)
            left = 1
        output = (output.astype(jnp.float32) + mean) / 255.0
        return (output, edge_head(features, left)) if self.edge_head else output

    def _conv(self, features: int, name: str) -> nn.Conv:
        return Conv(features, (3, 3), dtype=self.dtype, name=name)
