"""ResNet-18, 34, 50 and 100 for faces; ResNet-50 is Keras's first version, so that its ImageNet weights load exactly.

He et al., "Deep Residual Learning for Image Recognition", https://arxiv.org/abs/1512.03385. Keras v1 strides in the
first 1x1 convolution of a bottleneck (the paper), v1.5 in its 3x3 one (Goyal et al., https://arxiv.org/abs/1706.02677);
convolutions have biases, as in Keras. Layers carry Keras's own names (conv2_block1_1_conv).
"""

import functools
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Shaped

from lowres_jax.nn.convolution import Conv
from lowres_jax.nn.layers import BatchDropout, batch_norm, max_pool
from lowres_jax.utils.shapes import Array

# Blocks of each stage, and whether they are bottlenecks. 100 is InsightFace's, with two convolutions a block.
DEPTHS: dict[int, tuple[tuple[int, int, int, int], bool]] = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    100: ((3, 13, 30, 3), False),
}
STEMS = ("imagenet", "face")
# ImageNet's mean color as Caffe's networks subtract it, in BGR on the 0-255 scale.
_MEAN_BGR = (103.939, 116.779, 123.68)


class Backbone(nn.Module):
    """A ResNet up to its global average pooling.

    Attributes:
      depth: 18, 34, 50 or 100.
      stride_in_3x3: v1.5 of ResNet-50.
      stem: "imagenet" is a 7x7 convolution of stride 2 and a max pooling of stride 2; "face" a 3x3 one of stride 1
        (InsightFace), four times the pixels and the work for crops of 112 px.
      epsilon: epsilon of batch normalization (Keras 1.001e-5; the tfjs copy of its weights 1e-3).
      momentum: share of the running statistics that a batch leaves as they are.
      axis_name: axis over which devices share batch statistics in training; None: each has its own.
      dtype: dtype of the computation; parameters and batch statistics are float32.
    """

    depth: int = 50
    stride_in_3x3: bool = False
    stem: Literal["imagenet", "face"] = "imagenet"
    epsilon: float = 1.001e-5
    momentum: float = 0.9
    axis_name: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images: Shaped[Array, "B H W 3"], train: bool = False) -> Shaped[jax.Array, "B features"]:
        """(B, H, W, 3) RGB in [0, 1] -> (B, 2048) or, of the depths without bottlenecks, (B, 512) float32."""
        norm = batch_norm(self, train)
        features = images[..., ::-1] * 255.0 - jnp.asarray(_MEAN_BGR, jnp.float32)
        if self.stem == "imagenet":
            features = self._conv(64, 7, 2, "conv1_conv", padding=3)(features)
        else:
            features = self._conv(64, 3, 1, "conv1_conv")(features)
        features = nn.relu(norm(name="conv1_bn")(features))
        if self.stem == "imagenet":
            # Zeros cannot win against what a ReLU leaves.
            features = jnp.pad(features, ((0, 0), (1, 1), (1, 1), (0, 0)))
            features = max_pool(features)
        stages, bottleneck = DEPTHS[self.depth]
        for stage, blocks in enumerate(stages):
            for block in range(blocks):
                first_stride = 1 if stage == 0 and self.stem == "imagenet" else 2
                features = self._block(
                    features,
                    64 * 2**stage,
                    first_stride if block == 0 else 1,
                    bottleneck,
                    norm,
                    f"conv{stage + 2}_block{block + 1}",
                )
        return jnp.mean(features, axis=(1, 2), dtype=jnp.float32)

    def _block(
        self, inputs: jax.Array, width: int, stride: int, bottleneck: bool, norm: Callable[..., nn.BatchNorm], name: str
    ) -> jax.Array:
        if bottleneck:
            strides = (1, stride, 1) if self.stride_in_3x3 else (stride, 1, 1)
            layers = [(width, 1, strides[0]), (width, 3, strides[1]), (4 * width, 1, strides[2])]
        else:
            layers = [(width, 3, stride), (width, 3, 1)]
        features = inputs
        for number, (channels, side, own_stride) in enumerate(layers, start=1):
            features = self._conv(channels, side, own_stride, f"{name}_{number}_conv")(features)
            features = norm(name=f"{name}_{number}_bn")(features)
            if number < len(layers):
                features = nn.relu(features)
        if inputs.shape[-1] != features.shape[-1] or stride != 1:
            inputs = norm(name=f"{name}_0_bn")(self._conv(features.shape[-1], 1, stride, f"{name}_0_conv")(inputs))
        return nn.relu(inputs + features)

    def _conv(self, channels: int, side: int, stride: int, name: str, padding: int | None = None) -> nn.Conv:
        padding = side // 2 if padding is None else padding
        edges = [(padding, padding)] * 2
        return Conv(channels, (side, side), (stride, stride), padding=edges, dtype=self.dtype, name=name)


class Model(nn.Module):
    """A ResNet and what makes templates of its features.

    Attributes:
      depth: see `Backbone`.
      stride_in_3x3: see `Backbone`.
      stem: see `Backbone`.
      epsilon: see `Backbone`.
      axis_name: see `Backbone`.
      dtype: see `Backbone`.
      embedding: length of the template: 0 for the pooled features themselves, as Orsini and Rossi 2022; else the
        field's head, BatchNorm, dropout, dense, BatchNorm (Deng et al., https://arxiv.org/abs/1801.07698, section 3.1).
      dropout: rate of that head's dropout.
      classes: outputs of a dense layer over the pooled features (1000: ImageNet); 0: none, the template is returned.
    """

    depth: int = 50
    stride_in_3x3: bool = False
    stem: Literal["imagenet", "face"] = "imagenet"
    epsilon: float = 1.001e-5
    axis_name: str | None = None
    dtype: jnp.dtype = jnp.float32
    embedding: int = 512
    dropout: float = 0.4
    classes: int = 0

    @nn.compact
    def __call__(self, images: Shaped[Array, "B H W 3"], train: bool = False) -> Shaped[jax.Array, "B embedding"]:
        """(B, H, W, 3) RGB in [0, 1] -> (B, embedding) templates, not normalized; or (B, classes) logits.

        In training with dropout, a random stream "dropout" is needed.
        """
        features = Backbone(
            self.depth,
            self.stride_in_3x3,
            self.stem,
            self.epsilon,
            axis_name=self.axis_name,
            dtype=self.dtype,
            name="backbone",
        )(images, train)
        if self.classes:
            return nn.Dense(self.classes, name="predictions")(features)
        if not self.embedding:
            return features
        norm = functools.partial(nn.BatchNorm, use_running_average=not train, momentum=0.9, epsilon=1e-5)
        features = norm(axis_name=self.axis_name, name="norm_in")(features)
        features = BatchDropout(self.dropout, self.axis_name, name="dropout")(features, train)
        features = nn.Dense(self.embedding, name="embedding")(features)
        # Without a scale: templates are brought to unit length anyway.
        return norm(axis_name=self.axis_name, use_scale=False, name="norm_out")(features)
