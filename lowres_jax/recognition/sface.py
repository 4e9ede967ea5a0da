"""SFace: the face recognizer of OpenCV Zoo, a MobileNet that gives templates of 128 numbers.

Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition", IEEE TIP 2021. The network is
MobileNet (Howard et al., 2017, https://arxiv.org/abs/1704.04861) at full width, without the first stride, with PReLU,
and with InsightFace's head (BatchNorm, Dense, BatchNorm). Layers carry the names of the published file.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Float, Shaped

from lowres_jax.nn import convolution
from lowres_jax.nn.layers import PReLU
from lowres_jax.utils.shapes import Array


class ShiftedConvolution(nn.Module):
    """3x3 convolution without bias, zero padding 1, as a sum of shifted products.

    For the two kinds of layer where a matrix product has nothing to do: many outputs from very few channels, and
    depthwise. XLA's CPU back end has no quick code for either (its grouped convolution is about ten times slower),
    while it fuses these products with the normalization and activation that follow (benchmarks/speed.py sface).

    Attributes:
      features: channels of the result; None for a depthwise convolution.
      stride: 1 or 2, in both directions.
    """

    features: int | None = None
    stride: int = 1

    @nn.compact
    def __call__(self, images: Shaped[Array, "B H W C"]) -> Shaped[jax.Array, "B _ _ _"]:
        """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), features or C)."""
        channels = images.shape[-1]
        shape = (3, 3, 1, channels) if self.features is None else (3, 3, channels, self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        if convolution.is_plain():
            groups = channels if self.features is None else 1
            return lax.conv_general_dilated(
                images,
                kernel,
                (self.stride, self.stride),
                ((1, 1), (1, 1)),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
                feature_group_count=groups,
            )
        if self.features is None:
            return depthwise(images, kernel[:, :, 0], self.stride)
        return _summed(images, lambda row, column: kernel[row, column], self.stride)


def _summed(images: jax.Array, weights: Callable[[int, int], jax.Array], stride: int) -> jax.Array:
    """The sum over the nine places of a 3x3 kernel of the shifted image times a vector (depthwise) or a matrix."""
    height, width = (-(-size // stride) for size in images.shape[1:3])
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    last_row, last_column = (height - 1) * stride + 1, (width - 1) * stride + 1
    total = jnp.zeros((), images.dtype)
    for row in range(3):
        for column in range(3):
            shifted = padded[:, row : row + last_row : stride, column : column + last_column : stride]
            weight = weights(row, column)
            if weight.ndim == 1:
                total = total + shifted * weight
            else:
                for channel in range(images.shape[-1]):
                    total = total + shifted[..., channel, None] * weight[channel]
    return total


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def depthwise(
    images: Shaped[Array, "B H W C"], kernel: Shaped[Array, "3 3 C"], stride: int
) -> Shaped[jax.Array, "B _ _ C"]:
    """Depthwise 3x3 convolution with padding 1, also backwards a sum of shifted products.

    Left to itself JAX writes the gradient of each shift as a padded copy of its own, which takes three times as long.

    Args:
      images: (B, H, W, C).
      kernel: (3, 3, C).
      stride: 1 or 2.

    Returns:
      (B, ceil(H / stride), ceil(W / stride), C).
    """
    return _summed(images, lambda row, column: kernel[row, column], stride)


def _depthwise_forward(images: jax.Array, kernel: jax.Array, stride: int) -> tuple[jax.Array, Any]:
    return depthwise(images, kernel, stride), (images, kernel)


def _depthwise_backward(stride: int, kept: Any, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    images, kernel = kept
    height, width = images.shape[1:3]
    if stride > 1:
        # Zeros between the pixels, and after them up to the size of the images.
        ends = [
            size - ((after - 1) * stride + 1)
            for size, after in zip(images.shape[1:3], gradient.shape[1:3], strict=True)
        ]
        configuration = [(0, 0, 0), *((0, end, stride - 1) for end in ends), (0, 0, 0)]
        spread = jax.lax.pad(gradient, jnp.zeros((), gradient.dtype), configuration)
    else:
        spread = gradient
    of_images = depthwise(spread, kernel[::-1, ::-1], 1)
    if jax.default_backend() != "cpu":
        padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
        sums = [
            (padded[:, row : row + height, column : column + width] * spread).sum(axis=(0, 1, 2))
            for row in range(3)
            for column in range(3)
        ]
        return of_images, jnp.stack(sums).reshape(kernel.shape)

    def add(total: jax.Array, one: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        image, gradient = one
        padded = jnp.pad(image, ((1, 1), (1, 1), (0, 0)))
        places = [
            (padded[row : row + height, column : column + width] * gradient).sum(axis=(0, 1))
            for row in range(3)
            for column in range(3)
        ]
        return total + jnp.stack(places).reshape(total.shape), None

    # Image by image all stays in a processor's cache: a third of the time.
    of_kernel, _ = jax.lax.scan(add, jnp.zeros_like(kernel), (images, spread))
    return of_images, of_kernel


depthwise.defvjp(_depthwise_forward, _depthwise_backward)


class PixelDense(nn.Module):
    """A dense layer without bias on each pixel: a convolution of 1x1.

    Attributes:
      features: channels of the result.
    """

    features: int

    @nn.compact
    def __call__(self, images: Shaped[Array, "B H W C"]) -> Shaped[jax.Array, "B H W features"]:
        """(B, H, W, C) -> (B, H, W, features)."""
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (images.shape[-1], self.features))
        return pixel_product(images, kernel)


@jax.custom_vjp
def pixel_product(images: Shaped[Array, "B H W C"], kernel: Shaped[Array, "C D"]) -> Shaped[jax.Array, "B H W D"]:
    """(B, H, W, C), (C, D) -> (B, H, W, D).

    Its gradients are products of matrices too. Left to itself XLA's CPU back end merges the kernel's with what made its
    operands, and takes four times as long.
    """
    return (images.reshape(-1, images.shape[-1]) @ kernel).reshape(*images.shape[:-1], -1)


def _product_forward(images: jax.Array, kernel: jax.Array) -> tuple[jax.Array, Any]:
    return pixel_product(images, kernel), (images, kernel)


def _product_backward(kept: Any, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    images, kernel = kept
    of_images = (gradient.reshape(-1, gradient.shape[-1]) @ kernel.T).reshape(images.shape)
    images, gradient = jax.lax.optimization_barrier((images, gradient))
    return of_images, images.reshape(-1, images.shape[-1]).T @ gradient.reshape(-1, gradient.shape[-1])


pixel_product.defvjp(_product_forward, _product_backward)


class FixedNorm(nn.Module):
    """Batch normalization by running statistics, always; nothing of it has a gradient.

    Attributes:
      epsilon: added to the variance.
    """

    epsilon: float

    @nn.compact
    def __call__(self, inputs: Shaped[Array, "... C"]) -> Shaped[jax.Array, "... C"]:
        """(..., C) -> (..., C)."""
        shape = (inputs.shape[-1],)
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape).value
        variance = self.variable("batch_stats", "var", jnp.ones, shape).value
        if not convolution.is_plain():  # converted, nothing has a gradient, and jax2onnx cannot stop a constant's
            scale, bias, mean, variance = jax.lax.stop_gradient((scale, bias, mean, variance))
        return (inputs - mean) * (jax.lax.rsqrt(variance + self.epsilon) * scale) + bias


class Model(nn.Module):
    """Aligned face -> embedding.

    9.67 million parameters. Differentiable with respect to the input, to the kernels of its convolutions and to the
    last layer: what is trained on from the published weights (configs/recognizer_small.py). Normalization and slopes
    stay as published, in training too: a small set's batches would undo what millions of faces have settled.

    Attributes:
      widths: channels after the first convolution and after each depthwise-separable block.
      strides: strides of each block's depthwise convolution.
      dimension: length of the embedding.
    """

    widths: tuple[int, ...] = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    strides: tuple[int, ...] = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    dimension: int = 128

    @nn.compact
    def __call__(self, images: Float[Array, "B size size 3"], train: bool = False) -> Float[jax.Array, "B dimension"]:
        """Embeds a batch.

        Args:
          images: (B, 112, 112, 3) float32 RGB in [0, 1], faces aligned to the ArcFace template.
          train: true if it is trained, which changes nothing here; see the class.

        Returns:
          (B, dimension) float32, not normalized; its direction is the template.
        """
        x = (images * 255.0 - 127.5) / 128.0
        x = ShiftedConvolution(self.widths[0], name="conv_1")(x)
        x = self._normalize_activate(x, "conv_1")
        for number, (width, stride) in enumerate(zip(self.widths[1:], self.strides, strict=True), start=2):
            x = ShiftedConvolution(stride=stride, name=f"conv_{number}_dw")(x)
            x = self._normalize_activate(x, f"conv_{number}_dw")
            x = PixelDense(width, name=f"conv_{number}")(x)
            x = self._normalize_activate(x, f"conv_{number}")
        x = FixedNorm(2e-5, name="bn1")(x)
        x = nn.Dense(self.dimension, name="pre_fc1")(x.reshape(x.shape[0], -1))
        return FixedNorm(2e-5, name="fc1")(x)

    def _normalize_activate(self, x: jax.Array, layer: str) -> jax.Array:
        x = FixedNorm(1e-3, name=f"{layer}_batchnorm")(x)
        return PReLU(frozen=True, name=f"{layer}_relu")(x)
