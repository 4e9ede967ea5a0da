"""The loop on a small problem: a stopped run ends with the bits of a straight one, and errors keep what is good."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.runtime import signals
from lowres_jax.training import devices, loop, optimizers
from lowres_jax.training.checkpoints import Checkpoints, flat_leaves
from lowres_jax.training.progress import Progress
from lowres_jax.training.state import TrainState, moved_average, network, new_state

pytestmark = pytest.mark.slow

STEPS = 8
OPTIMIZER = optimizers.make_optimizer(optimizers.default_config(), STEPS)


def start() -> TrainState:
    params = {"w": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)}
    networks = {"generator": network({"params": params}, OPTIMIZER)}
    return jax.tree.map(np.asarray, new_state(0, networks, networks["generator"].variables))


def step(state: TrainState, constants: Any, batch: dict[str, jax.Array]) -> tuple[TrainState, Any]:
    old = state.networks["generator"]

    def loss(params: Any) -> jax.Array:
        noise = jax.random.normal(jax.random.fold_in(state.rng, state.step), (4,))
        return ((batch["x"] @ params["w"] - noise) ** 2).mean()

    value, gradient = jax.value_and_grad(loss)(old.params)
    new = old.updated(OPTIMIZER, jax.lax.pmean(gradient, devices.AXIS), {})
    ema = moved_average(state.ema, new.variables, 0.9, state.step)
    return TrainState(state.step + 1, state.rng, {"generator": new}, ema), {"pixel": value}


def batches(first: int, wrong: int = -1, stop: int = -1) -> Iterator[dict[str, np.ndarray]]:
    """Batch after batch; before number `stop` is handed out a stop is requested, number `wrong` is not finite."""
    number = first
    while True:
        rows = np.random.default_rng(number).normal(size=(2, 3)).astype(np.float32)
        if number == stop:
            signals._State.requested = signal.SIGTERM
        yield {"x": rows * (np.nan if number == wrong else 1)}
        number += 1


@pytest.fixture(autouse=True)
def _no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals._State, "requested", None)


def fit(
    workdir: Path, every: float = 1e9, evaluated: list[int] | None = None, steps_per_call: int = 1, **trouble: int
) -> dict[str, np.ndarray]:
    """Trains to the end from what the workdir holds; returns the leaves of the state."""
    checkpoints = Checkpoints(workdir)
    state = start()
    if checkpoints.latest is not None:
        state = checkpoints.restore(state)
    plan = loop.Plan(STEPS, every, 3, 5.0, steps_per_call)
    progress = Progress(workdir, STEPS, 2, 2)
    seen = evaluated if evaluated is not None else []
    data = batches(int(state.step), **trouble)
    try:
        after = loop.fit(
            state,
            {},
            step,
            data,
            plan,
            checkpoints,
            progress,
            lambda state: seen.append(int(devices.fetch(state.step))),
        )
    finally:
        progress.close()
        checkpoints.close()
    return flat_leaves(devices.fetch(after))


def assert_equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    leaves = fit(tmp_path_factory.mktemp("straight"))
    assert int(leaves["step"]) == STEPS
    return leaves


@pytest.mark.parametrize("stop", [0, 1, 4, 7])
def test_a_stopped_run_resumes_to_the_same_bits(straight: dict[str, np.ndarray], tmp_path: Path, stop: int) -> None:
    with pytest.raises(signals.Interrupted):
        fit(tmp_path, stop=stop)
    signals._State.requested = None
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest == stop + 1
    checkpoints.close()

    assert_equal(fit(tmp_path), straight)


def test_the_last_step_is_saved_and_evaluated(straight: dict[str, np.ndarray], tmp_path: Path, capsys: Any) -> None:
    evaluated: list[int] = []
    fit(tmp_path, evaluated=evaluated)

    assert evaluated == [3, 6, 8]
    checkpoints = Checkpoints(tmp_path)
    assert_equal(flat_leaves(checkpoints.restore(start())), straight)
    checkpoints.close()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert [line.split()[1] for line in lines] == ["2/8", "4/8", "6/8", "8/8"]
    assert "pixel" in lines[0]
    assert "images/s" in lines[1]
    assert "0:00:00 left" in lines[-1]


@pytest.mark.parametrize("steps_per_call", [2, 3, 5])
def test_several_steps_a_call(
    straight: dict[str, np.ndarray], tmp_path: Path, capsys: Any, steps_per_call: int
) -> None:
    """Evaluations, lines and the end come at the same steps, whether or not as many as a call makes fit between."""
    evaluated: list[int] = []
    leaves = fit(tmp_path, evaluated=evaluated, steps_per_call=steps_per_call)

    assert evaluated == [3, 6, 8]
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert [line.split()[1] for line in lines] == ["2/8", "4/8", "6/8", "8/8"]
    for name in straight:
        np.testing.assert_allclose(leaves[name], straight[name], atol=1e-6, err_msg=name)


def test_a_stop_within_a_call_and_a_step_that_is_not_finite_in_one(
    straight: dict[str, np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(signals.Interrupted):
        fit(tmp_path / "stopped", stop=4, steps_per_call=3)
    signals._State.requested = None
    leaves = fit(tmp_path / "stopped", steps_per_call=3)
    for name in straight:
        np.testing.assert_allclose(leaves[name], straight[name], atol=1e-6, err_msg=name)
    with pytest.raises(UserError, match=r"step 5: pixel is nan; .*, the last good checkpoint is of step 3"):
        fit(tmp_path / "wrong", wrong=4, steps_per_call=3)


def test_calls_end_where_something_is_due() -> None:
    plan = loop.Plan(10, 1e9, 4, 5.0, 3)
    counts, done = [], 0
    while done < plan.steps:
        counts.append(plan.next_call(done))
        done += counts[-1]
        assert plan.is_due(done) == (done in (4, 8, 10))
    assert counts == [3, 1, 3, 1, 1, 1]


def test_checkpoints_on_schedule(tmp_path: Path) -> None:
    fit(tmp_path, every=0.0)

    kept = sorted(int(each.name) for each in (tmp_path / "checkpoints").iterdir() if each.name.isdigit())
    assert len(kept) == 2
    assert kept[1] == STEPS


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"step 6: pixel is nan; training stopped, the last good checkpoint is of step [45]"
    ):
        fit(tmp_path, every=0.0, wrong=5)
    checkpoints = Checkpoints(tmp_path)
    restored = flat_leaves(checkpoints.restore(start()))
    checkpoints.close()
    assert all(np.isfinite(leaf).all() for leaf in restored.values())


def test_a_loss_that_is_not_finite_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"step 1: pixel is nan; training stopped, there is no checkpoint yet"):
        fit(tmp_path, wrong=0)


def test_a_stop_within_an_evaluation_saves(straight: dict[str, np.ndarray], tmp_path: Path) -> None:
    class Stopping(list):
        def append(self, number: int) -> None:
            if number == 3:
                signals._State.requested = signal.SIGINT
                signals.check()

    with pytest.raises(signals.Interrupted):
        fit(tmp_path, evaluated=Stopping())
    signals._State.requested = None

    assert_equal(fit(tmp_path), straight)


def test_requests_are_of_any_process() -> None:
    parallel = devices.data_parallel(loop.with_control(step))
    rows = np.zeros((1, 2), np.float32)
    rows[0, 1] = 1.0
    batch = devices.divide({"x": np.zeros((2, 3), np.float32)} | {loop.REQUESTS: rows})
    _, metrics = parallel(devices.replicate(start()), {}, batch)
    assert devices.fetch(metrics[loop.REQUESTS]).tolist() == [0.0, 1.0]
    assert jnp.isfinite(metrics["pixel"])
