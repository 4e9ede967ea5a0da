"""Thresholds of the models that come with the program, measured on LFW before: a first search needs to measure nothing.

`thresholds.json` (benchmarks/shipped_thresholds.py) has them for sface, and for the small faces that sface_small reads
(`rest` names whose thresholds serve for all others); for galleries of 1 to 500 people with 1 to 8 pictures
each, enrolled from faces of every size; between these the similarity is interpolated in the logarithms of both. What
is not covered gets a stricter threshold, and `remarks` says so. The file holds rates, no faces or templates.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lowres_jax.evaluation.measurement import fingerprint
from lowres_jax.faces.centering import Centering
from lowres_jax.faces.loading import models, small_faces
from lowres_jax.faces.reader import Eye
from lowres_jax.matching.calibration import FEWEST_FALSE_ACCEPTS, Threshold
from lowres_jax.matching.simulation import Recipe
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.super_resolution.upscaler import UpscalerBySize

FILE = Path(__file__).parent / "thresholds.json"
# A threshold is extended by the growth over the last so manieth part of the measured galleries.
_REACH = 5
# What a row has, in this order.
COLUMNS = ("enrolled_size", "probe_size", "frames", "pictures", "people", "asked")
_RATES = ("similarity", "far", "searches", "false_accepts", "genuine", "different", "reached")
_VALUES = ("similarity", "genuine", "different", "reached")
# Where no name is possible: more than any similarity.
_IMPOSSIBLE = 1.01

Row = dict[str, Any]


class Thresholds(Protocol):
    """Whatever tells from which similarity on a match is named; `calibration.Calibration` measures it.

    Attributes:
      name: name of the set that they were measured on, as "lfw/mtcnn".
    """

    name: str

    @property
    def people(self) -> int:
        """Number of people that the set shows."""

    @property
    def images(self) -> int:
        """In how many images."""

    def threshold(self, far: float, recipe: Recipe, probe_size: int, frames: int = 1) -> Threshold:
        """See `calibration.Calibration.threshold`."""


def described(
    recognizer: Recognizer, upscalers: UpscalerBySize, centering: Centering, detector: str, small: Eye | None = None
) -> str:
    """Names all that thresholds depend on but the gallery."""
    members = sorted(upscalers.members, key=lambda each: each.name)
    own = small_faces(small)
    parts = models(recognizer, members), sorted(centering.described, key=repr), detector
    return fingerprint(*parts, *([own] if own else []))


class ShippedThresholds:
    """The thresholds of a file; see `Thresholds`."""

    def __init__(self, content: dict[str, Any]):
        """Takes the usable rows of what the file has, see `usable`."""
        self.name: str = content["set"]
        self.people: int = content["people"]
        self.images: int = content["images"]
        # (rate, enrolled size, probe size, frames) -> pictures of each person -> rows by number of people.
        self._tables: dict[tuple[float, int, int, int], dict[int, list[Row]]] = {}
        for values in content["rows"]:
            row = dict(zip((*COLUMNS, *_RATES), values, strict=True))
            table = self._tables.setdefault((row["asked"], row["enrolled_size"], row["probe_size"], row["frames"]), {})
            table.setdefault(row["pictures"], []).append(row)
        self._tables = {
            key: {pictures: rows for pictures, every in sorted(table.items()) if (rows := usable(every))}
            for key, table in self._tables.items()
        }

    @classmethod
    def load(cls, made_for: str, file: Path = FILE) -> "ShippedThresholds | None":
        """Those for some models (`described`); None where there are none for them."""
        models = json.loads(file.read_text())["models"] if file.is_file() else []
        known = {content["made_for"]: content for content in models}
        if made_for not in known:
            return None
        content = known[made_for]
        if "rest" in content:
            place = COLUMNS.index("probe_size")
            own = {row[place] for row in content["rows"]}
            rest = [row for row in known[content["rest"]]["rows"] if row[place] not in own]
            content = content | {"rows": [*content["rows"], *rest]}
        return cls(content)

    @property
    def _rates(self) -> list[float]:
        return sorted({far for far, _, _, _ in self._tables})

    def covers(self, far: float) -> bool:
        """True if a threshold for a false accept rate is known: one for that rate, or for a smaller one."""
        return any(rate <= far for rate in self._rates)

    def _rate(self, far: float) -> float:
        """The largest known rate that is not above one."""
        return max(rate for rate in self._rates if rate <= far)

    def remarks(self, far: float, recipe: Recipe) -> list[str]:
        """Lines on how the thresholds for a gallery are stricter, or less sure, than measured ones."""
        found = []
        if (rate := self._rate(far)) < far:
            found.append(f"No thresholds come along for config.far={far:g}: the stricter ones for {rate:g} are used.")
        sizes = {size for own in set(recipe) for size in own}
        if len(sizes) > 1:
            found.append(
                "The gallery has faces of several sizes, enlarged ones among them: each threshold is the strictest of "
                "galleries of one size."
            )
        tables = [self._tables[rate, size, 0, 1] for size in sorted(sizes) if self._tables.get((rate, size, 0, 1))]
        most_pictures = max((max(table) for table in tables), default=0)
        if max(map(len, set(recipe))) > most_pictures:
            found.append(
                f"Thresholds were measured with up to {most_pictures} pictures of each person; for more they are "
                "extended by the growth of the last doubling."
            )
        most = min((max(rows[-1]["people"] for rows in table.values()) for table in tables), default=0)
        if len(recipe) > most:
            error = max((_extension_error(rows) for table in tables for rows in table.values()), default=0.0)
            found.append(
                f"Thresholds at a rate of {rate:g} were measured in galleries of up to {most} people; for "
                f"{len(recipe):,} they are extended along their growth with the logarithm of the number. Extended so "
                f"from {most // _REACH} people on, those for {most} would be up to {error:.3f} too low: there may be "
                "more false names than told."
            )
        return found

    def threshold(self, far: float, recipe: Recipe, probe_size: int, frames: int = 1) -> Threshold:
        """The threshold for a gallery; rates are those of the nearest one that was measured.

        Of faces of several sizes it is the strictest. Of more people than were measured, see `remarks`: it is not
        claimed, and of whom it finds nothing is known. Where nothing usable was measured, no name is possible.
        """
        rate, pictures = self._rate(far), float(np.mean([len(own) for own in recipe]))
        every = [
            self._of_one_size(self._tables.get((rate, size, probe_size, frames), {}), pictures, len(recipe))
            for size in sorted({size for own in set(recipe) for size in own})
        ]
        strictest = max(every, key=lambda each: each.similarity)
        return replace(strictest, asked=far, recipe=recipe, probe_size=probe_size, frames=frames)

    def _of_one_size(self, table: dict[int, list[Row]], pictures: float, people: int) -> Threshold:
        if not table:
            return _threshold({"similarity": _IMPOSSIBLE, "reached": 0.0}, None, 0, claimed=False)
        known = sorted(table)
        by_pictures = [_at(table[each], people) for each in known]
        values: dict[str, float | None] = {}
        for name in _VALUES:
            values[name] = _interpolated(np.log(known), [each[name] for each in by_pictures], float(np.log(pictures)))
        if pictures > known[-1] and len(known) > 1:
            # Each doubling adds half of what the last one did: all further ones together as much as that.
            last, before = (by_pictures[place]["similarity"] or 0.0 for place in (-1, -2))
            values["similarity"] = last + max(last - before, 0.0)
        rows = table[min(known, key=lambda each: abs(np.log(each / pictures)))]
        nearest = min(rows, key=lambda row: abs(np.log(row["people"] / people)))
        return _threshold(values, nearest, known[-1], claimed=people <= rows[-1]["people"])


def usable(rows: Sequence[Row]) -> list[Row]:
    """Rows of one kind of gallery by number of people, without those that tell of nothing.

    Left out is a threshold that is lower than one for fewer people, rests on fewer than ten false accepts, or is higher
    than every search for somebody enrolled: wrong labels or too few searches decide it.
    """
    found: list[Row] = []
    for row in sorted(rows, key=lambda each: int(each["people"])):
        few = row["false_accepts"] < FEWEST_FALSE_ACCEPTS
        if few or not row["genuine"] or (found and row["similarity"] < found[-1]["similarity"]):
            continue
        found.append(row)
    return found


def _threshold(values: dict[str, Any], nearest: Row | None, most_pictures: int, claimed: bool) -> Threshold:
    return Threshold(
        similarity=values["similarity"],
        asked=0.0,
        claimed=claimed,
        far=nearest["far"] if nearest else 0.0,
        searches=nearest["searches"] if nearest else 0,
        false_accepts=nearest["false_accepts"] if nearest else 0,
        genuine=values.get("genuine") if nearest else 0.0,
        different=values.get("different"),
        recipe=(),
        most_pictures=most_pictures,
        probe_size=0,
        reached=values["reached"],
    )


def _at(rows: Sequence[Row], people: int) -> dict[str, float | None]:
    """Rows of galleries with equally many pictures, interpolated in the logarithm of people; beyond them extended."""
    places = np.log([row["people"] for row in rows])
    values = {name: _interpolated(places, [row[name] for row in rows], float(np.log(people))) for name in _VALUES}
    if people > rows[-1]["people"]:
        # Of whom a threshold finds that was not measured, nothing is known.
        values |= {"similarity": _extended(rows, people), "genuine": None, "different": None}
    return values


def _extended(rows: Sequence[Row], people: int) -> float:
    """A similarity for more people, along the growth from a fifth of the most measured to these."""
    places, values = np.log([row["people"] for row in rows]), [row["similarity"] for row in rows]
    fifth = float(np.interp(places[-1] - np.log(_REACH), places, values))
    growth = (float(values[-1]) - fifth) / np.log(_REACH)
    return float(values[-1]) + growth * float(np.log(people) - places[-1])


def _extension_error(rows: Sequence[Row]) -> float:
    """By how much an extension to the largest gallery from those of a fifth of it falls short."""
    before = [row for row in rows if row["people"] <= rows[-1]["people"] // _REACH]
    if not before:
        return 0.0
    return max(float(rows[-1]["similarity"]) - _extended(before, rows[-1]["people"]), 0.0)


def row(threshold: Threshold, enrolled_size: int, people: int, pictures: int) -> list[Any]:
    """A threshold as the file has it: `COLUMNS`, then its rates."""
    place = [enrolled_size, threshold.probe_size, threshold.frames, pictures, people, threshold.asked]
    rates = [getattr(threshold, name) for name in _RATES]
    return [*place, *(round(value, 5) if isinstance(value, float) else value for value in rates)]


def _interpolated(places: np.ndarray, values: Sequence[float | None], at: float) -> float | None:
    """Linear between the two neighbors, the last ones' beyond; None where a neighbor that counts is None."""
    after = int(np.clip(np.searchsorted(places, at), 1, max(len(places) - 1, 1)))
    if len(places) == 1:
        return values[0]
    share = float(np.clip((at - places[after - 1]) / (places[after] - places[after - 1]), 0.0, 1.0))
    total = 0.0
    for value, weight in ((values[after - 1], 1.0 - share), (values[after], share)):
        if weight > 1e-9:
            if value is None:
                return None
            total += weight * float(value)
    return total
