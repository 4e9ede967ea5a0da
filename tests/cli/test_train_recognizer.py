"""`train_recognizer` on real faces: it learns, is stopped and resumed, gets a name, and what it refuses.

Covers `evaluation/validation.py`, `pretrained/safetensors_weights.py`, `recognition/training/initial_weights.py`,
`tasks/export_weights.py` too.
"""

import json
import runpy
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from signalled import run_signalled
from training_runs import assert_equal, finish, leaves, start_together, write_faces

from lowres_jax.data.degradations import low_resolution
from lowres_jax.data.records import open_records
from lowres_jax.errors import UserError
from lowres_jax.evaluation.validation import bicubic
from lowres_jax.pretrained import safetensors_weights
from lowres_jax.recognition import resnet
from lowres_jax.recognition.recognizer import NetworkRecognizer, load_network, load_recognizer
from lowres_jax.recognition.training import initial_weights, train_config
from lowres_jax.tasks import export_weights, train_recognizer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PEOPLE, PICTURES, STEPS = 6, 6, 6


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of prepared sets: six people of ORL, six pictures each, 64 pixels."""
    return write_faces(tmp_path_factory.mktemp("data"), PEOPLE, PICTURES, lambda face: face[20:84, 14:78])


def changes_of(data: Path, **changes: Any) -> dict[str, Any]:
    found = {
        "data_dir": str(data),
        "dataset": "faces/made",
        "size": 32,
        "steps": STEPS,
        "evaluate_steps": 3,
        "held_out_images": 0.2,
        "cpu_devices": 1,
        "frozen_steps": 0,  # which would compile every step twice
        "grace_seconds": 60.0,
        "optimizer.learning_rate": 0.005,
        "optimizer.warmup_steps": 0,
        "losses.classification.scale": 16.0,
        "model.fields.dropout": 0.0,  # which every device draws for its own rows
    }
    return found | changes


def config_of(data: Path, **changes: Any) -> ConfigDict:
    config = runpy.run_path(str(ROOT / "configs" / "recognizer.py"))["get_config"]("smoke")
    for name, value in changes_of(data, **changes).items():
        config.update_from_flattened_dict({name: value})
    return config


def arguments(data: Path, workdir: Path, **changes: Any) -> list[str]:
    flags = [f"--config.{name}={value}" for name, value in changes_of(data, **changes).items()]
    return ["--config=configs/recognizer.py:smoke", *flags, f"--workdir={workdir}"]


@pytest.fixture(scope="module")
def straight(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("straight")
    train_recognizer.run(config_of(data), workdir)
    return workdir


@pytest.fixture(scope="module")
def thin(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Workdir of the same training of a ResNet-18 with two blocks of its eight."""
    workdir = tmp_path_factory.mktemp("thin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(resnet.DEPTHS, 18, ((1, 1, 0, 0), False))
        train_recognizer.run(config_of(data), workdir)
        yield workdir


def test_a_recognizer_gets_a_name(
    thin: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluations = json.loads((thin / "evaluations.json").read_text())
    assert [each["step"] for each in evaluations] == [3, 6]
    assert all(0 <= each["figures"]["accuracy"] <= 1 for each in evaluations)
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))
    config = runpy.run_path(str(ROOT / "configs" / "export_weights.py"))["get_config"]()
    config.update({"training": str(thin), "name": "ours", "license": "ours"})
    export_weights.run(config, tmp_path)
    assert "--config.recognizers=sface,ours in compare" in capsys.readouterr().out
    recognizer = load_recognizer("ours")
    assert (recognizer.input_size, recognizer.dimension) == (32, 512)
    crops = open_records(data / "faces" / "made").crops(np.arange(4))[0] / np.float32(255)
    templates = recognizer.templates(crops)
    np.testing.assert_allclose(np.linalg.norm(templates, axis=1), 1, atol=1e-5)
    # What was kept is what was trained, but for half precision.
    best = safetensors_weights.variables(thin / train_recognizer.BEST)
    np.testing.assert_allclose(
        recognizer.variables["params"]["embedding"]["kernel"],  # type: ignore[attr-defined]
        best["params"]["embedding"]["kernel"],
        atol=1e-3,
    )
    # A training may start from it; another network may not.
    config = config_of(data, start=str(thin))
    found = initial_weights.variables(config, train_config.build(config))
    assert f"starts from {thin}" in capsys.readouterr().out
    jax.tree.map(np.testing.assert_allclose, found["params"], best["params"])
    # Of templates of another length the backbone is taken.
    config = config_of(data, start=str(thin), **{"model.fields.embedding": 16})
    found = initial_weights.variables(config, train_config.build(config))
    jax.tree.map(np.testing.assert_array_equal, found["params"]["backbone"], best["params"]["backbone"])
    assert found["params"]["embedding"]["kernel"].shape == (128, 16)
    assert "drawn at random: embedding, norm_in, norm_out" in capsys.readouterr().out
    config = config_of(data, start=str(thin), **{"model.fields.depth": 34})
    with pytest.raises(UserError, match=r"another network than config\.model: batch_stats/backbone/conv2_block2_1_bn"):
        initial_weights.variables(config, train_config.build(config))


@pytest.mark.whole
def test_a_stopped_run_goes_on_to_the_same_bits(straight: Path, data: Path, tmp_path: Path) -> None:
    ended = run_signalled(
        *arguments(data, tmp_path),
        place="lowres_jax.training.loop:_Run.read_pending",
        calls=3,
        signal_number=signal.SIGTERM,
    )
    assert ended.status == 143, ended.error
    assert 0 < int(leaves(tmp_path)["step"]) < STEPS
    train_recognizer.run(config_of(data), tmp_path)
    assert_equal(leaves(tmp_path), leaves(straight))


@pytest.mark.whole
def test_two_processes_give_what_one_gives(straight: Path, data: Path, tmp_path: Path) -> None:
    """Each has half of the classes, and writes it; the accuracy among all is evaluated by one of them."""
    first, second = start_together(arguments(data, tmp_path, shared_workdir=True))
    assert "2 cpu devices in 2 processes" in finish(first)
    assert "step" not in finish(second)
    other = leaves(straight)
    assert_close(leaves(tmp_path), other)
    assert len(json.loads((tmp_path / "evaluations.json").read_text())) == 2
    for step in (3, STEPS):
        written = tmp_path / "checkpoints" / str(step) / "default"
        assert sorted(path.name for path in written.glob("ocdbt.process_*")) == ["ocdbt.process_0", "ocdbt.process_1"]
    # One process goes on with what two wrote, and reads all of it.
    shutil.rmtree(tmp_path / "checkpoints" / str(STEPS))
    train_recognizer.run(config_of(data, shared_workdir=True), tmp_path)
    assert int(leaves(tmp_path)["step"]) == STEPS
    assert_close(leaves(tmp_path), other)


def assert_close(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    name = next(name for name in one if name.endswith("head/params/sharded_classes"))
    assert one[name].shape == (512, 128)
    np.testing.assert_allclose(one[name], other[name], atol=1e-3)


@pytest.mark.whole
def test_processes_that_do_not_see_one_workdir_are_told(data: Path, tmp_path: Path) -> None:
    each = [arguments(data, tmp_path / name, shared_workdir=True) for name in ("first", "second")]
    for process in start_together(*each):
        _, error = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "differs between processes (process 0 and 1); with config.shared_workdir=true all processes" in error


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"identities": 1}, "config.identities=1: a recognizer needs two people"),
        ({"start": "nowhere.h5"}, "config.start=nowhere.h5: nowhere.h5 is not there"),
        ({"losses.distillation.weight": 1.0, "losses.distillation.teacher": "sfase"}, "'sfase'.*did you mean 'sface'"),
        ({"batch_size": 0}, "config.batch_size=0"),
        ({"steps": 0}, "config.steps=0, config.epochs=0: give one of them"),
        ({"model.fields.depth": 17}, "config.model.fields.depth=17: choose of"),
        ({"start": "dlib"}, "config.start=dlib: is no network of this program"),
    ],
)
def test_wrong_settings_leave_nothing(data: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        train_recognizer.run(config_of(data, **changes), tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_the_best_evaluation_is_the_first_of_the_highest() -> None:
    def evaluation(step: int, **figures: float) -> dict[str, Any]:
        return {"step": step, "figures": figures}

    both = [evaluation(0, view1_accuracy=0.9, view1_accuracy_16px=0.5), evaluation(1, view1_accuracy=0.8)]
    both.append(evaluation(2, view1_accuracy=0.85, view1_accuracy_16px=0.79))
    assert train_recognizer.best_evaluation(both)["step"] == 2
    several = [evaluation(number, view1_accuracy=value) for number, value in enumerate((0.5, 0.8, 0.7, 0.8))]
    assert train_recognizer.best_evaluation(several)["step"] == 1
    assert train_recognizer.best_evaluation([evaluation(1, accuracy=0.9), evaluation(2, accuracy=0.1)])["step"] == 2


def test_a_head_of_other_people_is_not_gone_on_with(thin: Path, data: Path) -> None:
    with pytest.raises(UserError, match="identities"):
        train_recognizer.run(config_of(data, identities=4), thin)


@pytest.mark.whole
def test_a_student_sees_in_small_faces_what_its_teacher_sees_in_good_ones(data: Path, tmp_path: Path) -> None:
    config = runpy.run_path(str(ROOT / "configs" / "recognizer_small.py"))["get_config"]()
    changes = {
        "data_dir": str(data),
        "dataset": "faces/made",
        "batch_size": 12,
        "steps": 6,
        "epochs": 0.0,
        "evaluate_steps": 0,
        "cpu_devices": 1,
        "optimizer.warmup_steps": 0,
        "ema": 0.0,
        "low_resolution.share": 1.0,
        "low_resolution.sizes": (12,),
    }
    config.update_from_flattened_dict(changes)
    train_recognizer.run(config, tmp_path)
    export = runpy.run_path(str(ROOT / "configs" / "export_weights.py"))["get_config"]()
    export.update({"license": "ours", "training": str(tmp_path), "name": "student", "folder": str(tmp_path / "card")})
    export_weights.run(export, tmp_path)
    card = (tmp_path / "card" / "student.toml").read_text()
    for line in ('module = "recognition.sface"', 'judges = "sface"', "input_size = 112", 'start = "sface"'):
        assert line in card
    teacher = load_network("sface")
    crops = open_records(data / "faces" / "made").crops(np.arange(PEOPLE * PICTURES))[0] / np.float32(255)
    small = bicubic(low_resolution(crops, 12), 64)
    known = teacher.templates(crops)
    variables = safetensors_weights.variables(tmp_path / train_recognizer.BEST)
    student = NetworkRecognizer("student", teacher.module, variables, 112)
    before, after = (np.sum(each.templates(small) * known, axis=1).mean() for each in (teacher, student))
    assert after > before + 0.08  # .551 and .706 when this was written
    assert np.sum(student.templates(crops) * known, axis=1).mean() > 0.6  # .748


def test_a_training_of_an_earlier_version_is_not_exported(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "run.json").write_text('{"task": "train_recognizer", "model": {"depth": 18}}')
    export = runpy.run_path(str(ROOT / "configs" / "export_weights.py"))["get_config"]()
    export.update({"license": "ours", "training": str(tmp_path), "name": "early", "folder": str(tmp_path / "card")})
    with pytest.raises(UserError, match=r"run\.json: names no module"):
        export_weights.run(export, tmp_path)
