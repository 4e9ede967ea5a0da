"""Optimizers and learning-rate schedules from optax, by config."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.config_keys import Key
from lowres_jax.errors import UserError
from lowres_jax.training.devices import AXIS

BACKBONE, REST = "backbone", "rest"  # of a network whose backbone rests at first

KEYS = {
    "name": Key("adam", "Optimizer; sgd has Nesterov momentum b1.", choices=("adam", "adamw", "sgd")),
    "learning_rate": Key(1e-4, "Largest learning rate.", above=0),
    "b1": Key(0.9, "Decay of the mean of gradients; momentum of sgd.", least=0, below=1),
    "b2": Key(0.999, "Decay of the mean of squared gradients.", least=0, below=1),
    "weight_decay": Key(0.0, "Weight decay: decoupled for adamw, added to the gradient for sgd.", least=0),
    "schedule": Key(
        "constant", "Schedule of the learning rate; cosine ends at zero.", choices=("constant", "cosine", "step")
    ),
    "warmup_steps": Key(0, "Number of updates in which the learning rate grows linearly to its full value.", least=0),
    "decay_at": Key(
        (),
        "Shares of the training, as 0.5,0.75, at which the schedule step multiplies the rate by decay_factor.",
        kind=float,
        above=0,
        below=1,
    ),
    "decay_factor": Key(0.5, "See decay_at.", above=0),
    "clip_norm": Key(0.0, "Norm to which larger gradients are scaled down; 0: never.", least=0),
    "accumulate": Key(1, "Number of steps whose gradients are averaged into one update.", least=1),
}


def default_config() -> ConfigDict:
    """The keys that `make_optimizer` reads, with their defaults."""
    return config_keys.new(KEYS)


def make_schedule(config: ConfigDict, steps: int) -> optax.Schedule:
    """Update -> learning rate.

    Args:
      config: see `default_config`.
      steps: total number of training steps; with accumulation there are fewer updates.
    """
    updates = max(1, steps // config.accumulate)
    rest = max(1, updates - config.warmup_steps)
    if config.schedule == "cosine":
        after = optax.cosine_decay_schedule(config.learning_rate, rest)
    elif config.schedule == "step":
        at = {round(share * updates) - config.warmup_steps: config.decay_factor for share in config.decay_at}
        after = optax.piecewise_constant_schedule(config.learning_rate, at)
    else:
        after = optax.constant_schedule(config.learning_rate)
    if not config.warmup_steps:
        return after

    def warmup(count: Any) -> Any:
        # The first update moves too.
        return config.learning_rate * (count + 1) / config.warmup_steps

    return optax.join_schedules([warmup, after], [config.warmup_steps])


def clip_by_sharded_norm(limit: float) -> optax.GradientTransformation:
    """`optax.clip_by_global_norm` of a gradient that is divided between the devices: its norm is that of all parts."""

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        square = jax.lax.psum(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(updates)), AXIS)
        factor = jnp.minimum(1.0, limit / jnp.maximum(jnp.sqrt(square), 1e-30))
        return jax.tree.map(lambda leaf: leaf * factor, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def make_optimizer(
    config: ConfigDict, steps: int, sharded: bool = False, frozen_steps: int = 0
) -> optax.GradientTransformation:
    """The optimizer of a network.

    Args:
      config: see `default_config`.
      steps: total number of training steps.
      sharded: true if the parameters are divided between the devices.
      frozen_steps: number of steps in which the part named "backbone" rests; the caller sees to that. It has an
        optimizer of its own, whose counts and schedule begin when it thaws: with the counts of the others Adam's first
        updates would be several times too large.

    Raises:
      UserError: a setting is wrong.
    """
    if config.name == "adam" and config.weight_decay:
        raise UserError(
            f"config.optimizer.weight_decay={config.weight_decay}: 'adam' has none; --config.optimizer.name=adamw has"
        )
    parts = []
    if config.clip_norm:
        parts.append((clip_by_sharded_norm if sharded else optax.clip_by_global_norm)(config.clip_norm))
    if frozen_steps:
        own = {BACKBONE: _moved_by(config, max(1, steps - frozen_steps)), REST: _moved_by(config, steps)}
        parts.append(optax.partition(own, _label))
    else:
        parts.append(_moved_by(config, steps))
    chain = optax.chain(*parts)
    return optax.MultiSteps(chain, config.accumulate).gradient_transformation() if config.accumulate > 1 else chain


def _label(params: dict[str, Any]) -> dict[str, str]:
    return {name: BACKBONE if name == BACKBONE else REST for name in params}


def _moved_by(config: ConfigDict, steps: int) -> optax.GradientTransformation:
    rate = make_schedule(config, steps)
    parts = []
    if config.name == "sgd":
        if config.weight_decay:
            parts.append(optax.add_decayed_weights(config.weight_decay))
        parts.append(optax.sgd(rate, momentum=config.b1 or None, nesterov=config.b1 > 0))
    elif config.name == "adamw":
        parts.append(optax.adamw(rate, config.b1, config.b2, weight_decay=config.weight_decay))
    else:
        parts.append(optax.adam(rate, config.b1, config.b2))
    return optax.chain(*parts)
