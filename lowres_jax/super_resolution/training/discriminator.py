"""The discriminator of SRGAN (Ledig et al., arXiv:1609.04802, figure 4), for RGB, or RGB with edges."""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Float, Shaped

from lowres_jax.nn.convolution import Conv
from lowres_jax.utils.shapes import Array

# Channels and stride of the convolutions.
_LAYERS = ((64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2))


class Model(nn.Module):
    """Eight 3x3 convolutions and two dense layers: 38.2 million parameters at 128 px, most of them in the first dense.

    Attributes:
      head: "dense" flattens the features (SRGAN: one image size); "pooled" averages them over positions (5.2 million
        parameters, any image size).
      width: factor of all channels.
      momentum: share of the running statistics that a batch leaves as they are.
      axis_name: axis over which devices share batch statistics in training.
      dtype: dtype of the computation; parameters and statistics are float32.
    """

    head: Literal["dense", "pooled"] = "dense"
    width: float = 1.0
    momentum: float = 0.9
    axis_name: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Shaped[Array, "B H W C"], train: bool = False) -> Float[jax.Array, " B"]:
        """Tells real images from made ones.

        Args:
          images: (B, H, W, C) in [0, 1]: RGB, or RGB and the edge map.
          train: true if the batch's statistics are used, and all statistics are updated (`batch_stats`).

        Returns:
          (B,) float32 logits, positive for "real".
        """
        features = images * 2.0 - 1.0
        for number, (channels, stride) in enumerate(_LAYERS):
            convolution = Conv(
                self._scaled(channels), (3, 3), strides=stride, padding=1, dtype=self.dtype, name=f"conv_{number}"
            )
            features = convolution(features)
            if number > 0:
                features = nn.BatchNorm(
                    use_running_average=not train,
                    momentum=self.momentum,
                    axis_name=self.axis_name,
                    dtype=self.dtype,
                    name=f"norm_{number}",
                )(features)
            features = nn.leaky_relu(features, 0.2)
        pooled = self.head == "pooled"
        features = features.mean(axis=(1, 2)) if pooled else features.reshape(features.shape[0], -1)
        dense = functools.partial(nn.Dense, dtype=self.dtype)
        features = nn.leaky_relu(dense(self._scaled(1024), name="dense_0")(features), 0.2)
        return dense(1, name="dense_1")(features)[:, 0].astype(jnp.float32)

    def _scaled(self, channels: int) -> int:
        return max(1, round(self.width * channels))
