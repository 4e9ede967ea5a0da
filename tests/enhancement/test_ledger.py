"""The account of a run: what it says, what a second run makes of it, and what it refuses.

Covers `data/output_paths.py` too.
"""

import csv
import dataclasses
import json
from pathlib import Path

import pytest

from lowres_jax.enhancement.ledger import FaceRow, Ledger, PictureEntry
from lowres_jax.errors import UserError

ROW = FaceRow(
    picture="in/a.jpg",
    face=1,
    result="out/a_face1.png",
    box=[1.0, 2.0, 30.5, 40.0],
    score=0.99,
    turned=0,
    size=16,
    enlarged_to=128,
    model="identity_x8",
    quality=0.75,
    noise=0.5,
    jpeg_quality=90,
    remark="",
)


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """The folder of a run that enhanced one picture and could not read another."""
    result = tmp_path / "a_face1.png"
    result.write_bytes(b"x")
    ledger = Ledger(tmp_path, {"upscaler": ("identity_x8",), "tile": 128}, overwrite=False)
    row = dataclasses.replace(ROW, result=str(result))
    ledger.entries["in/a.jpg"] = PictureEntry("in/a.jpg", "abc", [str(result)], [row])
    ledger.entries["in/\udcff.jpg"] = PictureEntry("in/\udcff.jpg", problem="damaged")
    ledger.save(["a note"])
    return tmp_path


def again(folder: Path, overwrite: bool = False, **changes: object) -> Ledger:
    return Ledger(folder, {"upscaler": ["identity_x8"], "tile": 128} | changes, overwrite)


def test_lines() -> None:
    assert ROW.line() == "a.jpg face 1 at 1,2: 16 px, x8 by identity_x8 to 128 px"
    crop = dataclasses.replace(ROW, face=0, box=None, turned=90, remark="JPEG quality 30", size=48)
    assert crop.line() == (
        "a.jpg: 48 px, x2.66667 by identity_x8 to 128 px, found in the picture turned by 90 degrees (JPEG quality 30)"
    )


def test_what_is_kept(done: Path) -> None:
    kept = json.loads((done / "enhance.json").read_bytes())
    assert kept["notes"] == ["a note"]
    first, second = kept["pictures"]
    assert (first["sha256"], first["faces"][0]["box"]) == ("abc", [1.0, 2.0, 30.5, 40.0])
    assert second["problem"] == "damaged"
    with (done / "enhance.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["picture"], row["size"]) == ("in/a.jpg", "16")
    assert [row[side] for side in ("left", "top", "right", "bottom")] == ["1.0", "2.0", "30.5", "40.0"]


def test_a_second_run_leaves_what_is_done(done: Path) -> None:
    ledger = again(done)
    assert ledger.done(Path("in/a.jpg"), "abc")
    assert not ledger.done(Path("in/a.jpg"), "changed since")
    assert not ledger.done(Path("in/other.jpg"), "abc")
    assert not ledger.done(Path("in/\udcff.jpg"), "")
    assert not again(done, overwrite=True).done(Path("in/a.jpg"), "abc")
    ledger.refuse([done / "a_face1.png"])  # its own
    (done / "a_face1.png").unlink()
    assert not ledger.done(Path("in/a.jpg"), "abc")


def test_other_settings_are_refused(done: Path) -> None:
    with pytest.raises(UserError, match=r"holds results of other settings \(tile\); --config\.overwrite=true"):
        again(done, tile=64)
    assert again(done, overwrite=True, tile=64).entries == {}


def test_a_damaged_account(done: Path) -> None:
    (done / "enhance.json").write_text("{")
    with pytest.raises(UserError, match=r"enhance\.json: cannot be read"):
        again(done)
    assert again(done, overwrite=True).entries == {}
    (done / "enhance.json").write_text('{"settings": {}, "pictures": [{"picture": 1}]}')
    with pytest.raises(UserError, match=r"enhance\.json: cannot be read"):
        again(done)


def test_files_of_somebody_else(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, {}, overwrite=False)
    with pytest.raises(UserError, match=r"b\.png \(and 1 more\): exists; --config\.overwrite=true"):
        ledger.refuse([tmp_path / "b.png", tmp_path / "c.png"])
    Ledger(tmp_path, {}, overwrite=True).refuse([tmp_path / "b.png"])
    ledger.refuse([])
