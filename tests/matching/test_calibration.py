"""Thresholds measured on planted templates, where every rate can be worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.matching import calibration
from lowres_jax.matching.calibration import Calibration, choose_images, genuine_distances, impostor_distances
from lowres_jax.pretrained import cards


class Source:
    """A prepared set of 128x128 images, each of one grey value that its template follows from."""

    def __init__(self, directory: Path, greys: np.ndarray, labels: np.ndarray):
        self.directory, self._greys, self.labels = directory, greys, labels
        self.detected = np.ones(len(labels), bool)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {"image": np.full((128, 128, 3), self._greys[index], np.uint8)}


class Recognizer:
    """Grey value g -> the unit vector at the angle g degrees."""

    name, input_size, dimension = "sface", 112, 2

    def __init__(self) -> None:
        self.seen = 0

    def templates(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        angles = np.deg2rad(images[:, 64, 64, 0] * 255.0)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


class Upscaler:
    """Enlarges by 4 and makes every picture 60 grey values darker: invented detail that makes people alike."""

    name, scale = "bicubic", 4
    card = cards.load_card("bicubic", "super_resolution")

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.maximum(images.repeat(4, axis=1).repeat(4, axis=2) - 60 / 255, 0)


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Makes the calibration of a set of grey values."""
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path / "cache"))

    def made(greys, labels, images: int = 0) -> tuple[Calibration, Recognizer]:
        source = Source(tmp_path / "set", np.asarray(greys), np.asarray(labels))
        monkeypatch.setattr(calibration, "open_records", lambda directory: source)
        recognizer = Recognizer()
        return Calibration(tmp_path / "made" / "up", recognizer, Upscaler(), images, seed=0), recognizer

    return made


def degrees(threshold: calibration.Threshold) -> float:
    return float(np.rad2deg(np.arccos(threshold.similarity)))


def test_pairs_by_hand(make):
    """People at 0 and 10, 40 and 45, 100 degrees: of 16 ordered impostor pairs 2 lie at 30, 2 at 35, 2 at 40."""
    found, _ = make([0, 10, 40, 45, 100], [0, 0, 1, 1, 2])

    at_quarter = found.threshold(0.25, gallery_size=1, enrolled_sizes=[0], probe_size=0)

    assert (found.name, found.people, len(found.labels)) == ("made/up", 3, 5)
    assert at_quarter.searches == 16
    assert at_quarter.false_accepts == 4  # those at 30 and 35; with those at 40 it would be 6 of 16
    assert at_quarter.far == 0.25
    assert 35 < degrees(at_quarter) <= 40 + 1e-4
    assert at_quarter.genuine == 1.0
    none = found.threshold(0.1, gallery_size=1, enrolled_sizes=[0], probe_size=0)
    assert none.false_accepts == 0
    assert degrees(none) == pytest.approx(30, abs=1e-3)


def test_larger_galleries_need_a_stricter_threshold(make):
    generator = np.random.default_rng(0)
    found, _ = make(generator.integers(0, 180, 120), np.arange(120) // 2)

    thresholds = [found.threshold(0.05, size, [0], 0) for size in (1, 3, 30)]

    assert [threshold.gallery_size for threshold in thresholds] == [1, 3, 30]
    assert thresholds[0].similarity < thresholds[1].similarity < thresholds[2].similarity
    assert all(threshold.far <= 0.05 for threshold in thresholds)
    assert thresholds[1].searches >= 20_000
    assert found.threshold(0.05, 1000, [0], 0).gallery_size == 59


def test_false_accept_rate_of_independent_people_grows_with_the_gallery():
    """On a circle a stranger is within an angle a of one person with probability a / 180, of n: 1 - (1 - a / 180)^n."""
    angles = np.deg2rad(np.random.default_rng(1).uniform(0, 360, 600))
    templates = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    limit = 1 - np.cos(np.deg2rad(9))

    for size in (1, 5):
        distances = impostor_distances(templates, templates, np.arange(600), size, seed=0)
        assert np.mean(distances <= limit) == pytest.approx(1 - 0.95**size, abs=0.01)


def test_the_person_searched_is_never_in_the_gallery():
    """Two images of everybody are equal, and people are orthogonal: no impostor is nearer than 1."""
    labels = np.repeat(np.arange(6), 2)
    templates = np.eye(6)[labels]

    for size in (1, 2, 5):
        assert np.all(impostor_distances(templates, templates, labels, size, seed=3) == 1.0)
    assert np.all(genuine_distances(templates, templates, labels) == 0.0)
    assert len(genuine_distances(templates, templates, labels)) == 12


def test_enlarged_faces_get_a_threshold_of_their_own(make):
    """The upscaler makes the people at 0, 20 and 60 degrees one and the same."""
    found, _ = make([0, 20, 60, 150], [0, 1, 2, 3])

    sharp = found.threshold(0.25, 1, [0], 0)
    enlarged = found.threshold(0.25, 1, [32], 32)

    assert (sharp.false_accepts, sharp.searches) == (2, 12)
    assert degrees(sharp) == pytest.approx(40, abs=1e-3)
    assert enlarged.false_accepts == 0
    assert degrees(enlarged) == pytest.approx(0, abs=0.1)
    assert (enlarged.enrolled_size, enlarged.probe_size) == (32, 32)
    # Where the enrolled faces differ the strictest threshold holds.
    assert found.threshold(0.25, 1, [0, 32], 32) == enlarged


def test_templates_are_kept_between_runs_and_made_anew_for_another_set(make):
    make([0, 10, 40], [0, 1, 2])[0].threshold(0.5, 1, [0], 0)

    again, recognizer = make([0, 10, 40], [0, 1, 2])
    again.threshold(0.5, 1, [0], 0)
    assert recognizer.seen == 0
    again.threshold(0.5, 1, [0], 16)
    assert recognizer.seen == 3

    folder = again._source.directory
    folder.mkdir()
    (folder / "x.tfrecord-00000-of-00001").write_bytes(b"another set")
    other, recognizer = make([0, 10, 40], [0, 1, 2])
    other.threshold(0.5, 1, [0], 0)
    assert recognizer.seen == 3


def test_images_are_chosen_in_pairs_of_one_person():
    labels = np.array([0, 0, 0, 1, 2, 2, 3, 3])
    detected = np.array([True] * 7 + [False])

    assert choose_images(labels, detected, 0, seed=0).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert choose_images(labels, detected, 4, seed=0).tolist() == [0, 1, 4, 5]
    assert choose_images(labels, detected, 6, seed=0).tolist() == [0, 1, 3, 4, 5, 6]


def test_a_set_of_one_person_gives_no_threshold(make):
    with pytest.raises(UserError, match=r"made/up: shows 1 people in 2 images .* two people or more"):
        make([0, 10], [0, 0])
