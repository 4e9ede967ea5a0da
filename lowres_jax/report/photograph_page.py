"""A searched photograph with a box around each face and the answers below it, names in full."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from lowres_jax.clips.search import TrackAnswer
from lowres_jax.data import images, output_paths
from lowres_jax.data.images import to_uint8
from lowres_jax.matching.search import Answer
from lowres_jax.report import search_wording as wording
from lowres_jax.report.contact_sheet import INK, MATCH, NO_MATCH, PAPER, font, wrapped
from lowres_jax.report.search_files import Found
from lowres_jax.runtime.signals import interruptible
from lowres_jax.utils.files import write_atomically

_LARGEST, _SMALLEST = 1600, 480
_MARGIN, _TEXT, _LINE = 16, 17, 24


@dataclass(frozen=True)
class MarkedFace:
    """A face of the photograph.

    Attributes:
      box: (4,) left, top, right, bottom in pixels of the photograph.
      text: the answer, as "anna, 0.612 (threshold 0.312)".
      matched: true if it is a name.
    """

    box: np.ndarray
    text: str
    matched: bool


def write_page(path: Path, title: str, photograph: Float[np.ndarray, "H W 3"], faces: Sequence[MarkedFace]) -> None:
    """Writes the page as a JPEG, whole or not at all.

    Args:
      path: path of the file.
      title: first line below the photograph.
      photograph: (H, W, 3) float32 RGB in [0, 1].
      faces: faces of the photograph, in the order of their numbers.
    """
    height, width = photograph.shape[:2]
    longest = max(height, width)
    factor = min(_LARGEST / longest, max(1.0, _SMALLEST / longest))
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    shown = cv2.resize(to_uint8(photograph), size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    letters, bold = font(_TEXT), font(_TEXT, "DejaVuSans-Bold.ttf")
    room = max(size[0], _SMALLEST)
    lines = [(line, bold, INK) for line in wrapped(title, bold, room - 2 * _MARGIN)]
    for number, face in enumerate(faces, start=1):
        color = MATCH if face.matched else NO_MATCH
        own = wrapped(f"{number}  {face.text}", letters, room - 2 * _MARGIN)
        lines += [(line, letters, color) for line in own]
    page = Image.new("RGB", (room, size[1] + 2 * _MARGIN + _LINE * len(lines)), PAPER)
    page.paste(Image.fromarray(shown), ((room - size[0]) // 2, 0))
    draw = ImageDraw.Draw(page)
    for number, face in enumerate(faces, start=1):
        color = MATCH if face.matched else NO_MATCH
        left, top, right, bottom = (float(value) * factor for value in face.box)
        left, right = (value + (room - size[0]) // 2 for value in (left, right))
        draw.rectangle((left, top, max(right, left + 1), max(bottom, top + 1)), outline=color, width=3)
        # The number stands on its color, inside the picture, whatever lies below.
        place = min(max(left, 0), room - 30), max(top - _LINE, 0)
        draw.rectangle((*place, place[0] + letters.getlength(str(number)) + 8, place[1] + _LINE - 2), fill=color)
        draw.text((place[0] + 4, place[1] + 1), str(number), PAPER, letters)
    for number, (line, face_font, color) in enumerate(lines):
        draw.text((_MARGIN, size[1] + _MARGIN + number * _LINE), line, color, face_font)
    with write_atomically(path) as file:
        page.save(file, format="JPEG", quality=90)


def write_pages(folder: Path, found: Found) -> list[Path]:
    """Writes the searched photographs, as many as `config.pages`, with boxes and answers into a folder."""
    by_picture: dict[Path, list[Answer]] = {}
    for answer in found.answers:
        if isinstance(answer, TrackAnswer):
            continue  # drawn into its clip
        by_picture.setdefault(answer.path, []).append(answer)
    chosen = list(by_picture)[: found.config.pages]
    source = Path(found.config.probe)
    results = output_paths.assign(chosen, source, folder, len(".jpg"))
    written = []
    for path in interruptible(chosen):
        try:
            photograph = images.read_image(path)
        except images.UnreadableImageError:
            continue  # gone since it was searched
        faces = [
            MarkedFace(
                answer.view.face.box,
                f"{wording.said(answer, found.pair, found.config.least_found)}, {answer.view.native_size} px; nearest "
                f"{answer.matches[0].name} {answer.matches[0].similarity:.3f}, threshold "
                f"{answer.threshold.similarity:.3f}",
                bool(answer.accepted),
            )
            for answer in by_picture[path]
        ]
        written.append(output_paths.with_ending(results[path], ".jpg"))
        write_page(written[-1], path.name, photograph, faces)
    return written
