"""A searched clip again, with a box around each face that was followed and beside it who it is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from ml_collections import ConfigDict
from PIL import Image, ImageDraw
from tqdm import tqdm

from lowres_jax.clips.reading import Clip
from lowres_jax.clips.search import TrackAnswer
from lowres_jax.clips.writing import writing
from lowres_jax.data import output_paths
from lowres_jax.report import search_wording
from lowres_jax.report.contact_sheet import PAPER, font
from lowres_jax.report.drawn_text import drawable

# Okabe and Ito's palette without its black and its yellow, on which white text cannot be read.
COLORS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (230, 159, 0))


def write_annotated(folder: Path, tracks: Sequence[TrackAnswer], config: ConfigDict) -> list[Path]:
    """Writes searched clips, from `config.start` to before `config.stop`, with their sound.

    Args:
      folder: gets them, by the names of the clips.
      tracks: the answers.
      config: config of `identify`.

    Returns:
      Paths of the .mp4 files.

    Raises:
      UserError: one cannot be written.
    """
    by_clip: dict[Path, list[TrackAnswer]] = {}
    for answer in tracks:
        by_clip.setdefault(answer.path, []).append(answer)
    if config.frames_per_second:
        # Folders of frames: that of the probe, and below it those of its subfolders.
        probe = Path(config.probe)
        results = {path: folder / probe.name / path.relative_to(probe) for path in by_clip}
    else:
        results = output_paths.assign(list(by_clip), Path(config.probe), folder, len(".mp4"))
    written = []
    for path, own in by_clip.items():
        written.append(output_paths.with_ending(results[path], ".mp4"))
        _write(written[-1], own, config)
    return written


def _write(path: Path, answers: Sequence[TrackAnswer], config: ConfigDict) -> None:
    """Writes the clip of some tracks."""
    clip: Clip = answers[0].followed.clip
    labels = [
        f"{answer.matches[0].name} {answer.matches[0].similarity:.2f}"
        if answer.accepted
        else search_wording.verdict(answer, False, config.least_found).value
        for answer in answers
    ]
    total = clip.expected(config.start, config.stop) or None
    with (
        writing(path, clip.rate, clip, config.start) as write,
        tqdm(total=total, desc=f"draw {clip.path.name}", unit="frame", dynamic_ncols=True, leave=False) as progress,
    ):
        for frame in clip.read(config.start, config.stop):
            shown = [
                (box, label, COLORS[number % len(COLORS)])
                for number, (answer, label) in enumerate(zip(answers, labels, strict=True))
                if (box := answer.track.box_at(frame.seconds)) is not None
            ]
            write(frame, drawn(frame.pixels, shown))
            progress.update()


def drawn(
    pixels: UInt8[np.ndarray, "H W 3"], boxes: Sequence[tuple[np.ndarray, str, tuple[int, int, int]]]
) -> UInt8[np.ndarray, "H W 3"]:
    """A frame, (H, W, 3) uint8, with boxes, each with its text and color; unchanged where there are none."""
    if not boxes:
        return pixels
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    size = max(11, round(min(pixels.shape[:2]) / 26))
    letters = font(size)
    for box, label, color in boxes:
        left, top, right, bottom = (float(value) for value in box)
        draw.rectangle((left, top, max(right, left + 1), max(bottom, top + 1)), outline=color, width=2)
        text = drawable(label, letters)
        width, height = letters.getlength(text) + 6, size + 5
        # Above the box, or below it where there is no room; never outside the frame.
        at_top = top - height if top >= height else min(bottom, pixels.shape[0] - height)
        at_left = min(max(left, 0.0), max(pixels.shape[1] - width, 0.0))
        draw.rectangle((at_left, at_top, at_left + width, at_top + height), fill=color)
        draw.text((at_left + 3, at_top + 1), text, PAPER, letters)
    return np.asarray(image)
