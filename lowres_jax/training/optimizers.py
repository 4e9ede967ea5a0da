"""Optimisers and learning-rate schedules from optax, by config."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from lowres_jax import configuration
from lowres_jax.errors import UserError
from lowres_jax.training.devices import AXIS

BACKBONE, REST = "backbone", "rest"  # of a network whose backbone rests at first

_OPTIMIZERS = ["adam", "adamw", "sgd"]
_SCHEDULES = ["constant", "cosine", "step"]


def default_config() -> ConfigDict:
    """The keys that `make_optimizer` reads, with their defaults."""
    config = ConfigDict()
    config.name = "adam"  # or "adamw", "sgd" (with Nesterov momentum b1)
    config.learning_rate = 1e-4
    config.b1 = 0.9
    config.b2 = 0.999
    config.weight_decay = 0.0  # decoupled, of "adamw"; added to the gradient, of "sgd"
    config.schedule = "constant"  # or "cosine" (to zero at the end), "step"
    config.warmup_steps = 0  # updates in which the rate grows evenly, the last of them with all of it
    config.decay_at = ()  # of "step": shares of the training, as (0.5, 0.75), at each of which the rate is multiplied
    config.decay_factor = 0.5  # by this
    config.clip_norm = 0.0  # gradients of a larger norm are scaled down to it; 0: never
    config.accumulate = 1  # steps whose gradients are averaged into one update
    return config


def make_schedule(config: ConfigDict, steps: int) -> optax.Schedule:
    """Update -> learning rate.

    Args:
      config: see `default_config`.
      steps: of the training; with accumulation there are fewer updates.

    Raises:
      UserError: a setting is wrong.
    """
    if config.schedule not in _SCHEDULES:
        nearest = configuration.nearest(config.schedule, _SCHEDULES)
        raise UserError(f"config.optimizer.schedule={config.schedule!r}: {nearest}")
    updates = max(1, steps // config.accumulate)
    rest = max(1, updates - config.warmup_steps)
    if config.schedule == "cosine":
        after = optax.cosine_decay_schedule(config.learning_rate, rest)
    elif config.schedule == "step":
        if not all(0 < share < 1 for share in config.decay_at):
            raise UserError(f"config.optimizer.decay_at={tuple(config.decay_at)}: must be shares between 0 and 1")
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
    """The optimiser of a network.

    Args:
      config: see `default_config`.
      steps: of the training.
      sharded: whether the parameters are divided between the devices.
      frozen_steps: in which what is named "backbone" rests, as somebody else sees to. It has an optimiser of its own,
        whose counts and schedule begin when it thaws: with the counts of the others Adam's first updates would be
        several times too large.

    Raises:
      UserError: a setting is wrong.
    """
    if config.name not in _OPTIMIZERS:
        raise UserError(f"config.optimizer.name={config.name!r}: {configuration.nearest(config.name, _OPTIMIZERS)}")
    if config.name == "adam" and config.weight_decay:
        raise UserError(
            f"config.optimizer.weight_decay={config.weight_decay}: 'adam' has none; --config.optimizer.name=adamw has"
        )
    if config.learning_rate <= 0 or config.accumulate < 1 or config.clip_norm < 0:
        raise UserError(
            "config.optimizer: learning_rate must be positive, accumulate at least 1, clip_norm not negative"
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
