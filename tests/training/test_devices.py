"""Several devices give what one gives."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.training import devices

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, np.ndarray]]:
    """Name of a run -> leaves of its state and its losses; see eight_devices.py."""
    file = tmp_path_factory.mktemp("devices") / "runs.npz"
    script = Path(__file__).with_name("eight_devices.py")
    subprocess.run([sys.executable, str(script), str(file)], check=True, timeout=300)
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(file) as arrays:
        for key in arrays.files:
            run, name = key.split(":", 1)
            found.setdefault(run, {})[name] = arrays[key]
    return found


def largest_difference(one: dict[str, np.ndarray], other: dict[str, np.ndarray], part: str) -> float:
    """Largest difference of any leaf, in units of that leaf's own size (at least .01)."""
    assert one.keys() == other.keys()
    names = [name for name in one if part in name]
    assert names
    return max(
        float(np.max(np.abs(one[name] - other[name]), initial=0.0) / max(0.01, np.abs(one[name]).max()))
        for name in names
    )


def test_eight_devices_give_the_result_of_one(runs: dict[str, dict[str, np.ndarray]]) -> None:
    for part in ("generator/params", "discriminator/params", "batch_stats", "ema", "metrics"):
        assert largest_difference(runs["1 adversarial"], runs["8 adversarial"], part) < 2e-5, part


@pytest.mark.parametrize("broken", ["missing", "doubled"])
def test_the_comparison_sees_a_broken_mean(runs: dict[str, dict[str, np.ndarray]], broken: str) -> None:
    for part in ("generator/params", "ema"):
        assert largest_difference(runs["1"], runs[broken], part) > 0.01, part


def test_training_moved_the_networks(runs: dict[str, dict[str, np.ndarray]]) -> None:
    assert (int(runs["1"]["state/step"]), int(runs["1 adversarial"]["state/step"])) == (3, 1)
    assert runs["1 adversarial"]["metrics/gradient_norm"] > 0.1


def test_lift_reuses_the_states_memory_and_fetch_owns_its_own() -> None:
    step = devices.data_parallel(lambda state, constants, batch: (state + constants, {"sum": batch["x"].sum()}))
    state = devices.replicate(np.zeros(3, np.float32))
    kept = devices.fetch(state)
    after, metrics = step(state, devices.replicate(np.ones(3, np.float32)), devices.divide({"x": np.ones((4, 2))}))
    assert state.is_deleted()
    np.testing.assert_array_equal(kept, np.zeros(3))
    np.testing.assert_array_equal(devices.fetch(after), np.ones(3))
    assert float(metrics["sum"]) == 8.0


def test_a_batch_that_cannot_be_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mesh:
        size = 8

    monkeypatch.setattr(devices, "mesh", Mesh)
    devices.check_batch_size(16)
    with pytest.raises(UserError, match=r"config\.batch_size=12: cannot be divided evenly over 8 devices; .* as 16"):
        devices.check_batch_size(12)
    with pytest.raises(UserError, match=r"config\.batch_size=0"):
        devices.check_batch_size(0)
