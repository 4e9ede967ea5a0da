"""identify.png: each searched face as the photograph has it, as it was enlarged, and beside it the best matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lowres_jax.report.drawn_text import drawable
from lowres_jax.utils.files import write_atomically

_TILE, _GAP, _MARGIN, _TEXT_LINE = 128, 14, 28, 19
PAPER, INK, _MUTED, _LINE = (255, 255, 255), (32, 33, 36), (110, 114, 120), (222, 224, 228)
# Okabe and Ito's blue and vermilion, which color-blind people tell apart; a match is framed and ticked as well.
MATCH, NO_MATCH = (0, 114, 178), (213, 94, 0)
_FRAME = 4


@dataclass(frozen=True)
class Candidate:
    """An enrolled person beside a searched face.

    Attributes:
      name: name of the person.
      similarity: similarity of the two templates.
      crop: (128, 128, 3) uint8: of the person's pictures the most similar one.
      accepted: true if the similarity reaches the threshold.
    """

    name: str
    similarity: float
    crop: np.ndarray
    accepted: bool


@dataclass(frozen=True)
class Row:
    """A searched face.

    Attributes:
      source: file name and number of the face.
      cut: (s, s, 3) uint8 as the photograph has it.
      crop: (128, 128, 3) uint8 as the recognizer got it.
      how: size and enlargement, as "32 px, enlarged by srresnet".
      verdict: name or "unknown".
      threshold: similarity.
      candidates: the best matches, best first.
    """

    source: str
    cut: np.ndarray
    crop: np.ndarray
    how: str
    verdict: str
    threshold: float
    candidates: Sequence[Candidate]

    @property
    def matched(self) -> bool:
        """True if anybody reaches the threshold."""
        return any(candidate.accepted for candidate in self.candidates)


def write_sheet(path: Path, title: str, rows: Sequence[Row], notes: Sequence[str]) -> None:
    """Writes the sheet as PNG, whole or not at all.

    Args:
      path: path of the file.
      title: first line.
      rows: rows of the sheet, at least one.
      notes: lines of text at the bottom.
    """
    ranks = max(len(row.candidates) for row in rows)
    left = _MARGIN + 2 * (_TILE + _GAP)
    matches = left + 200 + _GAP
    width = max(matches + ranks * (_TILE + _GAP) - _GAP + _MARGIN, 900)
    row_height = _TILE + 2 * _TEXT_LINE + 30
    bold, small = font(22, "DejaVuSans-Bold.ttf"), font(13)
    lines = [line for note in notes for line in wrapped(note, small, width - 2 * _MARGIN)]
    head = _MARGIN + 40 + 26
    sheet = Image.new("RGB", (width, head + row_height * len(rows) + len(lines) * _TEXT_LINE + _MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 6), title, INK, bold)
    for x, text in (
        (_MARGIN, "in the picture"),
        (_MARGIN + _TILE + _GAP, "as compared"),
        (left, "answer"),
        (matches, "most similar enrolled people"),
    ):
        draw.text((x, _MARGIN + 40), text, _MUTED, small)
    for number, row in enumerate(rows):
        top = head + number * row_height
        draw.line((_MARGIN, top - 6, width - _MARGIN, top - 6), _LINE)
        _draw_row(sheet, draw, row, top + 6, left, matches)
    bottom = head + len(rows) * row_height
    draw.line((_MARGIN, bottom - 6, width - _MARGIN, bottom - 6), _LINE)
    for number, line in enumerate(lines):
        draw.text((_MARGIN, bottom + 8 + number * _TEXT_LINE), line, INK, small)
    with write_atomically(path) as file:
        sheet.save(file, format="PNG")


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int, left: int, matches: int) -> None:
    plain, small, answer = font(14), font(13), font(18, "DejaVuSans-Bold.ttf")
    # Nearest neighbor: the pixels that there are, not more.
    pixels = Image.fromarray(row.cut).resize((_TILE, _TILE), Image.Resampling.NEAREST)
    sheet.paste(pixels, (_MARGIN, top))
    sheet.paste(Image.fromarray(row.crop), (_MARGIN + _TILE + _GAP, top))
    draw.text((_MARGIN, top + _TILE + 4), _fitted(row.source, small, 2 * _TILE + _GAP), INK, small)
    draw.text((_MARGIN, top + _TILE + 4 + _TEXT_LINE), _fitted(row.how, small, 2 * _TILE + _GAP), _MUTED, small)
    color = MATCH if row.matched else NO_MATCH
    for number, line in enumerate(wrapped(row.verdict, answer, 200)[:4]):
        draw.text((left, top + 2 + number * 24), _fitted(line, answer, 200), color, answer)
    draw.text((left, top + _TILE - 18), f"threshold {row.threshold:.3f}", _MUTED, small)
    for number, candidate in enumerate(row.candidates):
        x = matches + number * (_TILE + _GAP)
        sheet.paste(Image.fromarray(candidate.crop), (x, top))
        if candidate.accepted:
            draw.rectangle((x, top, x + _TILE - 1, top + _TILE - 1), outline=MATCH, width=_FRAME)
        draw.text((x, top + _TILE + 4), _fitted(candidate.name, plain, _TILE), INK, plain)
        mark = "✓ " if candidate.accepted else ""
        ink = MATCH if candidate.accepted else _MUTED
        draw.text((x, top + _TILE + 4 + _TEXT_LINE), f"{mark}{candidate.similarity:.3f}", ink, plain)


def font(size: int, name: str = "DejaVuSans.ttf") -> ImageFont.FreeTypeFont:
    """Matplotlib's own font, which has Latin, Greek, Cyrillic and Arabic letters: names are not only English."""
    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}", size)


def _fitted(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Text in the font's characters, cut off at the end so that it is no wider than `width` pixels."""
    text = drawable(text, font)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Text in lines no wider than `width` pixels ; words longer than that are broken."""
    lines = [""]
    for word in drawable(text, font).split():
        while font.getlength(word) > width and len(word) > 1:
            # Longer than a line: a name in full rather than a word unbroken.
            end = next(end for end in range(len(word) - 1, 0, -1) if end == 1 or font.getlength(word[:end]) <= width)
            lines += [word[:end]] if lines[-1] else []
            lines[-1] = word[:end]
            lines.append("")
            word = word[end:]
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
