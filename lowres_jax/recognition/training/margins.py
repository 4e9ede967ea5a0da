"""Margin heads: how a classifier over identities is made harder than it will be used, so that templates spread.

All but the plain softmax compare directions: the logit of class j is scale x cos(theta_j), theta_j the angle between
the template and the class's own vector, and that of the right class is made smaller by a margin.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Float, Shaped

from lowres_jax.utils.shapes import Array, ClassLogits, Embeddings, RightClass

Kind = Literal["softmax", "cosface", "arcface", "adaface"]
KINDS: tuple[Kind, ...] = ("softmax", "cosface", "arcface", "adaface")

_EPSILON = 1e-3  # of angles and of the spread of norms, as in AdaFace's own code
_ADAPTATION = 0.333  # AdaFace's h: how much of the distribution of norms lies within the clipped range


def unit(vectors: Float[Array, "*shape"], axis: int = -1) -> Float[jax.Array, "*shape"]:
    """Vectors at unit length; zero stays zero, with a gradient of zero."""
    return vectors * jax.lax.rsqrt(jnp.maximum(jnp.sum(vectors * vectors, axis=axis, keepdims=True), 1e-24))


def cosines(templates: Embeddings, classes: Float[Array, "dimension classes"]) -> ClassLogits:
    """(B, D) templates, (D, C) class vectors, of any length -> (B, C) cosines."""
    return unit(templates) @ unit(classes, axis=0)


def margin_logits(
    kind: Kind,
    cosine: ClassLogits,
    right: RightClass,
    scale: float,
    margin: float,
    norms: Shaped[Array, " B"] | None = None,
    norm_mean: jax.Array | float = 0.0,
    norm_deviation: jax.Array | float = 1.0,
) -> ClassLogits:
    """Logits for the cross-entropy.

    Args:
      kind: "cosface" (Wang et al., https://arxiv.org/abs/1801.09414, equation 4): cos(theta) - m;
        "arcface" (Deng et al., https://arxiv.org/abs/1801.07698, equation 3): cos(theta + m), and beyond pi, where that
        would rise again, cos(theta) - m sin(m), as in its authors' code; "adaface" (Kim et al.,
        https://arxiv.org/abs/2204.00964, equations 4 to 6): cos(theta + g_angle) - g_add, g_angle = -m z and
        g_add = m z + m, with z the template's length in units of .333 standard deviations from the mean, within
        [-1, 1]: a short template, a poor picture, gets less of a demand.
      cosine: (B, C).
      right: (B, C) bool: the right class of each row; a row without one (another device has it) is left as it is.
      scale: s, of all logits.
      margin: m.
      norms: (B,) lengths of the templates, of "adaface" only; no gradient goes through them.
      norm_mean: running mean of these.
      norm_deviation: running standard deviation.

    Returns:
      (B, C).
    """
    cosine = jnp.clip(cosine, -1.0, 1.0)
    if kind == "cosface":
        target = cosine - margin
    elif kind == "arcface":
        # The root has no gradient at 1, where nothing is to be gained.
        sine = jnp.sqrt(jnp.maximum(1.0 - cosine * cosine, 1e-12))
        target = cosine * jnp.cos(margin) - sine * jnp.sin(margin)
        target = jnp.where(cosine > -jnp.cos(margin), target, cosine - margin * jnp.sin(margin))
    elif kind == "adaface":
        assert norms is not None
        quality = (jax.lax.stop_gradient(norms) - norm_mean) / (norm_deviation + _EPSILON) * _ADAPTATION
        quality = jnp.clip(quality, -1.0, 1.0)[:, None]
        # As in the authors' code, of every class: the cosine keeps away from 1, the angle from 0.
        cosine = jnp.clip(cosine, -1.0 + _EPSILON, 1.0 - _EPSILON)
        angle = jnp.arccos(cosine) - margin * quality
        target = jnp.cos(jnp.clip(angle, _EPSILON, jnp.pi - _EPSILON)) - (margin * quality + margin)
    else:
        raise ValueError(f"{kind}: has no margin")
    return scale * jnp.where(right, target, cosine)
