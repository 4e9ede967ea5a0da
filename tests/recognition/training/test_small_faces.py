"""Recognizer of small faces: its inputs, its targets, and its judge.

Covers `recognition/training/enrolled.py` too.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from lowres_jax.data import degradations
from lowres_jax.data.degradations import low_resolution
from lowres_jax.errors import UserError
from lowres_jax.recognition.training import enrolled, train_config, trainer
from lowres_jax.recognition.training.small_faces import SmallFaceTransform
from lowres_jax.super_resolution.training import losses
from lowres_jax.super_resolution.training.losses import Strangers


def config_of(**changes: object) -> ConfigDict:
    config = train_config.default_config()
    config.losses.classification.weight, config.losses.enrolled.weight = 0.0, 1.0
    config.losses.strangers.weight = 0.3
    config.held_out = 0.1
    config.small_faces.upscalers = ("bicubic",)
    config.small_faces.update(changes)
    return config


@pytest.fixture
def crop() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.uint8)


def test_sides_are_those_of_a_search() -> None:
    samples = SmallFaceTransform(config_of())
    assert [samples.side(native) for native in (4, 11, 12, 19, 20, 27, 28, 39, 40)] == [
        8,
        8,
        16,
        16,
        24,
        24,
        32,
        32,
        48,
    ]


def test_rows_are_drawn_evenly_and_anew_for_each(crop: np.ndarray) -> None:
    samples = SmallFaceTransform(config_of())
    rows = [samples(crop, np.random.default_rng(number)) for number in range(300)]
    again = samples(crop, np.random.default_rng(7))
    for name, each in again.items():
        np.testing.assert_array_equal(each, rows[7][name])
    # 8 to 40 px evenly in the logarithm: below 11.3 px 21 % are cut at 8, between 19.6 and 27.7 px 22 % at 24.
    shares = {side: np.mean([int(row["side"]) == side for row in rows]) for side in (8, 16, 24, 32, 48)}
    assert shares[8] == pytest.approx(0.21, abs=0.07)
    assert shares[24] == pytest.approx(0.22, abs=0.07)
    assert np.mean([row["by_model"] for row in rows]) == pytest.approx(0.7, abs=0.08)
    assert np.mean([row["others"] for row in rows]) == pytest.approx(0.5, abs=0.09)
    for row in rows[:20]:
        side = int(row["side"])
        assert row["low"].shape == (48, 48, 3)
        assert not row["low"][side:].any()
        assert row["low"][:side, :side].std() > 0


def test_a_batch_is_enlarged_as_a_search_enlarges(crop: np.ndarray) -> None:
    samples = SmallFaceTransform(config_of())
    rows = [samples(crop, np.random.default_rng(number)) for number in range(6)]
    batch = {name: np.stack([row[name] for row in rows]) for name in rows[0]} | {"label": np.arange(6)}
    made = samples.finished(batch)
    assert sorted(made) == ["image", "label", "others"]
    assert (made["image"].shape, made["image"].dtype) == ((6, 112, 112, 3), np.uint8)
    for number, row in enumerate(rows):
        side = int(row["side"])
        low = row["low"][None, :side, :side] / np.float32(255)
        np.testing.assert_array_equal(made["image"][number], samples.enlarged(low, bool(row["by_model"]))[0])


def test_every_second_face_to_judge_by_is_degraded(crop: np.ndarray) -> None:
    crops = np.stack([crop] * 3).astype(np.float32) / np.float32(255)
    plain = low_resolution(crops, 16)
    config = config_of()
    config.degradation = degradations.footage()
    found = SmallFaceTransform(config).small(crops, 16)
    np.testing.assert_array_equal(found[::2], plain[::2])
    assert np.abs(found[1] - plain[1]).mean() > 0.005
    np.testing.assert_array_equal(SmallFaceTransform(config_of(degraded=0.0)).small(crops, 16), plain)


class Source:
    """Five crops of two people and one of a third, whose templates are their own gray values' angles."""

    labels = np.asarray([4, 4, 4, 7, 7, 9])

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {"image": np.zeros((128, 128, 3), np.uint8)}


ANGLES = np.deg2rad([0.0, 90.0, 30.0, 180.0, 200.0, 270.0])
TEMPLATES = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def test_what_is_enrolled_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolled.strangers, "templates", lambda source, positions, *_: TEMPLATES[positions])
    found = enrolled.load(Source(), np.asarray([0, 1, 3, 4, 5]), None)  # type: ignore[arg-type]
    np.testing.assert_allclose(found.templates[[0, 1, 3, 4, 5]], TEMPLATES[[0, 1, 3, 4, 5]])
    # The one that is not learned from is nowhere in it.
    assert not found.templates[2].any()
    np.testing.assert_allclose(found.others[[0, 1, 3, 4]], TEMPLATES[[1, 0, 4, 3]], atol=1e-6)
    np.testing.assert_allclose(found.others[5], TEMPLATES[5], atol=1e-6)  # of a person with one picture that one
    assert found.strangers.labels.tolist() == [4, 4, 7, 7, 9]
    np.testing.assert_allclose(found.strangers.mean, TEMPLATES[[0, 1, 3, 4, 5]].mean(axis=0), atol=1e-6)


def test_the_terms_are_those_of_what_is_compared() -> None:
    config = config_of()
    config.losses.strangers.update({"nearest": 2, "temperature": 0.5})
    mean = np.zeros(2, np.float32)
    known = enrolled.Enrolled(
        TEMPLATES,
        TEMPLATES[::-1].copy(),
        Strangers(jnp.asarray(TEMPLATES), jnp.asarray(Source.labels), jnp.asarray(mean)),
    )
    training = trainer.Trainer(None, None, 3, config, 1, known)  # type: ignore[arg-type]
    made = jnp.asarray(TEMPLATES[[2, 3]])
    batch = {"index": jnp.asarray([0, 3]), "others": jnp.asarray([False, True]), "label": jnp.asarray([4, 7])}
    found = training._enrolled_terms(made, known, batch)
    # 30 degrees from its own original, and the one that stands for the others of record 3 is TEMPLATES[2].
    expected = 1 - (np.cos(np.deg2rad(30)) + np.cos(np.deg2rad(150))) / 2
    assert float(found["enrolled"]) == pytest.approx(expected, abs=1e-6)
    real = jnp.asarray(TEMPLATES[[0, 2]])
    assert float(found["strangers"]) == pytest.approx(
        float(losses.strangers(made, real, batch["label"], known.strangers, 2, 0.5)), abs=1e-6
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda config: setattr(config, "held_out", 0.0), "is judged by people held out"),
        (lambda config: config.losses.distillation.update({"weight": 1.0}), "is learned alone"),
        (lambda config: config.losses.enrolled.update({"weight": 0.0}), "nothing is learned"),
    ],
)
def test_what_cannot_be(change: object, said: str) -> None:
    config = config_of()
    config.steps = 1
    change(config)  # type: ignore[operator]
    with pytest.raises(UserError, match=said):
        train_config.check(config)
