"""Draws the differences of docs/results.md with their intervals; benchmarks/results_tables.py calls it.

Green helps, red harms, gray is not shown: the colors of the reports.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

METRIC = "dir_at_far_1e-2"
_HELPS, _HARMS, _NOT_SHOWN = "#1b7f4d", "#b3261e", "#6b6b6b"


class Difference(NamedTuple):
    """Difference of one method to bicubic, in points: label, value, low, high."""

    label: str
    value: float
    low: float
    high: float

    @property
    def color(self) -> str:
        """Color of what the interval says."""
        return _HELPS if self.low > 0 else _HARMS if self.high < 0 else _NOT_SHOWN


def differences(
    rows: Mapping[tuple[str, int, str, str], Mapping[str, Any]],
    names: Mapping[str, str],
    size: int,
) -> list[Difference]:
    """Differences to bicubic of the methods that were measured, by dlib, both pictures small, the highest first.

    Args:
      rows: rows of results.json by upscaler, size, recognizer and protocol.
      names: upscaler -> label.
      size: side of the small faces in pixels.
    """
    found = []
    for name, label in names.items():
        row = rows.get((name, size, "dlib", "all_against_all"))
        if row and METRIC in row["difference"].get("bicubic", {}):
            found.append(Difference(label, *(100.0 * each for each in row["difference"]["bicubic"][METRIC])))
    return sorted(found, key=lambda each: -each.value)


def draw(path: Path, panels: Mapping[str, Sequence[Difference]]) -> None:
    """Writes a PNG of one panel for each title, one below the other."""
    counts = [len(each) for each in panels.values()]
    figure = Figure(figsize=(8.0, 0.34 * sum(counts) + 0.95 * len(counts)), layout="constrained")
    axes = figure.subplots(len(counts), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": counts})[:, 0]
    for axis, (title, found) in zip(axes, panels.items(), strict=True):
        for place, each in enumerate(reversed(found)):
            axis.plot([each.low, each.high], [place, place], color=each.color, linewidth=2.5, solid_capstyle="round")
            axis.plot(each.value, place, "o", color=each.color, markersize=7)
            axis.annotate(
                f"{each.value:+.1f}",
                (each.value, place),
                (0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                bbox={"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none"},
            )
        axis.axvline(0.0, color="black", linewidth=1.0)
        axis.set_yticks(range(len(found)), [each.label for each in reversed(found)], fontsize=9)
        axis.set_ylim(-0.6, len(found) - 0.2)
        axis.set_title(title, fontsize=10, loc="left")
        axis.tick_params(length=0)
        axis.grid(axis="x", color="#dddddd")
        axis.set_axisbelow(True)
        axis.spines[["top", "right", "left"]].set_visible(False)
    axes[-1].set_xlabel("DIR at FAR 1 %, difference to bicubic in points, 95 % interval", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, facecolor="white", metadata={"Software": None})
