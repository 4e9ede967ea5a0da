"""Thresholds of the models that come with the program, measured on LFW before: a first search needs to measure nothing.

`thresholds.json` (benchmarks/shipped_thresholds.py) has them for galleries of 1 to 500 people with 1 to 4 pictures
each; between these the similarity is interpolated in the logarithms of both. It holds rates, no faces or templates.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lowres_jax.evaluation.measurement import fingerprint
from lowres_jax.matching.calibration import Threshold, models
from lowres_jax.matching.centering import Centering
from lowres_jax.matching.simulation import Recipe
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.super_resolution.upscaler import UpscalerBySize

FILE = Path(__file__).parent / "thresholds.json"
_RATES = ("similarity", "far", "searches", "false_accepts", "genuine", "different")


class Thresholds(Protocol):
    """Whatever tells from which similarity on a match is named; `calibration.Calibration` measures it.

    Attributes:
      name: name of the set that they were measured on, as "lfw/mtcnn".
    """

    name: str

    @property
    def people(self) -> int:
        """How many people the set shows."""

    @property
    def images(self) -> int:
        """In how many images."""

    def threshold(self, far: float, recipe: Recipe, probe_size: int, frames: int = 1) -> Threshold:
        """See `calibration.Calibration.threshold`."""


def described(recognizer: Recognizer, upscalers: UpscalerBySize, centering: Centering, detector: str) -> str:
    """Names all that thresholds depend on but the gallery."""
    members = sorted(upscalers.members, key=lambda each: each.name)
    return fingerprint(models(recognizer, members), sorted(centering.described, key=repr), detector)


class ShippedThresholds:
    """The thresholds of a file; see `Thresholds`."""

    def __init__(self, content: dict[str, Any]):
        """Takes what the file has."""
        self.name: str = content["set"]
        self.people: int = content["people"]
        self.images: int = content["images"]
        self._most_pictures: int = content["most_pictures"]
        # (false accept rate, probe size, frames) -> people, pictures each -> rates.
        self._tables: dict[tuple[float, int, int], dict[tuple[int, int], dict[str, Any]]] = {}
        for row in content["thresholds"]:
            table = self._tables.setdefault((row["asked"], row["probe_size"], row["frames"]), {})
            table[row["people"], row["pictures"]] = row

    @classmethod
    def load(cls, made_for: str, file: Path = FILE) -> "ShippedThresholds | None":
        """Those for some models (`described`); None where there are none for them."""
        for content in json.loads(file.read_text())["models"] if file.is_file() else ():
            if content["made_for"] == made_for:
                return cls(content)
        return None

    def covers(self, far: float, recipe: Recipe) -> bool:
        """Whether galleries of that kind were measured: as large, with as many pictures, of faces not enlarged."""
        table = self._tables.get((far, 0, 1))
        if table is None or any(size for own in recipe for size in own):
            return False
        most_people, most_pictures = (max(each) for each in zip(*table, strict=True))
        return len(recipe) <= most_people and max(map(len, recipe)) <= most_pictures

    def threshold(self, far: float, recipe: Recipe, probe_size: int, frames: int = 1) -> Threshold:
        """The threshold for a gallery that is covered; rates are those of the nearest one that was measured."""
        table = self._tables[far, probe_size, frames]
        people = sorted({each for each, _ in table})
        pictures = sorted({each for _, each in table})
        mean = float(np.mean([len(own) for own in recipe]))
        values: dict[str, float | None] = {}
        for name in ("similarity", "genuine", "different"):
            grid = [[table[a, b][name] for a in people] for b in pictures]
            values[name] = _interpolated(np.log(people), np.log(pictures), grid, np.log(len(recipe)), np.log(mean))
        nearest = table[
            min(people, key=lambda each: abs(np.log(each / len(recipe)))),
            min(pictures, key=lambda each: abs(np.log(each / mean))),
        ]
        assert values["similarity"] is not None
        return Threshold(
            similarity=values["similarity"],
            asked=far,
            claimed=True,
            far=nearest["far"],
            searches=nearest["searches"],
            false_accepts=nearest["false_accepts"],
            genuine=values["genuine"],
            different=values["different"],
            recipe=recipe,
            most_pictures=self._most_pictures,
            probe_size=probe_size,
            frames=frames,
        )


def row(threshold: Threshold, people: int, pictures: int) -> dict[str, Any]:
    """A threshold as the file has it."""
    found: dict[str, Any] = {"asked": threshold.asked, "probe_size": threshold.probe_size, "frames": threshold.frames}
    found |= {"people": people, "pictures": pictures}
    for name in _RATES:
        value = getattr(threshold, name)
        found[name] = round(value, 5) if isinstance(value, float) else value
    return found


def _interpolated(
    columns: np.ndarray, rows: np.ndarray, grid: Sequence[Sequence[float | None]], column: float, row: float
) -> float | None:
    """Linear in both directions; None where one of the neighbors that count is."""
    total = 0.0
    for own, weight in _weights(rows, row):
        for other, factor in _weights(columns, column):
            value = grid[own][other]
            if value is None:
                return None
            total += weight * factor * value
    return total


def _weights(places: np.ndarray, at: float) -> list[tuple[int, float]]:
    """The neighbors of a place on an axis, and how much each counts; those that count nothing are left out."""
    after = int(np.clip(np.searchsorted(places, at), 1, max(len(places) - 1, 1)))
    if len(places) == 1:
        return [(0, 1.0)]
    share = float(np.clip((at - places[after - 1]) / (places[after] - places[after - 1]), 0.0, 1.0))
    return [(place, weight) for place, weight in ((after - 1, 1.0 - share), (after, share)) if weight > 1e-9]
