"""Pictures of a training."""

from pathlib import Path

import numpy as np
from PIL import Image

from lowres_jax.report.training_pictures import CURVES, write_curves

BLUE, ORANGE = (0, 114, 178), (213, 94, 0)


def rows_of(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.flatnonzero((np.abs(picture.astype(int) - color).sum(axis=2) < 12).any(axis=1))


def test_curves_show_every_figure_and_its_reference(tmp_path: Path) -> None:
    evaluations = [
        {"step": 0, "figures": {"psnr": 20.0}, "reference": {"psnr": 30.0}},
        {"step": 100, "figures": {"psnr": 25.0, "ssim": 0.5}, "reference": {"psnr": 30.0}},
    ]
    write_curves(tmp_path, evaluations, "bicubic")
    picture = np.asarray(Image.open(tmp_path / CURVES).convert("RGB"))
    upper, lower = np.array_split(picture, 2)
    # The reference is above the curve of the first figure; the second one has none.
    line = rows_of(upper[:, 100:500], ORANGE)
    assert len(line)
    assert line.min() < rows_of(upper, BLUE).min()
    assert len(rows_of(lower, BLUE))
    assert not len(rows_of(lower, ORANGE))


def test_without_figures_there_are_no_curves(tmp_path: Path) -> None:
    write_curves(tmp_path, [{"step": 0, "figures": {}, "reference": {}}], "bicubic")
    assert not (tmp_path / CURVES).exists()
