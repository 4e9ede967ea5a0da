"""Pictures of a training: the generator's results on faces that it does not learn from, its crops, its curves."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from lowres_jax.utils.files import write_atomically

_GAP, _TITLE = 6, 22
CURVES = "curves.png"
_PAPER, _INK = (255, 255, 255), (32, 33, 36)


def face_grid(titles: Sequence[str], columns: Sequence[np.ndarray]) -> UInt8[np.ndarray, "H W 3"]:
    """Faces in rows, their versions in columns, on white.

    Args:
      titles: titles of the columns.
      columns: (B, h, h, 3) or (B, h, h, 1) float32 in [0, 1] each; smaller ones are shown with square pixels.

    Returns:
      (H, W, 3) uint8.
    """
    side = max(column.shape[1] for column in columns)
    rows = len(columns[0])
    size = (_GAP + len(columns) * (side + _GAP), _TITLE + rows * (side + _GAP))
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for number, (title, column) in enumerate(zip(titles, columns, strict=True)):
        left = _GAP + number * (side + _GAP)
        draw.text((left, 4), title, _INK, font)
        for row, face in enumerate(column):
            content = np.rint(np.clip(np.broadcast_to(face, (*face.shape[:2], 3)), 0, 1) * 255).astype(np.uint8)
            picture = Image.fromarray(content).resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(picture, (left, _TITLE + row * (side + _GAP)))
    return np.asarray(sheet)


def sharpness_histogram(
    sharpness: Shaped[np.ndarray, " N"], chosen: Shaped[np.ndarray, " n"], threshold: float
) -> bytes:
    """Histogram of the sharpness of all crops, with those that a training learns from, as PNG.

    Args:
      sharpness: (N,) variance of the Laplacian of each crop to choose from.
      chosen: (n,) of those that were drawn.
      threshold: least sharpness.
    """
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    edges = np.geomspace(max(1.0, sharpness.min()), max(2.0, sharpness.max()), 40).tolist()
    axes.hist(sharpness, edges, color="#c8ccd2", label=f"all {len(sharpness):,} crops")
    axes.hist(chosen, edges, color="#0072b2", label=f"the {len(chosen):,} learned from")
    if threshold > 0:
        axes.axvline(threshold, color="#d55e00", label=f"threshold {threshold:g}")
    axes.set(xscale="log", xlabel="sharpness: variance of the Laplacian", ylabel="crops")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=130)
    return stream.getvalue()


def write_curves(workdir: Path, evaluations: Sequence[Mapping[str, Any]], reference: str) -> None:
    """Draws the figures of a training's evaluations over its steps, one below the other, into curves.png.

    Args:
      workdir: workdir of the training.
      evaluations: evaluations of `Progress.evaluations`, each with step, figures and reference.
      reference: name of the reference, drawn as a dashed line.
    """
    names = list(dict.fromkeys(name for each in evaluations for name in each["figures"]))
    if not names:
        return
    figure = Figure(figsize=(6.4, 0.6 + 1.7 * len(names)), layout="constrained")
    for axes, name in zip(figure.subplots(len(names), sharex=True, squeeze=False)[:, 0], names, strict=True):
        drawn = [(each["step"], each["figures"][name]) for each in evaluations if name in each["figures"]]
        axes.plot(*zip(*drawn, strict=True), marker="o", markersize=3, color="#0072b2")
        for value in {each["reference"][name] for each in evaluations[-1:] if name in each["reference"]}:
            axes.axhline(value, linestyle="--", color="#d55e00", label=f"{reference}: {value:.4g}")
            axes.legend(frameon=False, loc="best")
        axes.set_title(f"{name.replace('_', ' ')}: {drawn[-1][1]:.4g}", loc="left", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("step")
    with write_atomically(workdir / CURVES) as file:
        figure.savefig(file, format="png", dpi=130)
