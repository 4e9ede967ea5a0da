"""The three networks of MTCNN: proposal, refinement, output.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", IEEE Signal
Processing Letters 2016, https://arxiv.org/abs/1604.02878, in the form of the package mtcnn 1.0.0, whose weights they
take. Inputs are RGB scaled to (value - 127.5) / 128 with values of 0-255.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Integer, Shaped

from lowres_jax.nn import convolution
from lowres_jax.nn.layers import PReLU
from lowres_jax.utils.shapes import Array

_LOWEST = jnp.finfo(jnp.float32).min / 2  # loses every maximum, and stays finite under a PReLU


class FirstConvolution(nn.Module):
    """3x3 convolution without padding, its PReLU, and max pooling, for images of three channels.

    A matrix product over 27 numbers leaves a CPU idle, so the convolution is a sum of shifted products, which XLA fuses
    with bias and PReLU: two to four times as fast as its own convolution here.

    Attributes:
      features: channels of the result.
      window: side of the pooling window; the stride is 2 and the padding SAME.
      planar: true if the sums run along rows of pixels (few features, wide images) or along the features.
    """

    features: int
    window: int
    planar: bool = False

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "B H W 3"], sizes: Integer[Array, " 2"] | None = None
    ) -> Shaped[jax.Array, "B h w features"]:
        """Applies the block.

        Args:
          images: (B, H, W, 3).
          sizes: (2,) int32 height and width of the images proper, where they were padded at the right and the bottom.

        Returns:
          (B, ceil((H - 2) / 2), ceil((W - 2) / 2), features); what lies beyond the image proper means nothing.
        """
        channels = images.shape[-1]
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, channels, self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        slope = self.param("slope", nn.initializers.constant(0.25), (self.features,))
        height, width = images.shape[1] - 2, images.shape[2] - 2
        if convolution.is_plain():
            total = bias + lax.conv_general_dilated(
                images, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            return self._pooled(jnp.where(total >= 0, total, total * slope), sizes)
        if self.planar:
            images = jnp.moveaxis(images, -1, 1)[:, None]  # (B, 1, channels, H, W)
            kernel, bias, slope = kernel[..., None, None], bias[:, None, None], slope[:, None, None]
        total = bias
        for row in range(3):
            for column in range(3):
                window = (slice(row, row + height), slice(column, column + width))
                for channel in range(channels):
                    shifted = images[:, :, channel, *window] if self.planar else images[:, *window, channel, None]
                    total = total + shifted * kernel[row, column, channel]
        total = jnp.where(total >= 0, total, total * slope)
        if self.planar:
            total = jnp.moveaxis(total, 1, -1)
        return self._pooled(total, sizes)

    def _pooled(self, total: jax.Array, sizes: jax.Array | None) -> jax.Array:
        if sizes is not None:
            height, width = total.shape[1:3]
            inside = (jnp.arange(height)[:, None] < sizes[0] - 2) & (jnp.arange(width) < sizes[1] - 2)
            total = jnp.where(inside[..., None], total, _LOWEST)
        return _max_pool(total, self.window, "SAME")


class ProposalNetwork(nn.Module):
    """P-Net: every 12 x 12 window with stride 2, fully convolutional. 6,632 parameters."""

    @nn.compact
    def __call__(
        self, images: Shaped[Array, "B H W 3"], sizes: Integer[Array, " 2"] | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Scores every window.

        Args:
          images: (B, H, W, 3), padded at the right and the bottom.
          sizes: (2,) int32 height and width of the images proper; None: all of it.

        Returns:
          scores (B, h, w) in [0, 1] and offsets (B, h, w, 4) of x0, y0, x1, y1 in units of the window, with
          h = ceil((H - 2) / 2) - 4. Of these, ceil((height - 2) / 2) - 4 rows (columns likewise) are the image's.
        """
        x = FirstConvolution(10, 2, planar=True, name="conv1")(images, sizes)
        x = PReLU(name="prelu2")(nn.Conv(16, (3, 3), padding="VALID", name="conv2")(x))
        x = PReLU(name="prelu3")(nn.Conv(32, (3, 3), padding="VALID", name="conv3")(x))
        offsets = nn.Dense(4, name="offsets")(x)
        return _face_probability(nn.Dense(2, name="classes")(x)), offsets


class RefinementNetwork(nn.Module):
    """R-Net: crops of 24 x 24. 100,178 parameters."""

    @nn.compact
    def __call__(self, crops: Shaped[Array, "B 24 24 3"]) -> tuple[jax.Array, jax.Array]:
        """(B, 24, 24, 3) -> scores (B,) in [0, 1], offsets (B, 4) in units of the box."""
        x = FirstConvolution(28, 3, name="conv1")(crops)
        x = PReLU(name="prelu2")(nn.Conv(48, (3, 3), padding="VALID", name="conv2")(x))
        x = _max_pool(x, 3, "VALID")
        x = PReLU(name="prelu3")(nn.Conv(64, (2, 2), padding="VALID", name="conv3")(x))
        x = PReLU(name="prelu4")(nn.Dense(128, name="dense4")(_columns_first(x)))
        return _face_probability(nn.Dense(2, name="classes")(x)), nn.Dense(4, name="offsets")(x)


class OutputNetwork(nn.Module):
    """O-Net: crops of 48 x 48. 389,040 parameters."""

    @nn.compact
    def __call__(self, crops: Shaped[Array, "B 48 48 3"]) -> tuple[jax.Array, jax.Array, jax.Array]:
        """(B, 48, 48, 3) -> scores (B,), offsets (B, 4), landmarks (B, 10): all x, then all y, in units of the box."""
        x = FirstConvolution(32, 3, name="conv1")(crops)
        x = PReLU(name="prelu2")(nn.Conv(64, (3, 3), padding="VALID", name="conv2")(x))
        x = _max_pool(x, 3, "VALID")
        x = PReLU(name="prelu3")(nn.Conv(64, (3, 3), padding="VALID", name="conv3")(x))
        x = _max_pool(x, 2, "SAME")
        x = PReLU(name="prelu4")(nn.Conv(128, (2, 2), padding="VALID", name="conv4")(x))
        x = PReLU(name="prelu5")(nn.Dense(256, name="dense5")(_columns_first(x)))
        scores = _face_probability(nn.Dense(2, name="classes")(x))
        return scores, nn.Dense(4, name="offsets")(x), nn.Dense(10, name="landmarks")(x)


def _max_pool(x: jax.Array, window: int, padding: str) -> jax.Array:
    return nn.max_pool(x, window_shape=(window, window), strides=(2, 2), padding=padding)


def _columns_first(x: jax.Array) -> jax.Array:
    """Flattens as the networks' authors did, whose Matlab counts columns before rows."""
    return jnp.swapaxes(x, 1, 2).reshape(x.shape[0], -1)


def _face_probability(logits: jax.Array) -> jax.Array:
    # Not a sigmoid of the difference: near 1 that rounds otherwise, and the order of the best candidates hangs on it.
    return nn.softmax(logits)[..., 1]
