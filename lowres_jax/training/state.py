"""The whole state of a training between two steps: a step is a pure function of it and a batch."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Shaped

from lowres_jax.utils import streams
from lowres_jax.utils.shapes import Array

Tree = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Network:
    """A network in training.

    Attributes:
      params: float32.
      batch_stats: running statistics of batch normalization, power iterations of spectral normalization; may be empty.
      opt_state: state of its optimizer.
    """

    params: Tree
    batch_stats: Tree
    opt_state: Tree

    @property
    def variables(self) -> dict[str, Tree]:
        """As a Flax module takes them."""
        return {"params": self.params, "batch_stats": self.batch_stats}

    def updated(self, optimizer: optax.GradientTransformation, gradient: Tree, batch_stats: Tree) -> "Network":
        """After one step of the optimizer."""
        updates, opt_state = optimizer.update(gradient, self.opt_state, self.params)
        return Network(optax.apply_updates(self.params, updates), batch_stats, opt_state)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """Everything that a checkpoint keeps.

    Attributes:
      step: () int32, steps done; the position in the data follows from it.
      rng: (2,) uint32, never changed: the randomness of a step is `jax.random.fold_in(rng, step)`.
      networks: networks by name, as "generator" and "discriminator".
      ema: exponential moving average of the variables of the network that is the result; None where not asked for.
    """

    step: jax.Array
    rng: jax.Array
    networks: dict[str, Network]
    ema: Tree = None


def network(variables: dict[str, Tree], optimizer: optax.GradientTransformation) -> Network:
    """A network at the start of its training."""
    return Network(variables["params"], variables.get("batch_stats", {}), optimizer.init(variables["params"]))


def new_state(seed: int, networks: dict[str, Network], ema: Tree = None) -> TrainState:
    """The state before the first step."""
    return TrainState(np.zeros((), np.int32), np.asarray(streams.key(seed, "steps")), networks, ema)


def moved_average(average: Tree, value: Tree, decay: float, step: Shaped[Array, "..."], accumulate: int = 1) -> Tree:
    """One step of an exponential moving average, whose decay grows from .1 to the given one as updates are made.

    min(decay, (1 + updates) / (10 + updates)) lets the average forget where training started (TensorFlow's
    ExponentialMovingAverage with `num_updates`).

    Args:
      average: before.
      value: value of the variables after this step.
      decay: decay in the long run.
      step: steps that were done before this one.
      accumulate: steps that make one update; the average moves with the last of them.
    """
    updates = (step // accumulate).astype(jnp.float32)
    share = jnp.minimum(decay, (1.0 + updates) / (10.0 + updates))
    if accumulate > 1:
        share = jnp.where((step + 1) % accumulate == 0, share, 1.0)
    return jax.tree.map(lambda old, new: share * old + (1.0 - share) * new, average, value)
