"""The gallery of a comparison of detectors: some pictures of every outcome, with both boxes."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from lowres_jax.data.images import to_uint8
from lowres_jax.localization.detector import Face
from lowres_jax.localization.outcomes import DESCRIPTIONS, Detection, Outcome

_TILE = 150  # pixels
_HEADING = 26
_MTCNN, _HAAR, _INK, _PAPER = (0, 158, 115), (213, 94, 0), (30, 30, 30), (255, 255, 255)


def draw(
    examples: Mapping[Outcome, Sequence[tuple[np.ndarray, Detection]]], counts: Mapping[Outcome, int], columns: int
) -> UInt8[np.ndarray, "height width 3"]:
    """One row for each outcome that occurred.

    Args:
      examples: pictures of each outcome, at most `columns`, (H, W, 3) float32 RGB in [0, 1], with their faces.
      counts: number of occurrences of each.
      columns: pictures in a row.

    Returns:
      (height, width, 3) uint8 RGB.
    """
    total = max(sum(counts.values()), 1)
    rows = [_legend(columns)]
    for outcome, description in DESCRIPTIONS.items():
        if not counts.get(outcome):
            continue
        count = counts[outcome]
        rows.append(_heading(f"{description}: {count:,} of {total:,} ({count / total:.1%})", columns))
        tiles = [_tile(image, found) for image, found in examples[outcome][:columns]]
        tiles += [np.full((_TILE, _TILE, 3), _PAPER, np.uint8)] * (columns - len(tiles))
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


def _strip(columns: int) -> np.ndarray:
    return np.full((_HEADING, columns * _TILE, 3), _PAPER, np.uint8)


def _heading(text: str, columns: int) -> np.ndarray:
    return cv2.putText(_strip(columns), text, (4, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.48, _INK, 1, cv2.LINE_AA)


def _legend(columns: int) -> np.ndarray:
    strip = _strip(columns)
    for text, color, left in (("MTCNN, with landmarks", _MTCNN, 4), ("Haar", _HAAR, 220)):
        cv2.rectangle(strip, (left, 7), (left + 12, 19), color, 2)
        cv2.putText(strip, text, (left + 20, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.48, _INK, 1, cv2.LINE_AA)
    return strip


def _tile(image: np.ndarray, found: Detection) -> np.ndarray:
    """A picture, reduced or enlarged to fit a square, with the faces drawn on it."""
    scale = (_TILE - 4) / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = np.ascontiguousarray(to_uint8(cv2.resize(image, size, interpolation=interpolation)))
    if found.haar is not None:
        _draw_face(small, found.haar, scale, _HAAR)
    if found.mtcnn is not None:
        _draw_face(small, found.mtcnn, scale, _MTCNN)
    tile = np.full((_TILE, _TILE, 3), _PAPER, np.uint8)
    top, left = (_TILE - size[1]) // 2, (_TILE - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


def _draw_face(picture: np.ndarray, face: Face, scale: float, color: tuple[int, int, int]) -> None:
    x0, y0, x1, y1 = (round(float(value) * scale) for value in face.box)
    cv2.rectangle(picture, (x0, y0), (x1, y1), color, 2)
    for x, y in [] if face.landmarks is None else face.landmarks:
        cv2.circle(picture, (round(float(x) * scale), round(float(y) * scale)), 2, color, -1, cv2.LINE_AA)
