"""A network that a loss looks through, and that does not learn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FrozenNetwork:
    """A fixed network through which a loss looks at images: a recognizer, or a network of features.

    Attributes:
      name: name of the network.
      weight: weight of its loss.
      apply: (variables, (B, H, W, 3) in [0, 1]) -> features or embeddings, differentiable.
      variables: variables of the network.
    """

    name: str
    weight: float
    apply: Callable[[Any, Any], Any]
    variables: Any
