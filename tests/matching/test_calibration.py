"""Thresholds measured on planted templates, where every rate can be worked out by hand.

Covers `matching/calibration_sets.py` too.
"""

from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.matching import calibration
from lowres_jax.matching.calibration import Calibration
from lowres_jax.pretrained import cards
from lowres_jax.super_resolution.upscaler import UpscalerBySize

pytestmark = pytest.mark.slow


class Source:
    """A prepared set of 128x128 images, each of one gray value that its template follows from."""

    def __init__(self, directory: Path, grays: np.ndarray, labels: np.ndarray):
        self.directory, self._grays, self.labels = directory, grays, labels
        self.detected = np.ones(len(labels), bool)
        self.names, self.sources = labels.astype(str), [f"{number}.png" for number in range(len(labels))]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {"image": np.full((128, 128, 3), self._grays[index], np.uint8)}


class Recognizer:
    """Gray value g -> the unit vector at the angle g degrees."""

    name, input_size, dimension = "sface", 112, 2

    def __init__(self) -> None:
        self.seen = 0

    def templates(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        angles = np.deg2rad(images[:, 64, 64, 0] * 255.0)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


class Upscaler:
    """Enlarges by 4 and makes every picture 60 gray values darker: invented detail that makes people alike."""

    name, scale, made_for = "bicubic", 4, 0
    card = cards.load_card("bicubic", "super_resolution")

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.maximum(images.repeat(4, axis=1).repeat(4, axis=2) - 60 / 255, 0)


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Makes the calibration of a set of gray values."""
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path / "cache"))

    def made(grays, labels, images: int = 0) -> tuple[Calibration, Recognizer]:
        source = Source(tmp_path / "set", np.asarray(grays), np.asarray(labels))
        monkeypatch.setattr(calibration, "open_records", lambda directory: source)
        recognizer = Recognizer()
        return Calibration(tmp_path / "made" / "up", recognizer, UpscalerBySize([Upscaler()]), images, 0), recognizer

    return made


def degrees(threshold: calibration.Threshold) -> float:
    return float(np.rad2deg(np.arccos(threshold.similarity)))


PAIR = ((0,),)


def test_pairs_by_hand(make):
    """People at 0 and 10, 40 and 45, 100 degrees: of 16 ordered impostor pairs 2 lie at 30, 2 at 35, 2 at 40."""
    found, _ = make([0, 10, 40, 45, 100], [0, 0, 1, 1, 2])
    monkey = pytest.MonkeyPatch()
    monkey.setattr(calibration, "FEWEST_PEOPLE", 3)

    at_quarter = found.threshold(0.25, PAIR, probe_size=0)

    assert (found.name, found.people, len(found.labels)) == ("made/up", 3, 5)
    assert at_quarter.searches == 16
    assert at_quarter.false_accepts == 4  # those at 30 and 35; with those at 40 it would be 6 of 16
    assert at_quarter.far == 0.25
    assert 35 < degrees(at_quarter) <= 40 + 1e-4
    assert at_quarter.genuine == 1.0
    # 5 images x 2 others: ten false accepts would be all, so that 25 % cannot be claimed.
    assert found.least_rate(1) == pytest.approx(1.0)
    assert not at_quarter.claimed
    assert at_quarter.reached == pytest.approx(np.cos(np.deg2rad(5)))
    monkey.undo()
    # Three people are too few for any rate; the threshold lies where 10 % would be.
    assert found.least_rate(1) == np.inf
    none = found.threshold(0.01, PAIR, probe_size=0)
    assert not none.claimed
    assert none.false_accepts == 0
    assert degrees(none) == pytest.approx(30, abs=1e-3)


def test_larger_galleries_need_a_stricter_threshold(make):
    generator = np.random.default_rng(0)
    found, _ = make(generator.integers(0, 180, 120), np.arange(120) // 2)

    thresholds = [found.threshold(0.05, PAIR * size, 0) for size in (1, 3, 30)]

    assert [threshold.gallery_size for threshold in thresholds] == [1, 3, 30]
    assert thresholds[0].similarity < thresholds[1].similarity < thresholds[2].similarity
    assert all(threshold.far <= 0.05 for threshold in thresholds)
    assert thresholds[1].searches >= 20_000
    assert found.threshold(0.05, PAIR * 1000, 0).gallery_size == 59


def test_a_rate_needs_searches_enough(make):
    """120 images of 60 people: among 3 enrolled each can be searched for 59 / 3 times, 2,360 searches in all."""
    found, _ = make(np.arange(120), np.arange(120) // 2)
    assert found.least_rate(3) == pytest.approx(10 / 2360)
    assert found.least_rate(59) == pytest.approx(10 / 120)
    # Of two pictures each one track of two is made: half as many searches, and none of three.
    assert found.least_rate(3, frames=2) == pytest.approx(10 / 1180)
    assert found.least_rate(3, frames=3) == np.inf


def test_enlarged_faces_get_a_threshold_of_their_own(make, monkeypatch):
    """The upscaler makes the people at 0, 20 and 60 degrees one and the same."""
    monkeypatch.setattr(calibration, "FEWEST_PEOPLE", 2)
    found, _ = make([0, 20, 60, 150], [0, 1, 2, 3])

    sharp = found.threshold(0.25, PAIR, 0)
    enlarged = found.threshold(0.25, ((32,),), 32)

    assert (sharp.false_accepts, sharp.searches) == (2, 12)
    assert degrees(sharp) == pytest.approx(40, abs=1e-3)
    assert enlarged.false_accepts == 0
    assert degrees(enlarged) == pytest.approx(0, abs=0.1)
    assert (enlarged.recipe, enlarged.probe_size) == (((32,),), 32)


def test_enrolled_and_searched_sizes_are_not_mixed_up(make, monkeypatch):
    """Small faces stand 60 degrees lower (none below 0): sharp ones at 0, 70, 100; small ones at 0, 10, 40.

    Enrolled sharp and searched for small, the distances to others are 10 and 40 (from 0), 60, 30 (from 70), 100, 90.
    """
    monkeypatch.setattr(calibration, "FEWEST_PEOPLE", 2)
    found, _ = make([0, 70, 100], [0, 1, 2])

    searched_small = found.threshold(0.34, PAIR, 32)
    enrolled_small = found.threshold(0.34, ((32,),), 0)

    # Probes at 0, 10, 40 against 0, 70, 100: 70, 100; 10, 90; 40, 30. The nearest two of six are at 10 and 30.
    assert searched_small.false_accepts == 2
    assert 30 < degrees(searched_small) <= 40 + 1e-3
    # Probes at 0, 70, 100 against 0, 10, 40: 10, 40; 70, 30; 100, 90.
    assert enrolled_small.false_accepts == 2
    assert (searched_small.recipe, searched_small.probe_size) == (((0,),), 32)
    assert (enrolled_small.recipe, enrolled_small.probe_size) == (((32,),), 0)
    mixed = found.threshold(0.34, ((0,), (32,)), 32)
    assert mixed.recipe == ((0,), (32,))


def test_templates_are_kept_between_runs_and_made_anew_for_another_set(make):
    make([0, 10, 40], [0, 1, 2])[0].threshold(0.5, PAIR, 0)

    again, recognizer = make([0, 10, 40], [0, 1, 2])
    again.threshold(0.5, PAIR, 0)
    assert recognizer.seen == 0
    again.threshold(0.5, PAIR, 16)
    assert recognizer.seen == 3

    folder = again._source.directory
    folder.mkdir()
    (folder / "x.tfrecord-00000-of-00001").write_bytes(b"another set")
    other, recognizer = make([0, 10, 40], [0, 1, 2])
    other.threshold(0.5, PAIR, 0)
    assert recognizer.seen == 3


def test_a_set_of_one_person_gives_no_threshold(make):
    with pytest.raises(UserError, match=r"made/up: shows 1 people in 2 images .* two people or more"):
        make([0, 10], [0, 0])
