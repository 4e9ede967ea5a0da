"""State, moving average, optimizers and schedules against numbers worked by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.errors import UserError
from lowres_jax.training import optimizers
from lowres_jax.training.state import moved_average, network, new_state
from lowres_jax.utils import streams


def settings(**changes: object) -> ConfigDict:
    config = optimizers.default_config()
    config.update(changes)
    return config


def updates(config: ConfigDict, gradients: list[float], steps: int = 100) -> list[float]:
    """A parameter of 1 after each of some gradients."""
    optimizer = optimizers.make_optimizer(config, steps)
    net = network({"params": {"w": jnp.ones(())}}, optimizer)
    found = []
    for gradient in gradients:
        net = net.updated(optimizer, {"w": jnp.asarray(gradient)}, {})
        found.append(float(net.params["w"]))
    return found


def test_sgd_with_nesterov_momentum() -> None:
    # v = g; step g + .9 v. Then v = .9 * 2 + 1 = 2.8; step 1 + .9 * 2.8.
    found = updates(settings(name="sgd", learning_rate=0.1), [2.0, 1.0])
    assert found == pytest.approx([1 - 0.1 * (2 + 1.8), 1 - 0.1 * (2 + 1.8) - 0.1 * (1 + 2.52)], rel=1e-6)


def test_weight_decay_of_sgd_is_part_of_the_gradient() -> None:
    assert updates(settings(name="sgd", learning_rate=0.1, b1=0.0, weight_decay=0.5), [2.0]) == pytest.approx([0.75])


def test_adam_first_steps_by_its_rate_and_adamw_decays_apart() -> None:
    assert updates(settings(learning_rate=0.01), [5.0]) == pytest.approx([0.99], rel=1e-5)
    assert updates(settings(name="adamw", learning_rate=0.01, weight_decay=0.1), [5.0]) == pytest.approx(
        [1 - 0.01 * (1 + 0.1)], rel=1e-5
    )


def test_clipping_scales_the_whole_gradient() -> None:
    config = settings(name="sgd", learning_rate=1.0, b1=0.0, clip_norm=1.0)
    optimizer = optimizers.make_optimizer(config, 10)
    net = network({"params": {"a": jnp.zeros(()), "b": jnp.zeros(())}}, optimizer)
    net = net.updated(optimizer, {"a": jnp.asarray(3.0), "b": jnp.asarray(4.0)}, {})
    assert float(net.params["a"]) == pytest.approx(-0.6)
    assert float(net.params["b"]) == pytest.approx(-0.8)


def test_accumulation_averages_gradients() -> None:
    found = updates(settings(name="sgd", learning_rate=0.1, b1=0.0, accumulate=2), [1.0, 3.0, 5.0, 5.0])
    assert found == pytest.approx([1.0, 0.8, 0.8, 0.3])


@pytest.mark.parametrize(
    ("changes", "at", "rate"),
    [
        ({"schedule": "constant"}, 99, 0.1),
        ({"schedule": "cosine"}, 0, 0.1),
        ({"schedule": "cosine"}, 25, 0.1 * (1 + math.cos(math.pi / 4)) / 2),
        ({"schedule": "cosine"}, 100, 0.0),
        ({"schedule": "step", "decay_at": (0.5, 0.75), "decay_factor": 0.5}, 49, 0.1),
        ({"schedule": "step", "decay_at": (0.5, 0.75), "decay_factor": 0.5}, 51, 0.05),
        ({"schedule": "step", "decay_at": (0.5, 0.75), "decay_factor": 0.5}, 76, 0.025),
        ({"warmup_steps": 10}, 4, 0.05),
        ({"warmup_steps": 10}, 10, 0.1),
        ({"warmup_steps": 20, "schedule": "cosine"}, 60, 0.05),
        ({"warmup_steps": 20, "schedule": "step", "decay_at": (0.5,), "decay_factor": 0.1}, 49, 0.1),
        ({"warmup_steps": 20, "schedule": "step", "decay_at": (0.5,), "decay_factor": 0.1}, 51, 0.01),
        ({"schedule": "cosine", "accumulate": 2}, 50, 0.0),
    ],
    ids=str,
)
def test_schedules(changes: dict, at: int, rate: float) -> None:
    schedule = optimizers.make_schedule(settings(learning_rate=0.1, **changes), 100)
    assert float(schedule(at)) == pytest.approx(rate, abs=1e-8)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "adm"}, r"config\.optimizer\.name=adm: did you mean 'adam'"),
        ({"schedule": "cosin"}, r"config\.optimizer\.schedule=cosin: did you mean 'cosine'"),
        ({"decay_at": (50,)}, r"config\.optimizer\.decay_at=50: must be any number of: a number, above 0, below 1"),
        ({"learning_rate": 0.0}, r"config\.optimizer\.learning_rate=0: must be a number, above 0"),
        ({"accumulate": 0}, r"config\.optimizer\.accumulate=0: must be a whole number, 1 or more"),
    ],
)
def test_wrong_settings_are_named(changes: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        config_keys.check(settings(**changes), optimizers.KEYS, "optimizer.")


def test_the_average_forgets_its_start() -> None:
    # Decay min(.999, 1 / 10) at step 0, min(.999, 11 / 20) at step 10; .999 only from step 8,990 on.
    assert float(moved_average(0.0, 1.0, 0.999, jnp.asarray(0))) == pytest.approx(0.9)
    assert float(moved_average(2.0, 1.0, 0.999, jnp.asarray(10))) == pytest.approx(2 * 0.55 + 0.45)
    assert float(moved_average(0.0, 1.0, 0.999, jnp.asarray(100_000))) == pytest.approx(0.001, rel=1e-3)


def test_a_state_is_a_tree_of_arrays_with_names() -> None:
    optimizer = optimizers.make_optimizer(settings(), 10)
    state = new_state(3, {"generator": network({"params": {"w": jnp.ones(2)}}, optimizer)})
    names = {jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)}
    assert {".step", ".rng", ".networks['generator'].params['w']"} <= names
    np.testing.assert_array_equal(state.rng, streams.key(3, "steps"))
