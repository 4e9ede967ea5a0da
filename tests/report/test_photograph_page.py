"""The page of a searched photograph: boxes where the faces are, in the color of their answers, and names in full.

Covers `report/contact_sheet.py` too.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from lowres_jax.report import contact_sheet, photograph_page
from lowres_jax.report.photograph_page import MarkedFace


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def near(pixels: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.abs(pixels - color).max(axis=-1) < 40


def test_boxes_are_where_the_faces_are(tmp_path: Path) -> None:
    photograph = np.full((400, 800, 3), 0.5, np.float32)
    faces = [
        MarkedFace(np.asarray([100.0, 100.0, 200.0, 250.0]), "anna, 0.612", True),
        MarkedFace(np.asarray([500.0, 60.0, 640.0, 300.0]), "unknown", False),
    ]
    photograph_page.write_page(tmp_path / "a.jpg", "a.jpg", photograph, faces)
    page = read(tmp_path / "a.jpg")
    assert page.shape[1] == 800
    assert page.shape[0] > 400  # with the answers below
    # Across the middle of each face its two sides, in the color of its answer.
    for y, color, sides in ((180, contact_sheet.MATCH, (101, 199)), (180, contact_sheet.NO_MATCH, (501, 639))):
        columns = np.flatnonzero(near(page[y], color))
        assert abs(columns.min() - sides[0]) <= 3
        assert abs(columns.max() - sides[1]) <= 3


def test_small_photographs_are_shown_larger_and_large_ones_smaller(tmp_path: Path) -> None:
    for shape, width in (((30, 60, 3), 480), ((3000, 1000, 3), 533)):
        photograph_page.write_page(tmp_path / "a.jpg", "a.jpg", np.zeros(shape, np.float32), [])
        assert read(tmp_path / "a.jpg").shape[1] == width


def test_a_long_name_is_whole() -> None:
    font = contact_sheet.font(17)
    name = "x" * 200
    lines = contact_sheet.wrapped(f"1  {name} and y", font, 400)
    assert "".join(lines).replace(" ", "") == f"1{name}andy"
    assert all(font.getlength(line) <= 400 for line in lines)
    assert contact_sheet.wrapped("a b", font, 400) == ["a b"]
