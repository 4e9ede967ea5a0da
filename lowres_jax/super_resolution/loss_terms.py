"""The losses that compare a generator's image with the original, as terms of one weighted sum.

To add one: its function in `losses`, its keys in `train_config.KEYS`, its term here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from ml_collections import ConfigDict

from lowres_jax.super_resolution import losses
from lowres_jax.training.loss_networks import FrozenNetwork


@dataclass(frozen=True)
class Compared:
    """What a loss is of.

    Attributes:
      sr: (b, H, H, 3) the generator's image, [0, 1] where it is right.
      edge_logits: (b, H, H, 1) of its edge head; None without one.
      hr: (b, H, H, 3) the original in [0, 1].
      edges: (b, H, H, 1) its edge map, 0 or 1; None where no loss asks for it.
      constants: variables of the frozen networks by the name of their term.
    """

    sr: jax.Array
    edge_logits: jax.Array | None
    hr: jax.Array
    edges: jax.Array | None
    constants: dict[str, Any]


@dataclass(frozen=True)
class LossTerm:
    """One term of the sum.

    Attributes:
      name: in the figures.
      weight: in the sum.
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
            return losses.perceptual(*_both(perceptual, "perceptual", seen), features.kind, features.scale)

        terms.append(LossTerm("perceptual", features.weight, compare_features))
    return (*terms, *(_identity_term(network) for network in identity))


def identity_name(network: FrozenNetwork) -> str:
    """Name of a recognizer's term, and of its variables among the constants."""
    return f"identity_{network.name}"


def _identity_term(network: FrozenNetwork) -> LossTerm:
    name = identity_name(network)
    return LossTerm(name, network.weight, lambda seen: losses.identity(*_both(network, name, seen)))


def _both(network: FrozenNetwork, name: str, seen: Compared) -> tuple[jax.Array, jax.Array]:
    """What a network makes of the generator's image, and of the original."""
    return network.apply(seen.constants[name], seen.sr), network.apply(seen.constants[name], seen.hr)
