"""SFace: the face recogniser of OpenCV Zoo, a MobileNet that gives templates of 128 numbers.

Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition", IEEE TIP 2021. The network is
MobileNet (Howard et al., 2017, https://arxiv.org/abs/1704.04861) at full width, without the first stride, with PReLU,
and with InsightFace's head (BatchNorm, Dense, BatchNorm). Layers carry the names of the published file.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from lowres_jax.layers import PReLU


class ShiftedConvolution(nn.Module):
    """3x3 convolution without bias, zero padding 1, as a sum of shifted products.

    For the two kinds of layer where a matrix product has nothing to do: many outputs from very few channels, and
    depthwise. XLA's CPU back end has no quick code for either (its grouped convolution is about seven times slower),
    while it fuses these products with the normalisation and activation that follow: benchmarks/recognizer_speed.py.

    Attributes:
      features: channels of the result; None for a depthwise convolution.
      stride: 1 or 2, in both directions.
    """

    features: int | None = None
    stride: int = 1

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), features or C)."""
        channels = images.shape[-1]
        shape = (3, 3, 1, channels) if self.features is None else (3, 3, channels, self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        height, width = (-(-size // self.stride) for size in images.shape[1:3])
        padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
        last_row, last_column = (height - 1) * self.stride + 1, (width - 1) * self.stride + 1
        total = jnp.zeros((), images.dtype)
        for row in range(3):
            for column in range(3):
                shifted = padded[:, row : row + last_row : self.stride, column : column + last_column : self.stride]
                if self.features is None:
                    total = total + shifted * kernel[row, column, 0]
                else:
                    for channel in range(channels):
                        total = total + shifted[..., channel, None] * kernel[row, column, channel]
        return total


class Model(nn.Module):
    """Aligned face -> embedding, in inference mode (BatchNorm uses its running statistics).

    9.67 million parameters. Differentiable with respect to the input.

    Attributes:
      widths: channels after the first convolution and after each depthwise-separable block.
      strides: of each block's depthwise convolution.
      dimension: length of the embedding.
    """

    widths: tuple[int, ...] = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    strides: tuple[int, ...] = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    dimension: int = 128

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Embeds a batch.

        Args:
          images: (B, 112, 112, 3) float32 RGB in [0, 1], faces aligned to the ArcFace template.

        Returns:
          (B, dimension) float32, not normalised; its direction is the template.
        """
        x = (images * 255.0 - 127.5) / 128.0
        x = ShiftedConvolution(self.widths[0], name="conv_1")(x)
        x = self._normalize_activate(x, "conv_1")
        for number, (width, stride) in enumerate(zip(self.widths[1:], self.strides, strict=True), start=2):
            x = ShiftedConvolution(stride=stride, name=f"conv_{number}_dw")(x)
            x = self._normalize_activate(x, f"conv_{number}_dw")
            x = nn.Dense(width, use_bias=False, name=f"conv_{number}")(x)  # a 1x1 convolution
            x = self._normalize_activate(x, f"conv_{number}")
        x = nn.BatchNorm(use_running_average=True, epsilon=2e-5, name="bn1")(x)
        x = nn.Dense(self.dimension, name="pre_fc1")(x.reshape(x.shape[0], -1))
        return nn.BatchNorm(use_running_average=True, epsilon=2e-5, name="fc1")(x)

    def _normalize_activate(self, x: jax.Array, layer: str) -> jax.Array:
        x = nn.BatchNorm(use_running_average=True, epsilon=1e-3, name=f"{layer}_batchnorm")(x)
        return PReLU(name=f"{layer}_relu")(x)
