"""The page of faces before and after: what it holds, and that it asks nobody for anything."""

import base64
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from lowres_jax.enhancement import before_after
from lowres_jax.enhancement.before_after import Sheet


def decoded(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


def test_pixels_before_and_the_result_after(tmp_path: Path) -> None:
    before = np.zeros((8, 8, 3), np.float32)
    before[:, 4:] = 1.0
    sheet = Sheet(2)
    sheet.add("<a> & b.jpg, face 1", before, np.full((64, 64, 3), 0.5, np.float32))
    sheet.add("large.jpg", before, np.full((1800, 3600, 3), 200, np.uint8))
    sheet.add("one too many", before, np.zeros((64, 64, 3), np.float32))
    first, second = sheet.rows
    assert (first.width, first.height) == (256, 256)
    assert (second.width, second.height) == (900, 450)
    pixels = decoded(first.before)
    assert pixels[:, :124].max() < 20
    assert pixels[:, 132:].min() > 235
    assert np.abs(decoded(first.after).astype(int) - 128).max() <= 2
    assert np.abs(decoded(second.after).astype(int) - 200).max() <= 2

    before_after.write(tmp_path / "a.html", sheet, "Detail is <invented>.")
    page = (tmp_path / "a.html").read_text()
    assert "Detail is &lt;invented&gt;." in page
    assert "&lt;a&gt; &amp; b.jpg, face 1" in page
    assert page.count('type="range"') == 2
    assert page.count(first.before) == 1
    # Nothing from anywhere else.
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "default-src 'none'" in page
