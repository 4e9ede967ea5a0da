"""Optimizers by hand: the first update, what is refused, clipping over devices, averages of accumulated updates."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.training import optimizers
from lowres_jax.training.devices import AXIS
from lowres_jax.training.state import moved_average


def config(**changes: Any) -> "optimizers.ConfigDict":
    made = optimizers.default_config()
    made.update({"name": "sgd", "b1": 0.0, "learning_rate": 0.8} | changes)
    return made


def test_every_update_of_the_warm_up_moves() -> None:
    schedule = optimizers.make_schedule(config(warmup_steps=4), 10)
    assert [float(schedule(count)) for count in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])
    cosine = optimizers.make_schedule(config(warmup_steps=2, schedule="cosine"), 6)
    expected = [0.4, 0.8, *(0.8 * (1 + np.cos(np.pi * done / 4)) / 2 for done in range(4))]
    assert [float(cosine(count)) for count in range(6)] == pytest.approx(expected)


def test_a_step_down_comes_with_its_update() -> None:
    schedule = optimizers.make_schedule(config(schedule="step", decay_at=(0.5,), decay_factor=0.5), 8)
    assert [float(schedule(count)) for count in range(6)] == pytest.approx([0.8] * 4 + [0.4] * 2)


def test_a_decay_that_plain_adam_has_not_is_refused() -> None:
    with pytest.raises(UserError, match=r"weight_decay=0\.1: 'adam' has none; --config\.optimizer\.name=adamw has"):
        optimizers.make_optimizer(config(name="adam", weight_decay=0.1), 10)


def test_weight_decay_comes_after_clipping() -> None:
    optimizer = optimizers.make_optimizer(config(clip_norm=1.0, weight_decay=0.5, learning_rate=1.0), 10)
    params = {"w": jnp.asarray([2.0, 0.0])}
    # (3, 4) becomes (.6, .8), and half of the weights is added.
    updates, _ = optimizer.update({"w": jnp.asarray([3.0, 4.0])}, optimizer.init(params), params)
    np.testing.assert_allclose(updates["w"], [-1.6, -0.8], rtol=1e-6)


def test_a_divided_gradient_is_clipped_by_the_norm_of_all_its_parts() -> None:
    """As one device would: 3 on one and 4 on the other are 5 together."""
    optimizer = optimizers.make_optimizer(config(clip_norm=1.0, learning_rate=1.0), 10, sharded=True)

    def update(gradient: jax.Array) -> jax.Array:
        params = {"sharded_classes": jnp.zeros(1)}
        updates, _ = optimizer.update({"sharded_classes": gradient}, optimizer.init(params), params)
        return updates["sharded_classes"]

    found = jax.vmap(update, axis_name=AXIS)(jnp.asarray([[3.0], [4.0]]))
    np.testing.assert_allclose(found, [[-0.6], [-0.8]], rtol=1e-6)
    small = jax.vmap(update, axis_name=AXIS)(jnp.asarray([[0.3], [0.4]]))
    np.testing.assert_allclose(small, [[-0.3], [-0.4]], rtol=1e-6)


def test_an_average_moves_with_updates_not_with_their_parts() -> None:
    average = 0.0
    seen = []
    for step in range(6):
        value = float(10 * (step // 3 + 1)) if step % 3 == 2 else -100.0
        average = float(moved_average(jnp.asarray(average), jnp.asarray(value), 0.9, jnp.asarray(step), 3))
        seen.append(average)
    # Shares of the past: 1/10 at the first update, 2/11 at the second.
    first = 0.9 * 10
    assert seen == pytest.approx([0, 0, first, first, first, 2 / 11 * first + 9 / 11 * 20])
