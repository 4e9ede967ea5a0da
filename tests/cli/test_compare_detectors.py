"""The comparison of detectors from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lowres_jax.main", "--config=configs/compare_detectors.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A face, no face, and a file that is no picture."""
    path = tmp_path / "pictures"
    path.mkdir()
    astronaut = skimage.data.astronaut()[:256, 96:352, ::-1]
    cv2.imwrite(str(path / "face.png"), astronaut)
    cv2.imwrite(str(path / "none.png"), np.full((256, 256, 3), 128, np.uint8))
    (path / "text.jpg").write_text("not a picture")
    return path


def test_counts_outcomes_and_draws_them(folder, tmp_path):
    found = run(f"--config.input={folder}", f"--workdir={tmp_path / 'work'}")

    assert found.returncode == 0, found.stderr
    result = json.loads((tmp_path / "work" / "detectors.json").read_text())
    assert result["images"] == 2
    assert result["found"] == {"mtcnn": 1, "haar": 1}
    assert {Path(path).name: outcome for path, outcome in result["pictures"].items()}["none.png"] == "none"
    assert result["outcomes"]["none"] == 1
    assert result["outcomes"]["agree"] + result["outcomes"]["lower_confidence"] == 1
    assert "text.jpg" in result["unreadable"][0]
    assert "2 pictures, 1 not readable" in found.stdout
    assert cv2.imread(str(tmp_path / "work" / "gallery.png")) is not None


def test_a_folder_without_a_readable_picture_is_one_line(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"")

    found = run(f"--config.input={tmp_path}", f"--workdir={tmp_path / 'work'}")

    assert found.returncode == 1
    assert found.stderr.strip().splitlines()[-1].startswith("error: not one of 1 pictures could be read:")
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "work").exists()
