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
from lowres_jax.faces.centering import Centering
from lowres_jax.faces.loading import models
from lowres_jax.matching.calibration import Threshold
from lowres_jax.matching.simulation import Recipe
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.super_resolution.upscaler import UpscalerBySize

FILE = Path(__file__).parent / "thresholds.json"
# A threshold is extended by the growth over the last so manieth part of the measured galleries.
_REACH = 5
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
        return self.extends(far, recipe) and len(recipe) <= max(people for people, _ in self._tables[far, 0, 1])

    def extends(self, far: float, recipe: Recipe) -> bool:
        """Whether galleries of that kind were measured, but for the number of people."""
        table = self._tables.get((far, 0, 1))
        kinds = set(recipe)  # of a million people few
        if table is None or any(size for own in kinds for size in own):
            return False
        return max(map(len, kinds)) <= max(pictures for _, pictures in table)

    def extension(self, far: float, people: int) -> str:
        """What a threshold for more people than were measured is worth."""
        most = max(each for each, _ in self._tables[far, 0, 1])
        return (
            f"Thresholds were measured in galleries of up to {most} people; for {people:,} they are extended along "
            f"their growth with the logarithm of the number. Extended so from {most // _REACH} people on, those for "
            f"{most} would be up to {self._extension_error(far):.3f} too low: there may be more false names than told."
        )

    def _extension_error(self, far: float) -> float:
        """By how much an extension to the largest galleries from those of a fifth would fall short, at most."""
        worst = 0.0
        for table in [table for (asked, _, _), table in self._tables.items() if asked == far]:
            for own in {pictures for _, pictures in table}:
                people = np.asarray(sorted(each for each, pictures in table if pictures == own))
                values = np.asarray([table[each, own]["similarity"] for each in people])
                before = people <= people[-1] // _REACH
                extended = _extended(people[before], values[before], int(people[-1]))
                worst = max(worst, float(values[-1]) - extended)
        return worst

    def threshold(self, far: float, recipe: Recipe, probe_size: int, frames: int = 1) -> Threshold:
        """The threshold for a gallery that is covered; rates are those of the nearest one that was measured.

        Of one that has more people, see `extension`: it is not claimed, and of whom it finds nothing is known.
        """
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
        beyond = len(recipe) > people[-1]
        if beyond:
            own = min(pictures, key=lambda each: abs(np.log(each / mean)))
            known = np.asarray([table[each, own]["similarity"] for each in people])
            values = dict.fromkeys(values)
            values["similarity"] = _extended(np.asarray(people), known, len(recipe))
        assert values["similarity"] is not None
        return Threshold(
            similarity=values["similarity"],
            asked=far,
            claimed=not beyond,
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


def _extended(people: np.ndarray, similarity: np.ndarray, to: int) -> float:
    """A similarity for more people, along the growth from a fifth of the most measured to these."""
    fifth = float(np.interp(np.log(people[-1] / _REACH), np.log(people), similarity))
    growth = (float(similarity[-1]) - fifth) / np.log(_REACH)
    return float(similarity[-1]) + growth * float(np.log(to / people[-1]))


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
