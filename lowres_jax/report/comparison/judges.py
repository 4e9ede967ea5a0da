"""The recognizers beside each other: where they disagree on a method, and how good each is as a judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lowres_jax.report.comparison import wording
from lowres_jax.report.comparison.findings import TASKS, mark
from lowres_jax.report.comparison.table import CEILING, REFERENCES, Group

_COLUMNS = (
    ("lfw", "accuracy"),
    ("lfw", "accuracy_se"),
    ("lfw", "auc"),
    ("all_against_all", "dir_at_far_1e-2"),
    ("all_against_all", "dir_at_far_1e-2_all"),
    ("all_against_all", "dir_at_far_1e-1"),
    ("all_against_all", "dir_at_far_1e-1_all"),
    ("all_against_all", "rank1"),
)


@dataclass(frozen=True)
class Published:
    """Figures on LFW's View 2 as others published them; None where they gave none.

    Attributes:
      name: name of the system.
      accuracy: accuracy on HR, as a fraction.
      auc: area under the ROC on HR.
      small_accuracy: accuracy on faces of 32 px enlarged bilinearly.
      small_auc: area under the ROC on these.
    """

    name: str
    accuracy: float
    auc: float | None = None
    small_accuracy: float | None = None
    small_auc: float | None = None


# Orsini and Rossi (2022), on Haar crops, where pictures without a found face were left out; and what a ResNet-50
# trained on all of CASIA-WebFace reaches (InsightFace's model zoo).
PUBLISHED = (
    Published("Orsini and Rossi 2022: ResNet-50, CASIA-WebFace", 0.88, 0.93, 0.86, 0.91),
    Published("the same: VGG-Face", 0.87, 0.93),
    Published("ResNet-50, all of CASIA-WebFace (InsightFace)", 0.994),
)


def disagreements(groups: Sequence[Group]) -> list[str]:
    """A sentence a size that names the methods of which the recognizers do not all say the same.

    Args:
      groups: see `table.group_rows`.

    Returns:
      Sentences; one that says that all agree; or none where fewer than two recognizers judged the same methods.
    """
    sentences, compared = [], False
    for lr_size in dict.fromkeys(group.lr_size for group in groups):
        own = [group for group in groups if group.lr_size == lr_size]
        places = []
        for method in dict.fromkeys(method for group in own for method in group.methods):
            for task, words in TASKS.items():
                marks = [(group, found) for group in own if (found := mark(group, method, *task))]
                compared = compared or len(marks) > 1
                if len({found for _, found in marks}) > 1:
                    said = ", ".join(f"{_judge(group, method)} {found.value}" for group, found in marks)
                    places.append(f"{wording.printed(method)} ({words}: {said})")
        if places:
            sentences.append(f"{wording.size(lr_size)}: the judges disagree on {wording.joined(places)}.")
    return sentences or (["The judges agree on every method."] if compared else [])


def _judge(group: Group, method: str) -> str:
    """The recognizer's name, marked where it was in the method's loss."""
    return wording.printed(group.recognizer) + (f" {wording.TAUGHT}" if group.is_taught(method) else "")


def side_by_side(groups: Sequence[Group], published: Sequence[Published]) -> dict[str, Any] | None:
    """Every recognizer on the originals and on the largest faces made small, beside what others published.

    Args:
      groups: see `table.group_rows`.
      published: rows to put beside them; none where the images are others.

    Returns:
      heads, and rows of name, input, cells; None where there is only one recognizer and nothing beside it.
    """
    recognizers = list(dict.fromkeys(group.recognizer for group in groups))
    if len(recognizers) + len(published) < 2:
        return None
    rows = []
    for recognizer in recognizers:
        group = next(each for each in groups if each.recognizer == recognizer)
        small = next((name for name in reversed(REFERENCES) if name in group.methods), None)
        for method in (CEILING, small):
            if method is None:
                continue
            cells = [_cell(group, method, *column) for column in _COLUMNS]
            if any(cells):
                rows.append({"name": wording.printed(recognizer), "input": _input(group, method), "cells": cells})
    for each in published:
        for shown, accuracy, auc in (
            (wording.printed(CEILING), each.accuracy, each.auc),
            ("32 px, bilinear", each.small_accuracy, each.small_auc),
        ):
            if accuracy is not None:
                known: Mapping[tuple[str, str], float | None] = {("lfw", "accuracy"): accuracy, ("lfw", "auc"): auc}
                cells = ["" if (value := known.get(c)) is None else wording.show(c[1], value) for c in _COLUMNS]
                rows.append({"name": each.name, "input": shown, "cells": cells})
    kept = [index for index in range(len(_COLUMNS)) if any(row["cells"][index] for row in rows)]
    return {
        "heads": [wording.metric(_COLUMNS[index][1]).label for index in kept],
        "rows": [{**row, "cells": [row["cells"][index] for index in kept]} for row in rows],
    }


def _input(group: Group, method: str) -> str:
    return wording.printed(method) if method == CEILING else f"{wording.size(group.lr_size)}, {wording.printed(method)}"


def _cell(group: Group, method: str, protocol: str, name: str) -> str:
    value = group.value(method, protocol, name)
    return "" if value is None else wording.show(name, value)
