"""A training's files after every fault: evaluations that were cut off, a workdir of its own, a longer end.

Covers `training/progress.py` too.
"""

import json
import os
import signal
import struct
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto import event_pb2
from training_runs import assert_equal, leaves, write_faces

from lowres_jax import config_keys
from lowres_jax.data import resize
from lowres_jax.errors import UserError
from lowres_jax.runtime import signals
from lowres_jax.super_resolution.training import train_config
from lowres_jax.tasks import export_weights, train
from lowres_jax.training.checkpoints import Checkpoints
from lowres_jax.training.progress import BEST, EVALUATIONS, Progress
from lowres_jax.utils import files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people with five faces of 32 px each."""
    return write_faces(tmp_path_factory.mktemp("data"), 4, 5, lambda image: resize.resize(image[16:-4], 32, 32))


def config(data: Path, **changes: Any) -> "train_config.ConfigDict":
    made = train_config.default_config()
    made.data_dir, made.dataset, made.held_out = str(data), "faces/made", 0.25
    made.model.fields.update({"blocks": 1, "features": 8})
    made.hr_size, made.batch_size, made.steps, made.evaluate_steps, made.validation_images = 32, 4, 7, 3, 2
    made.update(changes)
    return made


def evaluations(workdir: Path) -> list[dict[str, Any]]:
    return json.loads((workdir / EVALUATIONS).read_text())


@pytest.fixture(scope="module")
def straight(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("straight")
    train.run(config(data), workdir)
    assert [each["step"] for each in evaluations(workdir)] == [3, 6, 7]
    return workdir


@pytest.mark.parametrize("cut", [3, 6, 7])
def test_an_evaluation_that_was_cut_off_is_made_up(
    data: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    real = train.Evaluation.__call__

    def stopped(self: Any, state: Any) -> None:
        if int(state.step) == cut:
            raise signals.Interrupted(signal.SIGTERM)
        real(self, state)

    monkeypatch.setattr(train.Evaluation, "__call__", stopped)
    with pytest.raises(signals.Interrupted):
        train.run(config(data), tmp_path)
    noted = evaluations(tmp_path) if (tmp_path / EVALUATIONS).is_file() else []
    assert [each["step"] for each in noted] == [step for step in (3, 6) if step < cut]
    monkeypatch.setattr(train.Evaluation, "__call__", real)
    train.run(config(data), tmp_path)
    assert evaluations(tmp_path) == evaluations(straight)
    assert_equal(leaves(tmp_path), leaves(straight))


def test_a_training_is_prolonged_and_looked_at_more_often(data: Path, straight: Path, tmp_path: Path) -> None:
    """With a constant rate the longer training is what it would have been."""
    train.run(config(data, steps=4, evaluate_steps=0), tmp_path)
    with pytest.raises(UserError, match=r"has 4 steps already, config\.steps asks for 3"):
        train.run(config(data, steps=3), tmp_path)
    train.run(config(data), tmp_path)
    assert [each["step"] for each in evaluations(tmp_path)] == [4, 6, 7]
    assert evaluations(tmp_path)[1:] == evaluations(straight)[1:]
    assert_equal(leaves(tmp_path), leaves(straight))
    with pytest.raises(
        UserError, match=r"\(seed: 0 there, 1 now\); .* there --config\.start=.* continues from this one"
    ):
        train.run(config(data, seed=1), tmp_path)


def test_one_training_in_a_workdir(data: Path, tmp_path: Path) -> None:

    with (
        files.locked(tmp_path),
        pytest.raises(UserError, match=rf"process {os.getpid()} of .* is at work in it; wait for it"),
    ):
        train.run(config(data), tmp_path)
    with files.locked(tmp_path):
        pass


def test_who_reads_a_workdir_changes_nothing_in_it(straight: Path) -> None:
    saving = straight / "checkpoints" / "9.orbax-checkpoint-tmp-1795735466"
    saving.mkdir()
    (saving / "half").write_text("x")
    reader = Checkpoints(straight, read_only=True)
    assert reader.latest == 7
    assert int(reader.read()["step"]) == 7
    reader.close()
    assert (saving / "half").is_file()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": -1}, r"config\.seed=-1: must be a whole number, from 0 to 4,294,967,295"),
        ({"seed": 2**40}, r"config\.seed=1099511627776: must be a whole number, from 0"),
        ({"crops": -1}, r"config\.crops=-1: must be a whole number, 0 or more"),
        ({"log_steps": 0}, r"config\.log_steps=0: must be a whole number, 1 or more"),
        ({"checkpoints_kept": 0}, r"config\.checkpoints_kept=0: must be a whole number, 1 or more"),
        ({"losses": {"pixel": {"weight": 0.0}}}, r"config\.losses: nothing is learned; give a weight to one of them"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_workdir_is_claimed(
    data: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        train.run(config(data, **changes), tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_figures_of_a_run_that_kept_nothing_are_not_this_one_s(tmp_path: Path) -> None:
    (tmp_path / BEST).write_bytes(b"of another run")
    (tmp_path / EVALUATIONS).write_text('[{"step": 6, "figures": {"view1_accuracy": 1.0}, "reference": {}}]')
    progress = Progress(tmp_path, 10, 4, 2)
    assert progress.evaluations() == []
    assert not (tmp_path / BEST).exists()
    for step in (6, 3):
        progress.evaluated(step, {"psnr": float(step)}, {})
    progress.close()
    # One that goes on keeps them, in the order of the steps, each once.
    progress = Progress(tmp_path, 10, 4, 2, done=4)
    progress.evaluated(6, {"psnr": 7.0}, {})
    progress.close()
    assert [(each["step"], each["figures"]["psnr"]) for each in evaluations(tmp_path)] == [(3, 3.0), (6, 7.0)]


@pytest.mark.parametrize("done", [0, 4])
def test_tensorboard_forgets_the_steps_that_are_made_again(tmp_path: Path, done: int) -> None:
    """A run that was killed at step 6 and goes on from 4 takes back what it had said of 5 and 6."""
    progress = Progress(tmp_path, 10, 4, 1, done)
    progress.add(done + 1, [{"pixel": 1.0}])
    progress.close()
    starts = []
    for path in sorted((tmp_path / "tensorboard").iterdir()):
        content, place = path.read_bytes(), 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            event = event_pb2.Event.FromString(content[place + 12 : place + 12 + length])
            if event.session_log.status == event_pb2.SessionLog.START:
                starts.append(event.step)
            place += length + 16
    assert starts == [done + 1]


@pytest.mark.parametrize("name", ["none", "raw", "onnx", "imagenet", "identity"])
def test_names_that_mean_something_else_are_not_given(straight: Path, tmp_path: Path, name: str) -> None:
    export = config_keys.new(export_weights.KEYS, "export_weights")
    export.update({"license": "ours", "training": str(straight), "name": name, "folder": str(tmp_path)})
    with pytest.raises(UserError, match=rf"config\.name={name}: is the name of a model that comes with the program"):
        export_weights.run(export, tmp_path)
    assert list(tmp_path.iterdir()) == []
