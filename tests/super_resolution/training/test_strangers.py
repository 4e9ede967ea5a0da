"""The strangers of a training: whose templates they are, and that they are measured once."""

from pathlib import Path

import numpy as np
import pytest
from made_records import write_set

from lowres_jax.data.records import open_records
from lowres_jax.super_resolution.training import strangers as known_strangers


class Counted:
    """A recognizer that tells the mean of each color, and counts what it has seen."""

    name, seen = "counted", 0

    def templates(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        means = images.mean(axis=(1, 2))
        return means / np.linalg.norm(means, axis=-1, keepdims=True)


def test_strangers_are_the_training_crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path / "cache"))
    crops = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), np.uint8)
    source = open_records(write_set(tmp_path / "faces" / "made", crops, labels=[4, 4, 7, 8, 8]))
    judge = Counted()
    found = known_strangers.load(source, np.asarray([3, 0, 2]), 32, judge)
    assert found.labels.tolist() == [4, 7, 8]
    means = crops[[0, 2, 3], 4:36, 4:36].mean(axis=(1, 2)) / 255.0
    means /= np.linalg.norm(means, axis=-1, keepdims=True)
    np.testing.assert_allclose(found.mean, means.mean(axis=0), rtol=1e-5)
    expected = means - means.mean(axis=0)
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(found.templates, expected, rtol=1e-3, atol=1e-5)
    again = known_strangers.load(source, np.asarray([0, 2, 3]), 32, judge)
    np.testing.assert_array_equal(again.templates, found.templates)
    assert judge.seen == 3
    # Another crop of the same records is another set; a damaged file is made again.
    known_strangers.load(source, np.asarray([0, 2, 3]), 40, judge)
    assert judge.seen == 6
    for file in (tmp_path / "cache" / "strangers").iterdir():
        file.write_bytes(file.read_bytes()[:50])
    known_strangers.load(source, np.asarray([0, 2, 3]), 32, judge)
    assert judge.seen == 9
