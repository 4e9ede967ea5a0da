"""The recognizers beside each other: disagreements in words, marks of judges in a loss, and published figures.

Covers `report/comparison/page_tables.py`, `report/comparison/report_data.py`, `report/comparison/table.py` too.
"""

import html
import re
from typing import Any

import pytest

from lowres_jax.report.comparison import findings, judges, page_tables
from lowres_jax.report.comparison.judges import PUBLISHED
from lowres_jax.report.comparison.page import render
from lowres_jax.report.comparison.report_data import ReportData
from lowres_jax.report.comparison.table import group_rows, print_table

DIR = "dir_at_far_1e-2"


def row(
    upscaler: str, recognizer: str, value: float, difference: list[float] | None = None, **more: Any
) -> dict[str, Any]:
    protocol, name = more.pop("protocol", "all_against_all"), more.pop("name", DIR)
    found = {"bicubic": {name: difference}} if difference else {}
    return {
        "upscaler": upscaler,
        "lr_size": 32,
        "recognizer": recognizer,
        "protocol": protocol,
        "metrics": {name: value} | more.pop("metrics", {}),
        "interval": {},
        "difference": found,
    } | more


def results() -> dict[str, Any]:
    """SFace: SRResNet level, Identity (in whose loss it is) better, SRGAN worse. dlib: worse, better, worse."""
    pairs = {"protocol": "lfw", "name": "accuracy"}
    rows = [
        row("none", "sface", 0.93),
        row("none", "sface", 0.9945, **pairs, metrics={"accuracy_se": 0.0014, "auc": 0.998}),
        row("bicubic", "sface", 0.84, metrics={f"{DIR}_all": 0.58}),
        row("srresnet", "sface", 0.85, [0.01, -0.01, 0.03]),
        row("identity", "sface", 0.87, [0.03, 0.01, 0.05], judge_in_loss=True),
        row("srgan", "sface", 0.7, [-0.14, -0.2, -0.1]),
        row("bicubic", "dlib", 0.66),
        row("srresnet", "dlib", 0.59, [-0.07, -0.11, -0.01]),
        row("identity", "dlib", 0.72, [0.06, 0.03, 0.1]),
        row("srgan", "dlib", 0.5, [-0.16, -0.2, -0.1]),
    ]
    return {"dataset": "lfw/mtcnn: all", "rows": rows}


def test_a_method_that_judges_see_differently_is_named() -> None:
    assert judges.disagreements(group_rows(results())) == [
        "32 px: the judges disagree on SRResNet (both small: SFace not shown, dlib harms)."
    ]


def test_judges_that_agree_say_so_and_one_alone_says_nothing() -> None:
    rows = [each for each in results()["rows"] if each["upscaler"] != "srresnet"]
    assert judges.disagreements(group_rows({"rows": rows})) == ["The judges agree on every method."]
    alone = [each for each in rows if each["recognizer"] == "sface"]
    assert judges.disagreements(group_rows({"rows": alone})) == []
    assert judges.disagreements([]) == []


def test_a_judge_in_the_loss_is_told_where_judges_disagree() -> None:
    rows = results()["rows"]
    rows[8]["difference"]["bicubic"][DIR] = [0.01, -0.01, 0.03]
    assert judges.disagreements(group_rows({"rows": rows})) == [
        "32 px: the judges disagree on SRResNet (both small: SFace not shown, dlib harms) and Identity (both small: "
        "SFace † helps, dlib not shown)."
    ]


def test_a_judge_in_the_loss_is_marked_everywhere() -> None:
    sface, dlib = group_rows(results())
    assert (sface.printed("identity"), dlib.printed("identity")) == ("Identity †", "Identity")
    lines = print_table(results()).splitlines()
    assert sum(line.startswith("Identity †") for line in lines) == 1
    assert lines[-1].startswith("† this judge was part of its training, so that its word here is not independent")
    page = text_of(render(ReportData(results())))
    # Twice in a sentence, at a glance, in the main table and among all numbers.
    assert page.count("Identity †") == 5
    assert "† this judge was part of its training" in page
    assert findings.sentence(sface) == "32 px, SFace: Identity † helps; SRGAN harms."
    # A method that was measured at 16 px only is marked in the matrix of all sizes.
    small = [row("bicubic", "sface", 0.4), row("identity_x8", "sface", 0.5, [0.1, 0.05, 0.2], judge_in_loss=True)]
    both = {"rows": results()["rows"] + [each | {"lr_size": 16} for each in small]}
    assert [each["method"] for each in page_tables.glances(group_rows(both))[0]["rows"]][-1] == "Identity x8 †"
    unmarked = {"rows": [each for each in results()["rows"] if "judge_in_loss" not in each]}
    assert "†" not in print_table(unmarked) + text_of(render(ReportData(unmarked)))


def text_of(page: str) -> str:
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def test_recognizers_side_by_side() -> None:
    table = judges.side_by_side(group_rows(results()), PUBLISHED)
    assert table is not None
    assert table["heads"] == ["Accuracy", "Standard error", "AUC", "DIR at FAR 1 %", "DIR at FAR 1 %, of all"]
    rows = {(each["name"], each["input"]): each["cells"] for each in table["rows"]}
    assert rows["SFace", "HR original"] == ["99.45", "0.14", "99.80", "93.00", ""]
    assert rows["SFace", "32 px, bicubic"] == ["", "", "", "84.00", "58.00"]
    assert rows["dlib", "32 px, bicubic"][3] == "66.00"
    original = "Orsini and Rossi 2022: ResNet-50, CASIA-WebFace"
    assert rows[original, "HR original"] == ["88.00", "", "93.00", "", ""]
    assert rows[original, "32 px, bilinear"] == ["86.00", "", "91.00", "", ""]
    assert rows["ResNet-50, all of CASIA-WebFace (InsightFace)", "HR original"][0] == "99.40"
    assert "Orsini and Rossi 2022" in text_of(render(ReportData(results(), published=PUBLISHED)))


@pytest.mark.parametrize(("count", "shown"), [(1, False), (2, True)])
def test_one_recognizer_alone_needs_no_table(count: int, shown: bool) -> None:
    rows = [each for each in results()["rows"] if each["recognizer"] in ("sface", "dlib")[:count]]
    assert (judges.side_by_side(group_rows({"rows": rows}), ()) is not None) == shown
    assert ("beside each other" in render(ReportData({"rows": rows}))) == shown
