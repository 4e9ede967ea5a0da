"""The README's pictures of the program, made from what a demo writes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import readme_pictures
from made_scenes import orl, png
from PIL import Image

from lowres_jax.clips import example

PEOPLE = {"person_a_1.jpg": (1, 1), "person_a_2.jpg": (1, 9), "person_b_1.jpg": (2, 1), "person_b_2.jpg": (2, 9)}
PEOPLE |= {"impostor_1.jpg": (30, 1), "impostor_2.jpg": (31, 1)}


@pytest.mark.whole
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here: no pictures of pages")
def test_all_pictures_are_made_of_a_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of a stand-in for the demo: a report, a clip; portraits are ORL faces."""
    demo, output, portraits = tmp_path / "demo", tmp_path / "images", tmp_path / "portraits"
    portraits.mkdir()
    for name, (person, number) in PEOPLE.items():
        (portraits / name).write_bytes(png(orl(person, number)))
    monkeypatch.setattr(readme_pictures, "find_fetched_file", lambda _, file: portraits / file)
    (demo / "clip" / "clips").mkdir(parents=True)
    (demo / "report.html").write_text("<body style='background: rgb(10, 200, 30)'>")
    example.write(demo / "clip" / "clips" / "walk.mp4", example.frames([orl(1, 9)], seconds=0.5, height=60))
    output.mkdir()
    readme_pictures.main(demo, output)
    pictures = {path.stem: np.asarray(Image.open(path)) for path in output.iterdir()}
    assert {name: each.shape[1] for name, each in pictures.items() if name != "clip"} == {
        "report": 1225,
        "identify": 860,
        "page": 688,
    }
    np.testing.assert_allclose(pictures["report"][-1, -1], (10, 200, 30), atol=3)
    # Two frames of the clip, in which a face has gone on from left to right.
    left, right = np.split(pictures["clip"].astype(int), 2, axis=1)
    assert np.abs(left - right).mean() > 1
    assert min(each.std() for each in pictures.values() if each is not pictures["report"]) > 10
