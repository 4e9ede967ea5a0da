"""`follow`: tells the tracker of cuts, though only some frames are read.

Covers `clips/color.py`, `clips/search.py` too.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowres_jax.clips import search
from lowres_jax.clips.color import Tags
from lowres_jax.clips.reading import Clip, Frame


class Made(Clip):
    """Ten frames, each of its number's gray."""

    identity = (("made", 0, 0),)

    def _all(self) -> Iterator[Frame]:
        for number in range(self.frames):
            yield Frame(number, number / self.rate, np.full((8, 8, 3), number, np.uint8))


class Nobody:
    """A reader that finds no face."""

    def views(self, pictures: list[np.ndarray]) -> list[list[Any]]:
        return [[] for _ in pictures]


def test_a_cut_between_two_frames_that_are_looked_at_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, float, bool]] = []

    class Scenes:
        """Cuts at frame 4, between the looked at 3 and 6."""

        def is_cut(self, pixels: np.ndarray) -> bool:
            return int(pixels[0, 0, 0]) == 4

    class Tracker:
        def __init__(self, same: float, step: float):
            assert step == pytest.approx(0.3)
            self.tracks: list[Any] = []

        def add(self, number: int, seconds: float, faces: list[Any], cut: bool) -> list[Any]:
            told.append((number, round(seconds, 3), cut))
            return []

    monkeypatch.setattr(search, "Scenes", Scenes)
    monkeypatch.setattr(search, "Tracker", Tracker)
    search.follow(Made(Path("made"), 10.0, 10, 1.0, Tags()), Nobody(), 3, 0.0, None, 2)  # type: ignore[arg-type]
    assert told == [(0, 0.0, False), (3, 0.3, False), (6, 0.6, True), (9, 0.9, False)]
