"""Tables and figures of docs/results.md that come from kept results."""

import json
from pathlib import Path
from typing import Any

import pytest
import results_figures
import results_tables
from PIL import Image


def row(upscaler: str, recognizer: str, value: float, **difference: list[float]) -> dict[str, Any]:
    return {
        "upscaler": upscaler,
        "lr_size": 16,
        "recognizer": recognizer,
        "protocol": "searcher_centered",
        "images": 10,
        "metrics": {"dir_at_far_1e-2": value, "eer": 0.1},
        "interval": {"dir_at_far_1e-2": [value - 0.1, value + 0.1]},
        "difference": {name: {"dir_at_far_1e-2": each, "eer": each} for name, each in difference.items()},
    }


def content() -> dict[str, Any]:
    rows = [row("none", "sface", 0.9), row("raw", "sface", 0.1), row("raw", "sface_small", 0.2)]
    rows += [row("bicubic", "sface", 0.3), row("identity_x8", "sface", 0.5), row("bicubic", "sface_small", 0.4)]
    rows.append(row("identity_x8", "sface_small", 0.55, bicubic=[0.15, 0.1, 0.2], sface=[0.05, -0.01, 0.11]))
    rows.append(row("bicubic", "sface", 0.3) | {"protocol": "lfw"})
    return {"dataset": "a/b", "created": "today", "versions": {}, "rows": rows}


def test_a_table_by_hand() -> None:
    lines = results_tables.small_faces(results_tables.by_key(content()))
    assert lines[2:] == [
        "| HR | 90.0 [80.0, 100.0] | | | | | |",
        "| 16 px, `identity_x8` | 30.0 [20.0, 40.0] | 50.0 [40.0, 60.0] | 40.0 [30.0, 50.0] | 55.0 [45.0, 65.0] "
        "| **+15.0 [+10.0, +20.0]** | +5.0 [-1.0, +11.0] |",
        "| 16 px, pixels as they are | 10.0 [0.0, 20.0] | | 20.0 [10.0, 30.0] | | | |",
    ]


def test_the_table_of_equal_budgets_has_the_rows_that_are_done() -> None:
    found = [
        row("bicubic", "dlib", 0.3, equal_pixels_x8=[-0.2, -0.3, -0.1]),
        row("equal_pixels_x8", "dlib", 0.5, bicubic=[0.2, 0.1, 0.3]),
    ]
    rows = {("bicubic", 16, "sface", "all_against_all"): found[0]}
    for each in found:
        for protocol in ("all_against_all", "searcher"):
            rows |= {(each["upscaler"], 16, judge, protocol): each for judge in ("dlib", "sface")}
    rows["equal_pixels_x8", 16, "dlib", "image_quality"] = {"metrics": {"psnr": 30.0, "ssim": 0.9}}
    assert results_tables.equal_budgets(rows)[2:] == [
        "| 16 px, bicubic | 30.0 [20.0, 40.0] |  | **-20.0 [-30.0, -10.0]** | 30.0 [20.0, 40.0] |  |  |  |",
        "| 16 px, L1 | 50.0 [40.0, 60.0] | **+20.0 [+10.0, +30.0]** |  | 50.0 [40.0, 60.0] "
        "| **+20.0 [+10.0, +30.0]** | **+20.0 [+10.0, +30.0]** | 30.00 / 0.900 |",
    ]


def test_the_comparison_has_the_rows_that_are_measured() -> None:
    found = [row("bicubic", "sface", 0.3), row("identity_x8", "sface", 0.5, bicubic=[0.2, 0.1, 0.3])]
    rows = {(each["upscaler"], 16, "sface", name): each for each in found for name in ("all_against_all", "searcher")}
    for name, accuracy in (("bicubic", 0.925), ("identity_x8", 0.95)):
        for protocol, more in (("lfw", 0.0), ("lfw_searcher", 0.01)):
            rows[name, 16, "sface", protocol] = {"metrics": {"accuracy": accuracy + more}}
    rows["identity_x8", 16, "sface", "image_quality"] = {"metrics": {"psnr": 26.0, "ssim": 0.75}}
    rows["identity_x8", 16, "dlib", "searcher"] = row("identity_x8", "dlib", 0.2, bicubic=[0.1, -0.1, 0.3])
    assert results_tables.comparison(rows)[2:] == [
        "| 16 px, bicubic |  |  |  |  |  |  | 92.50, 93.50 |  |",
        "| 16 px, `identity_x8` † |  |  | 20.0 [10.0, 30.0] | +10.0 [-10.0, +30.0] | **+20.0 [+10.0, +30.0]** "
        "| **+20.0 [+10.0, +30.0]** | 95.00, 96.00 | 26.00 / 0.750 |",
    ]


def test_the_table_without_label_errors() -> None:
    found = {"bicubic": row("bicubic", "dlib", 0.3), "srgan": row("srgan", "dlib", 0.1, bicubic=[-0.2, -0.3, -0.1])}
    rows = {(name, 16, "dlib", "all_against_all"): each for name, each in found.items()}
    rows["srgan", 16, "sface", "all_against_all"] = row("srgan", "sface", 0.6, bicubic=[0.02, -0.1, 0.1])
    assert results_tables.label_errors(rows)[2:] == [
        "| 16 px, bicubic | 30.0 [20.0, 40.0] |  |  |  |",
        "| 16 px, SRGAN (DIV2K) | 10.0 [0.0, 20.0] | **-20.0 [-30.0, -10.0]** | 60.0 [50.0, 70.0] "
        "| +2.0 [-10.0, +10.0] |",
    ]


def test_figures_show_what_an_interval_says(tmp_path: Path) -> None:
    cases = {"a": [0.02, 0.01, 0.03], "b": [-0.02, -0.03, -0.01], "c": [0.04, -0.01, 0.09]}
    rows = {
        (name, 16, "dlib", "all_against_all"): row(name, "dlib", 0.3, bicubic=each) for name, each in cases.items()
    } | {("bicubic", 16, "dlib", "all_against_all"): row("bicubic", "dlib", 0.3)}
    names = {"a": "A", "b": "B", "c": "C", "bicubic": "bicubic", "d": "not measured"}
    found = results_figures.differences(rows, names, 16)
    assert [each.label for each in found] == ["C", "A", "B"]
    assert found[1][1:] == pytest.approx((2.0, 1.0, 3.0))
    assert len({each.color for each in found}) == 3
    results_figures.draw(tmp_path / "figure.png", {"16 px": found})
    with Image.open(tmp_path / "figure.png") as picture:
        colors = {color for _, color in picture.convert("RGB").getcolors(1 << 20) or []}
    assert {tuple(bytes.fromhex(each.color[1:])) for each in found} <= colors


def test_what_is_kept() -> None:
    found = results_tables.kept(content(), ("searcher_centered",))
    assert len(found["rows"]) == 7
    assert found["rows"][6]["difference"]["sface"] == {"dir_at_far_1e-2": [0.05, -0.01, 0.11]}
    assert found["rows"][0]["metrics"] == {"dir_at_far_1e-2": 0.9}
    text = results_tables.as_text(found)
    assert json.loads(text) == found
    assert len(text.splitlines()) == 9


def test_only_what_is_between_the_markers_is_written() -> None:
    document = "one\n<!-- a -->\nold\n<!-- end of a -->\ntwo\n"
    assert results_tables.written(document, "a", ["new", "lines"]) == (
        "one\n<!-- a -->\nnew\nlines\n<!-- end of a -->\ntwo\n"
    )
    with pytest.raises(ValueError, match="no markers"):
        results_tables.written("nothing", "a", [])


def test_reports_of_small_sets_have_the_kept_results() -> None:
    assert results_tables.ON_LFW.read_text() == results_tables.of_small_faces(), (
        "run python benchmarks/results_tables.py"
    )
    (found,) = json.loads(results_tables.on_lfw(results_tables.by_key({"rows": content()["rows"][6:7]}), "x"))["rows"]
    assert found == {
        "lr_size": 16,
        "upscaler": "identity_x8",
        "recognizer": "sface_small",
        "difference": [0.15, 0.1, 0.2],
    }


def test_the_document_has_the_kept_results() -> None:
    document = results_tables.DOCUMENT.read_text()
    assert results_tables.updated(document) == document, "run python benchmarks/results_tables.py"
