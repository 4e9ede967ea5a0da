"""SFace with a small change that reads small faces: for searched faces only, compared with plain SFace templates.

What is enrolled stays as it is (asymmetric metric learning, Budnik and Avrithis, https://arxiv.org/abs/2006.16331).
The change is of low rank in every 1x1 convolution (LoRA, Hu et al., https://arxiv.org/abs/2106.09685), free in the
depthwise kernels, and a map of the template at the end. SFace's own variables are among `batch_stats`: they never
learn.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Float

from lowres_jax.recognition import sface
from lowres_jax.utils.shapes import Array

# Among `batch_stats`: the variables of `sface.Model`.
BASE = "sface"


def with_share(variables: Any, share: float) -> Any:
    """The variables with a share of their change.

    Between SFace and what was learned of few people lies what reads other people best (Wortsman et al., "Robust
    fine-tuning of zero-shot models", https://arxiv.org/abs/2109.01903).

    Args:
      variables: variables of a `Model`.
      share: share of the change, from 0 (SFace itself) to 1.
    """
    params = {name: each if name.endswith("_down") else share * each for name, each in variables["params"].items()}
    return {**variables, "params": params}


class Model(nn.Module):
    """Aligned small face, enlarged -> embedding, comparable with those of `sface.Model`.

    Attributes:
      rank: rank of the change of each 1x1 convolution.
      widths: see `sface.Model`.
      strides: see `sface.Model`.
      dimension: see `sface.Model`.
    """

    rank: int = 8
    widths: tuple[int, ...] = sface.Model.widths
    strides: tuple[int, ...] = sface.Model.strides
    dimension: int = sface.Model.dimension

    @nn.compact
    def __call__(self, images: Float[Array, "B size size 3"], train: bool = False) -> Float[jax.Array, "B dimension"]:
        """Embeds a batch.

        Args:
          images: (B, 112, 112, 3) float32 RGB in [0, 1], faces aligned to the ArcFace template.
          train: true if it is trained, which changes nothing here.

        Returns:
          (B, dimension) float32, not normalized; its direction is the template.
        """
        # Without a parent: its variables are read here, and are no parameters of this module.
        base = sface.Model(tuple(self.widths), tuple(self.strides), self.dimension, parent=None)
        kept = self.variable("batch_stats", BASE, lambda: base.init(jax.random.key(0), images[:1])).value
        params = dict(kept["params"])
        for name, layer in kept["params"].items():
            change = self._change(name, layer["kernel"]) if name.startswith("conv_") and "kernel" in layer else None
            if change is not None:
                params[name] = layer | {"kernel": layer["kernel"] + change}
        embedding = base.apply({"params": params, "batch_stats": kept["batch_stats"]}, images)
        assert isinstance(embedding, jax.Array)
        turned = self.param("map", nn.initializers.zeros, (self.dimension, self.dimension))
        return embedding + embedding @ turned

    def _change(self, name: str, kernel: jax.Array) -> jax.Array | None:
        """The change of a kernel, zeros at first; None for the first convolution's."""
        if kernel.ndim == 2:
            deviation = kernel.shape[0] ** -0.5
            down = self.param(f"{name}_down", nn.initializers.normal(deviation), (kernel.shape[0], self.rank))
            up = self.param(f"{name}_up", nn.initializers.zeros, (self.rank, kernel.shape[1]))
            return jnp.asarray(down @ up)
        if name.endswith("_dw"):
            return jnp.asarray(self.param(f"{name}_change", nn.initializers.zeros, kernel.shape))
        return None
