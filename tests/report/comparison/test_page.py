"""The report: what it dares to say from which interval, that it shows every number, and that it needs nothing else.

Covers `report/comparison/figures.py`, `report/comparison/findings.py` too.
"""

import base64
import html
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowres_jax.errors import UserError
from lowres_jax.evaluation.comparison import Curve
from lowres_jax.report.comparison import figures, findings, wording
from lowres_jax.report.comparison.findings import Mark
from lowres_jax.report.comparison.page import write_report
from lowres_jax.report.comparison.report_data import GridFace, ReportData, TurnedPair
from lowres_jax.report.comparison.table import group_rows, print_table
from lowres_jax.report.comparison.wording import MINUS, Verdict

IDENTIFICATION = "all_against_all"
DIR = "dir_at_far_1e-2"


def row(
    upscaler: str,
    protocol: str,
    metrics: dict[str, Any],
    bicubic: dict[str, Any] | None = None,
    bilinear: dict[str, Any] | None = None,
    lr_size: int | None = 32,
    recognizer: str | None = "sface",
    interval: dict[str, Any] | None = None,
    images: int = 4000,
    undetected: int = 0,
) -> dict[str, Any]:
    difference = {name: values for name, values in (("bicubic", bicubic), ("bilinear", bilinear)) if values}
    return {
        "upscaler": upscaler,
        "lr_size": lr_size,
        "recognizer": recognizer,
        "protocol": protocol,
        "metrics": metrics,
        "interval": interval or {},
        "difference": difference,
        "images": images,
        "folds": 10,
        "undetected": undetected,
    }


def example() -> dict[str, Any]:
    """HR .9263, bicubic .8442 (the protocols' yardstick); SRResNet wins at 32 px, SRGAN loses, nothing wins at 16."""
    rows = [
        row("none", IDENTIFICATION, {DIR: 0.9263}, {DIR: [0.0821, 0.075, 0.089]}),
        row("none", "lfw", {"accuracy": 0.992, "accuracy_se": 0.0012}),
        row("bilinear", IDENTIFICATION, {DIR: 0.8349}, {DIR: [-0.0093, -0.016, 0.001]}),
        row("bicubic", IDENTIFICATION, {DIR: 0.8442, "false_accepts": 132}, None, {DIR: [0.0093, -0.001, 0.016]}),
        row("bicubic", "lfw", {"accuracy": 0.987}),
        row(
            "srresnet",
            IDENTIFICATION,
            {DIR: 0.861, "rank1": 0.9722, "false_accepts": 128},
            {DIR: [0.0168, 0.009, 0.0242], "false_accepts": [-4, -20, 12]},
            {DIR: [0.0261, 0.017, 0.034]},
            interval={DIR: [0.8501, 0.8719]},
        ),
        row(
            "srresnet",
            "lfw",
            {"accuracy": 0.9865, "accuracy_se": 0.0018, "tar_at_far_1e-2": 0.9837},
            {"accuracy": [-0.0006, -0.0031, 0.0021]},
        ),
        row("srresnet", "image_quality", {"psnr": 31.92, "ssim": 0.9154, "identity_cosine": 0.869}),
        row(
            "srgan",
            IDENTIFICATION,
            {DIR: 0.8131, "false_accepts": 187},
            {DIR: [-0.0311, -0.04, -0.022], "false_accepts": [55, 21, 90]},
        ),
        row("raw", IDENTIFICATION, {DIR: 0.1688}),
        row("bicubic", IDENTIFICATION, {DIR: 0.3948}, lr_size=16),
        row("srresnet", IDENTIFICATION, {DIR: 0.3921}, {DIR: [-0.0027, -0.011, 0.006]}, lr_size=16),
    ]
    return {"dataset": "LFW", "created": "2026-11-24T02:31:00", "versions": {"jax": "0.10.0"}, "rows": rows}


def picture(value: float, size: int = 128) -> np.ndarray:
    return np.full((size, size, 3), value, np.float32)


def full_data() -> ReportData:
    far = np.linspace(0.0, 1.0, 1001)
    curves = [
        Curve(name, size, "sface", (far, far**0.1), (far, far**0.2), (np.arange(1, 31), np.linspace(0.8, 1.0, 30)))
        for name, size in (("none", None), ("bicubic", 32), ("srresnet", 32), ("raw", 32), ("bicubic", 16))
    ]
    grid = [GridFace("Ann <b>", 32, picture(0.2, 32), picture(0.4), {"bicubic": picture(0.6)})]
    pair = TurnedPair(
        upscaler="srgan",
        lr_size=32,
        recognizer="sface",
        outcome="wrong",
        same=False,
        names=("Bob_&_Co", "Eve"),
        images=(picture(0.1), picture(0.3)),
        reference_images=(picture(0.5), picture(0.7)),
        score=0.4123,
        threshold=0.3601,
        reference_score=-0.0214,
        reference_threshold=0.3522,
    )
    gallery = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(gallery, "PNG")
    return ReportData(
        example(),
        curves=curves,
        grid=grid,
        turned=[pair],
        detector_gallery=gallery.getvalue(),
        detector_caption="MTCNN <and> Haar",
        licenses={"SFace": "Apache-2.0"},
        notes=["Folds 1 to 3 only."],
        command='python -m lowres_jax.main --config="a<b>.py"',
        duration=187.0,
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "new folder" / "report.html"
    write_report(path, full_data())
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """Text that a reader sees: no markup, no styles, one kind of space."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


# ---- verdicts and their words


@pytest.mark.parametrize(
    ("name", "difference", "expected"),
    [
        (DIR, (0.017, 0.009, 0.024), Verdict.BETTER),
        (DIR, (-0.017, -0.024, -0.009), Verdict.WORSE),
        (DIR, (0.017, -0.001, 0.024), Verdict.NONE),
        (DIR, (0.017, 0.0, 0.024), Verdict.NONE),
        (DIR, (0.0, 0.0, 0.0), Verdict.NONE),
        (DIR, None, Verdict.UNKNOWN),
        ("eer", (0.017, 0.009, 0.024), Verdict.WORSE),
        ("eer_all", (-0.017, -0.024, -0.009), Verdict.BETTER),
        ("false_accepts", (55, 21, 90), Verdict.WORSE),
    ],
)
def test_better_and_worse_need_an_interval_without_zero(name, difference, expected):
    assert wording.verdict(name, difference) is expected


@pytest.mark.parametrize(
    ("name", "difference", "expected"),
    [
        (DIR, (0.0168, 0.009, 0.0242), "+1.7 points [0.9, 2.4]"),
        (DIR, (-0.0311, -0.04, -0.022), f"{MINUS}3.1 points [{MINUS}4.0, {MINUS}2.2]"),
        # A bound just above zero must not print as zero beside the word "better".
        ("accuracy", (0.002, 0.0003, 0.0041), "+0.20 points [0.03, 0.41]"),
        ("accuracy", (0.0, 0.0, 0.0), "0.0 points [0.0, 0.0]"),
        ("psnr", (1.534, 1.501, 1.567), "+1.53 dB [1.50, 1.57]"),
        ("false_accepts", (55, 21, 90), "+55 [21, 90]"),
    ],
)
def test_differences_as_text(name, difference, expected):
    assert wording.show_difference(name, difference) == expected


def sentences(rows: list[dict[str, Any]]) -> list[str]:
    return [findings.sentence(group) for group in group_rows({"rows": rows})]


def test_a_sentence_a_size() -> None:
    assert sentences(example()["rows"]) == [
        "32 px, SFace: SRResNet helps; SRGAN harms.",
        "16 px, SFace: nothing measurably helps.",
    ]


def test_the_marks_that_a_sentence_is_made_of() -> None:
    at_32, at_16 = group_rows(example())
    marks = {method: [findings.mark(at_32, method, *task) for task in findings.TASKS] for method in at_32.methods}
    assert marks == {
        "bilinear": [None, Mark.NOT_SHOWN, None],
        "bicubic": [None, None, None],
        "srresnet": [Mark.NOT_SHOWN, Mark.HELPS, None],
        "srgan": [None, Mark.HARMS, None],
    }
    assert findings.mark(at_16, "srresnet", IDENTIFICATION, DIR) is Mark.NOT_SHOWN


def test_one_task_is_enough_to_harm_or_to_help() -> None:
    worse, level, better = [-0.03, -0.04, -0.02], [-0.003, -0.005, 0.001], [0.03, 0.01, 0.05]
    rows = [
        row("srgan", IDENTIFICATION, {DIR: 0.81}, {DIR: worse}),
        row("srgan", "lfw", {"accuracy": 0.98}, {"accuracy": better}),
        row("esrgan", IDENTIFICATION, {DIR: 0.82}, {DIR: level}),
        row("esrgan", "lfw", {"accuracy": 0.97}, {"accuracy": worse}),
        row("srresnet", IDENTIFICATION, {DIR: 0.8}, {DIR: level}),
        row("srresnet", "searcher", {DIR: 0.8}, {DIR: better}),
    ]
    assert sentences(rows) == ["32 px, SFace: SRResNet helps; SRGAN and ESRGAN harm."]


def test_too_few_images_are_said_to_be_too_few() -> None:
    level = {DIR: [-0.003, -0.005, 0.001]}
    few = [row("srgan", IDENTIFICATION, {DIR: 0.8}, level, images=120)]
    assert sentences(few) == ["32 px, SFace: 120 images are too few to tell."]
    # A difference that is measured is told, however few they are.
    told = [row("srgan", IDENTIFICATION, {DIR: 0.8}, {DIR: [-0.2, -0.3, -0.1]}, images=120)]
    assert sentences(told) == ["32 px, SFace: nothing measurably helps; SRGAN harms."]
    both = [*told, row("esrgan", "searcher", {DIR: 0.8}, level, images=120)]
    assert sentences(both) == ["32 px, SFace: SRGAN harms; 120 images are too few to tell more."]
    # Of 1,000 images FAR 1 % allows ten false accepts.
    assert sentences([row("srgan", IDENTIFICATION, {DIR: 0.8}, level, images=1000)]) == [
        "32 px, SFace: nothing measurably helps."
    ]
    assert sentences([row("srgan", IDENTIFICATION, {DIR: 0.8}, level, images=999)])[0].endswith("too few to tell.")


def test_interpolation_that_wins_is_not_called_super_resolution() -> None:
    rows = [
        row("bilinear", IDENTIFICATION, {DIR: 0.85}, {DIR: [0.01, 0.004, 0.016]}),
        row("srgan", IDENTIFICATION, {DIR: 0.84}, {DIR: [0.001, -0.004, 0.016]}),
    ]
    assert sentences(rows) == ["32 px, SFace: nothing measurably helps."]


def test_no_reference_gives_no_verdict() -> None:
    assert sentences([row("srgan", IDENTIFICATION, {DIR: 0.85})]) == ["32 px, SFace: nothing was compared."]


def test_a_sentence_has_at_most_twenty_words() -> None:
    worse = {DIR: [-0.2, -0.3, -0.1]}
    better = {DIR: [0.2, 0.1, 0.3]}
    rows = [row(f"method_{number}", IDENTIFICATION, {DIR: 0.8}, (worse, better)[number % 2]) for number in range(12)]
    (said,) = sentences(rows)
    assert said == (
        "32 px, SFace: method_1, method_3, method_5 and 3 more help; method_0, method_2, method_4 and 3 more harm."
    )
    assert len(said.split()) <= 20


# ---- numbers


def test_recovered_share_by_hand():
    # (86.10 - 84.42) / (92.63 - 84.42) = 1.68 / 8.21
    assert wording.recovered_share(0.8610, 0.8442, 0.9263) == pytest.approx(0.204628, abs=1e-6)
    assert wording.recovered_share(0.8442, 0.8442, 0.9263) == 0.0
    assert wording.recovered_share(0.8349, 0.8442, 0.9263) == pytest.approx(-0.113276, abs=1e-6)
    assert wording.recovered_share(0.95, 0.93, 0.92) is None
    at_32, at_16 = group_rows(example())
    # bounds .009 / .0821 and .0242 / .0821
    assert findings.recovered(at_32, "srresnet") == pytest.approx((0.204628, 0.109622, 0.294762), abs=1e-6)
    # At 16 px the same original stands, (.3921 - .3948) / (.9263 - .3948).
    assert findings.recovered(at_16, "srresnet")[0] == pytest.approx(-0.005080, abs=1e-6)


def test_nothing_is_recovered_where_nothing_was_measurably_lost():
    rows = [
        row("none", IDENTIFICATION, {DIR: 0.85}, {DIR: [0.01, -0.002, 0.02]}),
        row("bicubic", IDENTIFICATION, {DIR: 0.84}),
        row("srgan", IDENTIFICATION, {DIR: 0.86}, {DIR: [0.02, 0.01, 0.03]}),
    ]
    assert findings.recovered(group_rows({"rows": rows})[0], "srgan") is None


def test_the_original_of_one_size_lends_its_differences_to_no_other():
    at_32, at_16 = group_rows(example())
    assert at_32.difference("none", IDENTIFICATION, DIR, "bicubic") == (0.0821, 0.075, 0.089)
    assert at_16.value("none", IDENTIFICATION, DIR) == 0.9263
    assert at_16.difference("none", IDENTIFICATION, DIR, "bicubic") is None


def test_table_in_the_terminal():
    lines = print_table(example()).splitlines()
    assert lines[0] == "32 px, SFace"
    cells = {line.split("  ")[0]: re.sub(r" {2,}", "  ", line) for line in lines[3:13]}
    assert cells["HR original"] == "HR original  92.63  +8.2 [7.5, 8.9] ▲  99.20"
    assert cells["SRResNet"].strip() == (
        f"SRResNet  86.10 [85.0, 87.2]  +1.7 [0.9, 2.4] ▲  97.22  128  98.65  {MINUS}0.1 [{MINUS}0.3, 0.2]  "
        "31.92  0.915"
    )
    assert cells["SRGAN"] == f"SRGAN  81.31  {MINUS}3.1 [{MINUS}4.0, {MINUS}2.2] ▼  187"
    assert cells["bilinear"] == f"bilinear  83.49  {MINUS}0.9 [{MINUS}1.6, 0.1]"
    assert cells["raw LR (nearest)"] == "raw LR (nearest)  16.88"
    assert "16 px, SFace" in lines
    header = next(line for line in lines if "DIR at FAR 1 %" in line)
    value = next(line for line in lines if line.startswith("SRGAN"))
    # Numbers are right-aligned under their heads.
    assert header.index("DIR at FAR 1 %") + len("DIR at FAR 1 %") == value.index("81.31") + len("81.31")
    assert print_table({"rows": []}) == "No results."


# ---- the page


class _References(HTMLParser):
    """Collects everything on a page that a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.identifiers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "iframe", "object", "embed", "base"):
            self.found.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action", "poster", "data"):
                self.found.append(value or "")
            if name == "id":
                self.identifiers.append(value or "")
            assert not name.startswith("on")


def test_page_needs_nothing_from_outside(page):
    parser = _References()
    parser.feed(page)
    assert parser.found
    assert all(value.startswith(("data:image/png;base64,", "#")) for value in parser.found)
    for anchor in (value[1:] for value in parser.found if value.startswith("#")):
        assert anchor in parser.identifiers
    assert len(set(parser.identifiers)) == len(parser.identifiers)
    assert "http:" not in page
    assert "https:" not in page
    assert "default-src 'none'" in page
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def test_page_escapes_names_and_texts(page):
    assert "Ann &lt;b&gt;" in page
    assert "Ann <b>" not in page
    assert "Bob_&amp;_Co" in page
    assert "MTCNN &lt;and&gt; Haar" in page
    assert "a&lt;b&gt;.py" in page


def test_every_number_is_on_the_page(page):
    text = text_of(page)
    for entry in example()["rows"]:
        for name, value in entry["metrics"].items():
            assert wording.show(name, value) in text, (entry["upscaler"], name)
        for name, interval in entry["interval"].items():
            assert wording.show_interval(name, interval) in text
        for differences in entry["difference"].values():
            for name, difference in differences.items():
                assert wording.show_difference(name, difference, unit=False) in text, (entry["upscaler"], name)
        assert "4,000 images" in text
        assert "10 folds" in text
    assert "took 3 min 07 s" in text
    assert "24 November 2026, 02:31" in text
    assert "Folds 1 to 3 only." in text
    assert "A face was found in every one of 4,000 images" in text


def test_headline_warning_and_false_match_are_on_the_page(page):
    text = text_of(page)
    assert "32 px, SFace: SRResNet helps; SRGAN harms." in text
    assert "+1.7 helps [0.9, 2.4]" in text
    assert f"{MINUS}0.1 not shown [{MINUS}0.3, 0.2]" in text
    assert "Invented detail can make false matches." in text
    assert "SRGAN 187 +55" in text
    assert "false match" in text
    assert f"{MINUS}0.021 ≤ 0.352" in text
    assert "0.412 > 0.360" in text


def test_page_has_the_plots_and_pictures(page):
    # At 32 px the difference plots of both protocols and three curves, at 16 px one and three.
    assert len(re.findall(r'<svg viewBox[^>]*role="img"', page)) == 5 + 4
    assert "#0a00" not in page
    assert "#010101" not in page
    decoded = [base64.b64decode(code) for code in re.findall(r"data:image/png;base64,([^\"]+)", page)]
    sizes = [Image.open(io.BytesIO(content)).size for content in decoded]
    assert sizes == [(32, 32), (128, 128), (128, 128), *[(128, 128)] * 4, (4, 4)]


def test_png_is_lossless_and_gray_takes_one_channel():
    generator = np.random.default_rng(0)
    color = generator.integers(0, 256, (16, 16, 3)).astype(np.float32) / 255
    for image, mode in ((color, "RGB"), (np.repeat(color[..., :1], 3, axis=-1), "L")):
        decoded = Image.open(io.BytesIO(base64.b64decode(figures.png_uri(image).split(",")[1])))
        assert decoded.mode == mode
        assert np.array_equal(np.asarray(decoded.convert("RGB")), np.round(image * 255).astype(np.uint8))


def test_curves_are_read_by_the_protocols_rule():
    x, y = np.array([0.0, 0.01, 0.01, 0.05]), np.array([0.1, 0.5, 0.6, 0.9])
    grid, values = figures.thin(x, y, np.array([0.001, 0.01, 0.02, 1.0]))
    assert grid.tolist() == [0.001, 0.01, 0.02, 1.0]
    assert values.tolist() == [0.1, 0.6, 0.6, 0.9]
    assert figures.thin(np.array([0.5]), np.array([1.0]), np.array([0.1, 0.6]))[0].tolist() == [0.6]


def test_methods_keep_their_color_and_differ():
    many = [f"method{index}" for index in range(9)]
    looks = figures.styles(["bicubic", *many])
    assert looks["method0"].color == "var(--series-0)"
    assert len({(looks[name].color, str(looks[name].dash)) for name in [*many, "bicubic", "bilinear", "none"]}) == 12


# ---- missing and broken pieces


@pytest.mark.parametrize(
    "results",
    [
        {},
        {"rows": []},
        {"rows": [row("none", "lfw", {"accuracy": 0.9}, lr_size=None)]},
        {"rows": [row("bicubic", IDENTIFICATION, {DIR: float("nan"), "rank1": None})]},
        {"rows": [row("srgan", "image_quality", {"psnr": 28.0}, recognizer=None)]},
        {"rows": [row("srgan", "lfw", {"accuracy": 0.9}, {"accuracy": [0.1, None, float("nan")]})]},
        {"rows": [{"upscaler": "srgan", "protocol": "lfw", "lr_size": 32}]},
    ],
)
def test_missing_parts_leave_a_whole_page(tmp_path: Path, results):
    write_report(tmp_path / "report.html", ReportData(results))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    assert "Invented detail can make false matches." in page
    assert "False accepts were not counted in this run." in page
    for word in ("nan", "None"):
        assert not re.search(rf"\b{word}\b", text_of(page))
    assert print_table(results)


def test_image_quality_without_a_recognizer_joins_every_recognizer():
    rows = [
        row("srgan", "lfw", {"accuracy": 0.9}),
        row("srgan", "lfw", {"accuracy": 0.8}, recognizer="resnet50"),
        row("srgan", "image_quality", {"psnr": 28.5}, recognizer=None),
    ]
    groups = group_rows({"rows": rows})
    assert [(group.recognizer, group.value("srgan", "image_quality", "psnr")) for group in groups] == [
        ("sface", 28.5),
        ("resnet50", 28.5),
    ]


def test_undetected_faces_are_told():
    rows = [row("srgan", "lfw", {}, images=6000, undetected=36), row("srgan", IDENTIFICATION, {}, undetected=36)]
    rows[1]["images"] = 13233
    assert wording.undetected_sentences(rows) == [
        "In 36 of 13,233 images no face was found; they stay in, as the picture's center crop."
    ]


def test_broken_rows_are_named():
    with pytest.raises(UserError, match=r"row 0 has the unknown protocol 'lwf' \(valid: all_against_all, searcher"):
        print_table({"rows": [row("srgan", "lwf", {})]})
    with pytest.raises(UserError, match="row 0 has no 'upscaler'"):
        print_table({"rows": [{"protocol": "lfw"}]})


def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"report\.html: cannot be written"):
        write_report(tmp_path / "file" / "report.html", ReportData({}))
