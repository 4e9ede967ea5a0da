"""The comparison on photographs that are small as a whole."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import small_photographs

from lowres_jax.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four "people" with two photographs each, one face in colors of each of them; and one with a single photograph."""
    place = tmp_path_factory.mktemp("people")
    astronaut = skimage.data.astronaut()[:260, 100:360, ::-1].astype(np.float32)
    for person in range(5):
        own = place / f"person_{person}"
        own.mkdir()
        tint = np.roll([1.0, 0.75, 0.5], person) if person < 3 else np.full(3, 1.25 - 0.15 * person)
        for number in range(2 if person < 4 else 1):
            moved = np.roll(astronaut, 6 * number, axis=1) * tint
            cv2.imwrite(str(own / f"{number}.png"), moved.clip(0, 255).astype(np.uint8))
    return place


def compare(folder: Path, *flags: str) -> None:
    small = ("--recognizer", "sface", "--upscaler", "bicubic", "--resamples", "100")
    small_photographs.main([str(folder), *small, *flags])


@pytest.mark.whole
def test_rows_of_every_way_at_every_size(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(folder, "--sizes", "48", "12", "--before", "bicubic", "--output", str(tmp_path))
    content = json.loads((tmp_path / "photographs.json").read_text())
    assert (content["photographs"], content["people"]) == (8, 4)
    rows = {(row["size"], row["landmarks"]): row for row in content["rows"]}
    ways = ("true landmarks", "as it is", "bicubic")
    assert list(rows) == [(None, "originals"), *[(size, way) for size in (48, 12) for way in ways]]
    for size in (48, 12):
        assert rows[size, "true landmarks"]["found"] == 1
        assert rows[size, "true landmarks"]["landmark_error"] == 0
        assert rows[size, "bicubic"]["difference"]["as it is"]["dir_at_far_1e-2"][0] == pytest.approx(
            rows[size, "bicubic"]["metrics"]["dir_at_far_1e-2"] - rows[size, "as it is"]["metrics"]["dir_at_far_1e-2"]
        )
        assert rows[size, "bicubic"]["found"] >= rows[size, "as it is"]["found"]
    assert rows[48, "as it is"]["found"] == 1
    assert 0 < rows[48, "as it is"]["landmark_error"] < 0.15
    # MTCNN's own smallest face has 20 px: of 12 it sees nothing until the photograph is enlarged.
    assert rows[12, "as it is"]["found"] == 0
    assert rows[12, "bicubic"]["found"] > 0.5
    assert "12 px, bicubic" in capsys.readouterr().out


def test_too_few_people(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"0 people have two photographs in which haar finds a face with landmarks"):
        compare(folder, "--detector", "haar", "--output", str(tmp_path))
    with pytest.raises(UserError, match=r"no such file or folder"):
        compare(folder / "absent", "--output", str(tmp_path))
