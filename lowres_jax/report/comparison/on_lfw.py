"""Results of the same models on LFW, beside those of a set that is too small to show anything.

`on_lfw.json` is written by benchmarks/results_tables.py from the kept results of docs/results.
"""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lowres_jax.report.comparison import figures, wording
from lowres_jax.report.comparison.findings import FEWEST_ALLOWED
from lowres_jax.report.comparison.table import Group
from lowres_jax.report.comparison.wording import Verdict

FILE = Path(__file__).parent / "on_lfw.json"
_METRIC = "dir_at_far_1e-2"


@functools.cache
def kept() -> dict[str, Any]:
    """Content of the file: dataset, and rows of size, upscaler, recognizer and difference to bicubic."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


def elsewhere(groups: Sequence[Group], dataset: str) -> dict[str, Any] | None:
    """Small plots of what the models do on LFW; None where the set itself is large enough, or is LFW.

    Args:
      groups: rows of the comparison.
      dataset: name of its set.

    Returns:
      `sentence`, and `plots` of title and SVG, one a size, largest first.
    """
    few = [group for group in groups if group.allowed is not None and group.allowed < FEWEST_ALLOWED]
    if not few or dataset.startswith("lfw"):
        return None
    rows = kept()["rows"]
    styles = figures.styles(list(dict.fromkeys(row["upscaler"] for row in rows)))
    plots = []
    for size in sorted({row["lr_size"] for row in rows}, reverse=True):
        whiskers = [
            figures.Whisker(
                f"{wording.printed(row['upscaler'])}, {wording.printed(row['recognizer'])}",
                tuple(100 * value for value in row["difference"]),
                wording.verdict(_METRIC, row["difference"]) is not Verdict.NONE,
                row["upscaler"],
            )
            for row in rows
            if row["lr_size"] == size
        ]
        title = f"{wording.size(size)}: DIR at FAR 1 %, difference to bicubic"
        plots.append({"title": title, "svg": Markup(figures.difference_plot(whiskers, styles, "points", None, title))})
    allowed = few[0].allowed
    sentence = (
        f"These {few[0].images:,} images cannot show it: FAR 1 % allows {allowed or 'no'} false "
        f"{'accept' if allowed == 1 else 'accepts'}, and one face more or less moves DIR by points. "
        f"The face models on {kept()['dataset'].partition(';')[0].replace('lfw/mtcnn:', 'LFW,')}:"
    )
    return {"sentence": sentence, "plots": plots}
