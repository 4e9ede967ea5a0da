"""VGG19 as a network of features (Simonyan and Zisserman, arXiv:1409.1556): SRGAN's and ESRGAN's perceptual loss."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Shaped

from lowres_jax.nn.convolution import Conv
from lowres_jax.utils.shapes import Array

# Mean color of ImageNet on the 0-255 scale, BGR, as the published weights want it.
_MEAN_BGR = (103.939, 116.779, 123.68)
_CONVOLUTIONS = (2, 2, 4, 4, 4)  # in each block
_WIDTHS = (64, 128, 256, 512, 512)


class Model(nn.Module):
    """The convolutions of VGG19; layers are named as in Keras ("block5_conv4" is the literature's conv5_4).

    What `nn.Module.apply` captures of a layer is its output before the ReLU.

    Attributes:
      last: name of the last layer that is computed.
    """

    last: str = "block5_conv4"

    @nn.compact
    def __call__(self, images: Shaped[Array, "B H W 3"]) -> Shaped[jax.Array, "B h w C"]:
        """(B, H, W, 3) RGB in [0, 1] -> features of the last layer before its ReLU."""
        features = images[..., ::-1] * 255.0 - jnp.asarray(_MEAN_BGR, jnp.float32)
        for block, (count, width) in enumerate(zip(_CONVOLUTIONS, _WIDTHS, strict=True), start=1):
            for number in range(1, count + 1):
                name = f"block{block}_conv{number}"
                features = Conv(width, (3, 3), name=name)(features)
                if name == self.last:
                    return features
                features = nn.relu(features)
            features = nn.max_pool(features, (2, 2), (2, 2))
        raise ValueError(f"VGG19 has no layer {self.last!r}")
