"""Results that cannot be written are counted, and the others are written.

Covers `enhancement/writing.py` too.
"""

from pathlib import Path

import numpy as np
import pytest

from lowres_jax.data import images, metadata
from lowres_jax.data.images import DecodedImage
from lowres_jax.enhancement.ledger import PictureEntry
from lowres_jax.enhancement.writing import Maker, ResultWriter, Style
from lowres_jax.errors import UserError

PIXELS = np.zeros((8, 8, 3), np.float32)


def written(folder: Path, names: list[str]) -> tuple[list[PictureEntry], ResultWriter]:
    settled: list[PictureEntry] = []
    writer = ResultWriter(Style("png"), settled.append)
    with writer.opened():
        for name in names:
            entry = PictureEntry(name, "00")
            with writer.picture(entry) as write:
                write(folder / f"{name}.png", PIXELS, DecodedImage(PIXELS), Maker("bicubic", False), whole=True)
    return settled, writer


def test_an_encoder_that_stumbles_ends_no_other_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image = images.write_image

    def stumbling(path: Path, *arguments: object) -> list[str]:
        if path.name == "b.png":
            raise ValueError("EXIF data is too long")
        return write_image(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(images, "write_image", stumbling)
    settled, writer = written(tmp_path, ["a", "b", "c"])
    assert [(entry.picture, len(entry.results)) for entry in settled] == [("a", 1), ("b", 0), ("c", 1)]
    assert writer.refused == [f"{tmp_path / 'b.png'}: cannot be written (ValueError: EXIF data is too long)"]


def test_a_full_disk_ends_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> list[str]:
        raise UserError("a.png: cannot be written (No space left on device)")

    monkeypatch.setattr(images, "write_image", full)
    with pytest.raises(UserError, match="No space left"):
        written(tmp_path, ["a", "b"])


def test_pixels_are_written_where_their_metadata_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "options", lambda *_: ({"exif": b"x" * 70_000}, []))
    remarks = images.write_image(tmp_path / "a.jpg", PIXELS)
    assert remarks == [f"{tmp_path / 'a.jpg'}: its metadata is not kept (EXIF data is too long)"]
    assert images.read_image(tmp_path / "a.jpg").shape == (8, 8, 3)
