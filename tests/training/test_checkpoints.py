"""Checkpoints: whole or not at all, and of this very run."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.training import optimizers
from lowres_jax.training.checkpoints import Checkpoints, flat_leaves
from lowres_jax.training.state import TrainState, network, new_state

pytestmark = pytest.mark.slow

OPTIMIZER = optimizers.make_optimizer(optimizers.default_config(), 10)


def state(step: int = 0, shape: tuple[int, ...] = (3, 4), name: str = "w") -> TrainState:
    """A state whose numbers depend on the step."""
    variables = {"params": {name: np.full(shape, step + 0.5, np.float32)}, "batch_stats": {"mean": np.ones(2)}}
    made = new_state(0, {"generator": network(variables, OPTIMIZER)}, variables)
    made = jax.tree.map(np.asarray, made)
    return TrainState(np.asarray(step, np.int32), made.rng, made.networks, made.ema)


def saved(workdir: Path, *steps: int) -> None:
    checkpoints = Checkpoints(workdir)
    for step in steps:
        checkpoints.save(state(step))
    checkpoints.close()


def test_what_is_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved(tmp_path, 3)
    checkpoints = Checkpoints(tmp_path)
    restored = checkpoints.restore(state())
    checkpoints.close()

    assert jax.tree.structure(restored) == jax.tree.structure(state(3))
    expected = flat_leaves(state(3))
    for name, leaf in flat_leaves(restored).items():
        assert leaf.dtype == expected[name].dtype, name
        np.testing.assert_array_equal(leaf, expected[name], err_msg=name)


def test_the_result_is_read_without_knowing_the_optimizer(tmp_path: Path) -> None:
    saved(tmp_path, 3)
    checkpoints = Checkpoints(tmp_path)
    kept = checkpoints.read()
    checkpoints.close()
    np.testing.assert_array_equal(kept["ema"]["params"]["w"], np.full((3, 4), 3.5))


def test_so_many_stay(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2, 3)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["2", "3"]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            state(shape=(3, 5)),
            r"/3: checkpoint of another model: .*w has shape \(3, 4\) there, \(3, 5\) here",
        ),
        (state(name="v"), r"checkpoint of another model: .*v has shape none there, \(3, 4\) here"),
    ],
)
def test_a_checkpoint_of_another_model(tmp_path: Path, other: TrainState, said: str) -> None:
    saved(tmp_path, 3)
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(UserError, match=said):
        checkpoints.restore(other)
    checkpoints.close()


def test_no_checkpoint(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for wanted in (lambda: checkpoints.restore(state()), checkpoints.read):
        with pytest.raises(UserError, match="checkpoints: no checkpoint"):
            wanted()
    checkpoints.close()


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    saved(tmp_path, 2, 3)
    for file in (tmp_path / "checkpoints" / "3").rglob("*"):
        if file.is_file() and file.stat().st_size > 20:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(UserError, match=r"checkpoints/3: checkpoint cannot be read .*remove this folder to resume"):
        checkpoints.restore(state())
    assert flat_leaves(checkpoints.restore(state(), step=2))["step"] == 2
    checkpoints.close()


def test_a_workdir_of_another_config(tmp_path: Path) -> None:
    config = {"batch_size": 4, "losses": {"pixel": {"weight": 1.0}}, "log_steps": 5, "crops": (1, 2)}
    checkpoints = Checkpoints(tmp_path)
    checkpoints.claim(config)
    # Nothing is saved yet: nothing is lost by another config.
    checkpoints.claim(config | {"batch_size": 8})
    checkpoints.claim(config)
    checkpoints.save(state(1))
    checkpoints.wait()
    checkpoints.claim(config | {"log_steps": 1}, {"log_steps"})
    with pytest.raises(
        UserError, match=r"another config \(batch_size: 4 there, 8 now; losses\.pixel\.weight: 1\.0 there"
    ):
        checkpoints.claim(config | {"batch_size": 8, "losses": {"pixel": {"weight": 0.5}}}, {"log_steps"})
    checkpoints.close()
    assert json.loads((tmp_path / "run.json").read_text())["log_steps"] == 1


def test_kill_in_the_middle_of_a_save_loses_nothing_older(tmp_path: Path) -> None:
    saved(tmp_path, 2)
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import test_checkpoints
        checkpoints = test_checkpoints.Checkpoints(Path({str(tmp_path)!r}))
        checkpoints.save(test_checkpoints.state(4, (600, 600)))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, timeout=120)
    assert done.returncode == -9
    # What a save leaves that was killed before its last rename.
    (tmp_path / "checkpoints" / "5.orbax-checkpoint-tmp-7").mkdir()
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest in (2, 4)
    shape = (3, 4) if checkpoints.latest == 2 else (600, 600)
    assert flat_leaves(checkpoints.restore(state(shape=shape)))["step"] == checkpoints.latest
    assert flat_leaves(checkpoints.restore(state(), step=2))["step"] == 2
    checkpoints.save(state(6))
    checkpoints.close()
    assert not list((tmp_path / "checkpoints").glob("*tmp*"))


def test_a_full_disk_is_one_line_and_the_last_good_checkpoint_stays(tmp_path: Path) -> None:
    saved(tmp_path, 2)
    # A limit on the size of files stands for the end of the disk: the same error path, and no root is needed.
    script = f"""
        import os, resource, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import test_checkpoints
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        checkpoints = test_checkpoints.Checkpoints(Path({str(tmp_path)!r}))
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        import numpy as np
        state = test_checkpoints.state(4, (600, 600))
        state.networks["generator"].params["w"][:] = np.random.default_rng(0).normal(size=(600, 600))
        try:
            checkpoints.save(state)
            checkpoints.wait()
        except test_checkpoints.UserError as error:
            # Orbax's own thread may write to stderr at the same moment.
            print(error, flush=True)
            os._exit(1)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    (said,) = done.stdout.splitlines()
    assert "a checkpoint cannot be written" in said
    assert said.endswith("the last good one, of step 2, stays")
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest == 2
    assert flat_leaves(checkpoints.restore(state()))["step"] == 2
    checkpoints.close()
