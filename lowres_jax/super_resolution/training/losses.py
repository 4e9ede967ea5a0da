"""The losses of all trainers of generators, each a pure function of (B, ...) arrays to a number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float, Integer, Shaped

from lowres_jax.utils.shapes import Array, DeviceImages, Embeddings, Features, Logits, Scalar

Pixel = Literal["l1", "mse", "charbonnier"]
Adversarial = Literal["vanilla", "relativistic_average", "hinge"]
Mean = Callable[[jax.Array], jax.Array]

_CHARBONNIER_EPSILON = 1e-3


def pixel(fake: Features, real: Features, kind: Pixel, scale: float = 1.0) -> Scalar:
    """Mean difference of two images.

    Args:
      fake: (B, H, W, 3) in [0, 1].
      real: (B, H, W, 3) HR images in [0, 1].
      kind: "l1", "mse", or "charbonnier": sqrt(d^2 + .001^2) (Lai et al., arXiv:1710.01992, eq. 3).
      scale: scale of the range in which differences are taken: 2 for [-1, 1], as in the recipes of SRGAN and of
        Orsini and Rossi 2022.
    """
    difference = scale * (fake - real)
    if kind == "l1":
        return jnp.abs(difference).mean()
    if kind == "mse":
        return (difference**2).mean()
    return jnp.sqrt(difference**2 + _CHARBONNIER_EPSILON**2).mean()


def perceptual(fake: Features, real: Features, kind: Pixel, scale: float = 1.0) -> Scalar:
    """Mean difference of two images' features (Johnson et al., arXiv:1603.08155; SRGAN, eq. 5).

    Args:
      fake: features of the network's output, any shape.
      real: (b, ...) the same of HR.
      kind: SRGAN has "mse", ESRGAN "l1".
      scale: factor of the features; SRGAN divides VGG's by 12.75.
    """
    return pixel(fake, real, kind, scale)


def edge(logits: DeviceImages, edges: DeviceImages) -> Scalar:
    """Binary cross entropy of the edge head against the Canny map of HR.

    Args:
      logits: (B, H, W, 1).
      edges: (B, H, W, 1), 0 or 1.
    """
    return optax.sigmoid_binary_cross_entropy(logits, edges).mean()


def identity(fake: Embeddings, real: Embeddings) -> Scalar:
    """Mean of 1 - cosine of two images' embeddings under a recognizer.

    Args:
      fake: (B, D) embeddings of the network's output; need not be unit vectors.
      real: (B, D) templates of HR.
    """
    # The floor under the squares keeps the gradient of an embedding of zeros finite.
    norms = jnp.sqrt(jnp.maximum((fake**2).sum(-1), 1e-12) * jnp.maximum((real**2).sum(-1), 1e-12))
    return (1.0 - (fake * real).sum(-1) / norms).mean()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Strangers:
    """Whom a face could be taken for: the training crops, by one recognizer.

    Attributes:
      templates: (N, D) of the crops, see `centered`.
      labels: (N,) whose they are.
      mean: (D,) of the unit templates before that.
    """

    # Any: a tree of shardings has the same fields.
    templates: Any
    labels: Any
    mean: Any


def strangers(
    fake: Embeddings,
    real: Embeddings,
    labels: Integer[Array, " batch"],
    others: Strangers,
    nearest: int,
    temperature: float,
) -> Scalar:
    """Cross entropy of telling a face's own original from the nearest strangers (InfoNCE, arXiv:1807.03748, eq. 4).

    False accepts are decided by the strangers that are nearest to a face, which `identity` never sees.

    Args:
      fake: (B, D) embeddings of the network's output; need not be unit vectors.
      real: (B, D) of the originals.
      labels: (B,) whose they are.
      others: the crops among which strangers are found.
      nearest: number of strangers for each face.
      temperature: temperature of the cosines.
    """
    fake, real = (centered(each, others.mean) for each in (fake, real))
    cosines = jnp.where(labels[:, None] == others.labels, -jnp.inf, fake @ others.templates.T)
    own = (fake * real).sum(-1, keepdims=True)
    logits = jnp.concatenate([own, jax.lax.top_k(cosines, min(nearest, len(others.labels)))[0]], axis=-1) / temperature
    return -jax.nn.log_softmax(logits)[:, 0].mean()


def centered(embeddings: Float[Array, "*batch D"], mean: Float[Array, " D"]) -> Shaped[jax.Array, "... D"]:
    """(..., D) embeddings -> unit templates, less their mean (D,), of unit length again."""
    return _unit(_unit(embeddings) - mean)


def _unit(vectors: jax.Array) -> jax.Array:
    # The floor keeps the gradient of zeros finite.
    return vectors / jnp.sqrt(jnp.maximum((vectors**2).sum(-1, keepdims=True), 1e-12))


def adversarial_generator(fake: Logits, real: Logits, kind: Adversarial, mean: Mean = jnp.mean) -> Scalar:
    """The generator's adversarial loss: how far the discriminator is from taking its images for real ones.

    Args:
      fake: (B,) logits of the network's output.
      real: (B,) logits of the originals; read by "relativistic_average" only.
      kind: "vanilla": -log D(fake) (SRGAN, eq. 6); "relativistic_average": Jolicoeur-Martineau, arXiv:1807.00734, as in
        ESRGAN, eq. 2; "hinge": -fake (Lim and Ye, arXiv:1705.02894).
      mean: mean of all logits, of other devices too.
    """
    if kind == "vanilla":
        return _cross_entropy(fake, 1.0)
    if kind == "hinge":
        return -fake.mean()
    return (_cross_entropy(fake - mean(real), 1.0) + _cross_entropy(real - mean(fake), 0.0)) / 2.0


def adversarial_discriminator(fake: Logits, real: Logits, kind: Adversarial, mean: Mean = jnp.mean) -> Scalar:
    """The discriminator's loss: how far it is from telling both apart; arguments as of `adversarial_generator`."""
    if kind == "vanilla":
        return (_cross_entropy(real, 1.0) + _cross_entropy(fake, 0.0)) / 2.0
    if kind == "hinge":
        return (jax.nn.relu(1.0 - real).mean() + jax.nn.relu(1.0 + fake).mean()) / 2.0
    return (_cross_entropy(real - mean(fake), 1.0) + _cross_entropy(fake - mean(real), 0.0)) / 2.0


def gradient_penalty(gradients: DeviceImages) -> Scalar:
    """R1: mean over images of the squared norm of the logit's gradient by a real image, halved.

    Mescheder et al., arXiv:1801.04406, eq. 9 without its weight.

    Args:
      gradients: (B, H, W, C), of each image's own logit.
    """
    return 0.5 * (gradients**2).sum(axis=(1, 2, 3)).mean()


def _cross_entropy(logits: jax.Array, target: float) -> jax.Array:
    return optax.sigmoid_binary_cross_entropy(logits, jnp.full_like(logits, target)).mean()
