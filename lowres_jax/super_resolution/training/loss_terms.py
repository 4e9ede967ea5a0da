"""The losses that compare a generator's image with HR, as terms of one weighted sum.

To add one: its function in `losses`, its keys in `train_config.KEYS`, its term here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import Shaped
from ml_collections import ConfigDict

from lowres_jax.super_resolution.training import losses
from lowres_jax.super_resolution.training.views import Views
from lowres_jax.training.loss_networks import FrozenNetwork
from lowres_jax.utils.shapes import Array

STRANGERS = "strangers"


@dataclass(frozen=True)
class Compared:
    """Inputs of a loss.

    Attributes:
      sr: (b, H, H, 3) the generator's image, [0, 1] where it is right.
      edge_logits: (b, H, H, 1) of its edge head; None without one.
      hr: (b, H, H, 3) HR images in [0, 1].
      edges: (b, H, H, 1) its edge map, 0 or 1; None where no loss asks for it.
      labels: (b,) whose faces they are; None where no loss asks for it.
      embeddings: embeddings of both images, see the function.
      constants: variables of the frozen networks by the name of their term, and `losses.Strangers`.
    """

    sr: jax.Array
    edge_logits: jax.Array | None
    hr: jax.Array
    edges: jax.Array | None
    labels: jax.Array | None
    embeddings: dict[str, tuple[jax.Array, jax.Array]]
    constants: dict[str, Any]


@dataclass(frozen=True)
class LossTerm:
    """One term of the sum.

    Attributes:
      name: name of the term in the figures.
      weight: weight of the term in the sum.
      fn: Compared -> () loss.
    """

    name: str
    weight: float
    fn: Callable[[Compared], jax.Array]


def image_terms(
    config: ConfigDict, perceptual: FrozenNetwork | None, identity: Sequence[FrozenNetwork]
) -> tuple[LossTerm, ...]:
    """The terms that a training's config gives a weight.

    Args:
      config: `losses` of a training.
      perceptual: network whose features are compared, where they are.
      identity: recognizers whose embeddings are compared, with the weight of each.
    """
    pixel, edge, features = config.pixel, config.edge, config.perceptual
    terms = []
    if pixel.weight:
        terms.append(
            LossTerm("pixel", pixel.weight, lambda seen: losses.pixel(seen.sr, seen.hr, pixel.kind, pixel.scale))
        )
    if edge.weight:
        terms.append(LossTerm("edge", edge.weight, lambda seen: losses.edge(seen.edge_logits, seen.edges)))
    if perceptual is not None:

        def compare_features(seen: Compared) -> jax.Array:
            sr, hr = (perceptual.apply(seen.constants["perceptual"], image) for image in (seen.sr, seen.hr))
            return losses.perceptual(sr, hr, features.kind, features.scale)

        terms.append(LossTerm("perceptual", features.weight, compare_features))
    return (*terms, *_identity_terms(config.identity, identity))


def identity_name(network: FrozenNetwork) -> str:
    """Name of a recognizer's term, and of its variables among the constants."""
    return f"identity_{network.name}"


def embeddings(
    networks: Sequence[FrozenNetwork],
    constants: dict[str, Any],
    sr: Shaped[Array, "b H H 3"],
    hr: Shaped[Array, "b H H 3"],
    key: Shaped[Array, "..."] | None,
) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Templates by each recognizer of the losses of the generator's image and of HR, by the name of its term.

    Args:
      networks: recognizers.
      constants: see `Compared`.
      sr: (b, H, H, 3) the generator's image.
      hr: (b, H, H, 3) HR images in [0, 1].
      key: key of this step's `Views`, the same on all devices; None: the images as they are.
    """
    if key is not None:
        views = Views.draw(key, hr)
        sr, hr = views.of(sr), views.of(hr)
    names = {identity_name(network): network for network in networks}
    return {
        name: (network.apply(constants[name], sr), network.apply(constants[name], hr))
        for name, network in names.items()
    }


def _identity_terms(config: ConfigDict, networks: Sequence[FrozenNetwork]) -> Iterator[LossTerm]:
    for network in networks:
        name = identity_name(network)
        yield LossTerm(name, network.weight, _compare_embeddings(name))
    if networks and config.strangers.weight:
        first, settings = identity_name(networks[0]), config.strangers

        def tell_apart(seen: Compared) -> jax.Array:
            others = seen.constants[STRANGERS]
            return losses.strangers(
                *seen.embeddings[first], seen.labels, others, settings.nearest, settings.temperature
            )

        yield LossTerm(STRANGERS, settings.weight, tell_apart)


def _compare_embeddings(name: str) -> Callable[[Compared], jax.Array]:
    return lambda seen: losses.identity(*seen.embeddings[name])
