"""Writes the tables and figures of docs/results.md that come from kept results.

    lowres-jax compare_lfw --config.recognizers=sface,sface_small ...   # writes results.json, see docs/results.md
    python benchmarks/results_tables.py --keep small_faces=workdirs/lfw_small/results.json
    python benchmarks/results_tables.py

The first form copies the rows that the table needs into the folder docs/results. A test fails where a table is not that
of its kept results. Reports of small sets show some of the same rows (lowres_jax/report/comparison/on_lfw.json).
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import results_figures

ROOT = Path(__file__).parents[1]
DOCUMENT, KEPT = ROOT / "docs" / "results.md", ROOT / "docs" / "results"
IMAGES = ROOT / "docs" / "images"
ON_LFW = ROOT / "lowres_jax" / "report" / "comparison" / "on_lfw.json"
# Protocols of each table.
PROTOCOLS = {
    "comparison": ("lfw", "lfw_searcher", "all_against_all", "searcher", "image_quality"),
    "label_errors": ("all_against_all",),
    "small_faces": ("searcher", "searcher_centered"),
    "equal_budgets": ("all_against_all", "searcher", "image_quality"),
}
_METRIC = results_figures.METRIC
_METRICS = (_METRIC, "rank1", "far", "false_accepts", "accuracy", "psnr", "ssim")
# Trainings of configs/equal_budgets.py: variant -> losses.
_LOSSES = {
    "pixels": "L1",
    "edges": "L1, edges .05",
    "identity": "L1, identity .1",
    "identity_edges": "L1, identity .1, edges .05",
    "heavy_edges": "MSE, edges 1",
    "canny_light": "MSE, edges .01, discriminator",
    "canny": "MSE, edges 1, discriminator: Canny as drawn",
    "initial": "MSE, discriminator: Initial",
}

# Rows of the comparison, in their order: name -> what it is.
_METHODS = {
    "none": "HR",
    "raw": "pixels as they are",
    "bilinear": "bilinear",
    "bicubic": "bicubic",
    "srresnet": "SRResNet (DIV2K)",
    "srgan": "SRGAN (DIV2K)",
    "edsr": "EDSR (DIV2K)",
    "esrgan": "ESRGAN (RealSR)",
    "initial": "`initial`",
    "canny_rgb": "`canny_rgb`",
    "identity": "`identity` †",
    "identity_x8": "`identity_x8` †",
    "identity_x8_smoothed": "`identity_x8_smoothed` †",
}

Rows = Mapping[tuple[str, int, str, str], Mapping[str, Any]]


def comparison(rows: Rows) -> list[str]:
    """All methods at each size: DIR at FAR 1 % by dlib and SFace, accuracy on pairs, and pixels; measured rows only."""
    lines = [
        "| | dlib, both small | difference to bicubic | dlib, good pictures enrolled | difference "
        "| SFace, both small: difference | SFace, good pictures enrolled: difference "
        "| pairs by SFace: both small, second small | PSNR / SSIM |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size in sorted({size for _, size, _, _ in rows}, reverse=True):
        for name, said in _METHODS.items():
            if (name, size, "sface", "all_against_all") not in rows:
                continue
            cells = []
            for judge, valued in (("dlib", True), ("sface", False)):
                for protocol in ("all_against_all", "searcher"):
                    row = rows.get((name, size, judge, protocol))
                    if valued:
                        cells.append(_value(row) if row else "")
                    cells.append(_difference(row, "bicubic") if row and name != "bicubic" else "")
            pairs = [rows[name, size, "sface", each]["metrics"]["accuracy"] for each in ("lfw", "lfw_searcher")]
            cells.append(", ".join(f"{100 * each:.2f}" for each in pairs))
            cells.append(_pixels(rows.get((name, size, "sface", "image_quality"))))
            lines.append(f"| {size} px, {said} | {' | '.join(cells)} |")
    return lines


def label_errors(rows: Rows) -> list[str]:
    """The same methods without images and people of known label errors, both pictures small."""
    lines = [
        "| | dlib, both small | difference to bicubic | SFace, both small | difference to bicubic |",
        "|---|---|---|---|---|",
    ]
    for size in sorted({size for _, size, _, _ in rows}, reverse=True):
        for name, said in _METHODS.items():
            found = [rows.get((name, size, judge, "all_against_all")) for judge in ("dlib", "sface")]
            cells = []
            for row in found:
                cells += [_value(row) if row else "", _difference(row, "bicubic") if row and name != "bicubic" else ""]
            if any(found):
                lines.append(f"| {size} px, {said} | {' | '.join(cells)} |")
    return lines


def small_faces(rows: Rows) -> list[str]:
    """{bicubic, model} x {sface, sface_small} at each size: DIR at FAR 1 %, good pictures enrolled, centered."""
    lines = [
        "| | SFace, bicubic | SFace, face model | `sface_small`, bicubic | `sface_small`, face model "
        "| the face model adds, read by `sface_small` | `sface_small` adds, behind the face model |",
        "|---|---|---|---|---|---|---|",
    ]
    protocol = "searcher_centered"
    sizes = sorted({size for _, size, _, _ in rows}, reverse=True)
    ceiling = rows["none", sizes[0], "sface", protocol]
    lines.append(f"| HR | {_value(ceiling)} | | | | | |")
    for size in sizes:
        found = sorted({name for name, each, _, _ in rows if each == size} - {"none", "bicubic", "raw"})
        for model in found:
            cells = [
                _value(rows[name, size, judge, protocol])
                for judge in ("sface", "sface_small")
                for name in ("bicubic", model)
            ]
            small = rows[model, size, "sface_small", protocol]
            cells += [_difference(small, "bicubic"), _difference(small, "sface")]
            lines.append(f"| {size} px, `{model}` | {' | '.join(cells)} |")
        cells = [_value(rows["raw", size, judge, protocol]) for judge in ("sface", "sface_small")]
        lines.append(f"| {size} px, pixels as they are | {cells[0]} | | {cells[1]} | | | |")
    return lines


def equal_budgets(rows: Rows) -> list[str]:
    """The losses of equal budgets: DIR at FAR 1 % by dlib and SFace at each size, and pixels; done rows only."""
    lines = [
        "| | dlib, both small | difference to bicubic | to pixels alone | dlib, good pictures enrolled "
        "| difference to bicubic | SFace, both small: difference | PSNR / SSIM |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for size in sorted({size for _, size, _, _ in rows}, reverse=True):
        # Trainings for 16 px are another network, with the variant "x8".
        x8 = "_x8" if size < 24 else ""
        pixels = f"equal_pixels{x8}"
        names = {"none": "HR", "bicubic": "bicubic"} | {f"equal_{name}{x8}": said for name, said in _LOSSES.items()}
        names["identity_x8"] = "`identity_x8`: L1, identity .1, 900 steps after 1,600 at 32 px"
        for name, said in names.items():
            if (name, size, "dlib", "all_against_all") not in rows:
                continue
            cells = []
            for protocol in ("all_against_all", "searcher"):
                row = rows[name, size, "dlib", protocol]
                cells += [_value(row), _difference(row, "bicubic") if name != "bicubic" else ""]
                if protocol == "all_against_all":
                    cells.append(_difference(row, pixels) if pixels in row["difference"] else "")
            sface = rows[name, size, "sface", "all_against_all"]
            cells.append(_difference(sface, "bicubic") if name != "bicubic" else "")
            cells.append(_pixels(rows.get((name, size, "dlib", "image_quality"))))
            lines.append(f"| {size} px, {said} | {' | '.join(cells)} |")
    return lines


def _value(row: Mapping[str, Any]) -> str:
    low, high = (100 * each for each in row["interval"][_METRIC])
    return f"{100 * row['metrics'][_METRIC]:.1f} [{low:.1f}, {high:.1f}]"


def _pixels(row: Mapping[str, Any] | None) -> str:
    return f"{row['metrics']['psnr']:.2f} / {row['metrics']['ssim']:.3f}" if row and "psnr" in row["metrics"] else ""


def _difference(row: Mapping[str, Any], reference: str) -> str:
    value, low, high = (100 * each for each in row["difference"][reference][_METRIC])
    bold = "**" if low > 0 or high < 0 else ""
    return f"{bold}{value:+.1f} [{low:+.1f}, {high:+.1f}]{bold}"


TABLES = {
    "comparison": comparison,
    "label_errors": label_errors,
    "small_faces": small_faces,
    "equal_budgets": equal_budgets,
}


def by_key(content: Mapping[str, Any]) -> Rows:
    """Rows of results.json by upscaler, size, recognizer and protocol."""
    return {(each["upscaler"], each["lr_size"], each["recognizer"], each["protocol"]): each for each in content["rows"]}


def kept(content: Mapping[str, Any], protocols: tuple[str, ...]) -> dict[str, Any]:
    """The part of results.json that is kept: some protocols, and of each row the metrics of the tables."""
    rows = []
    for each in content["rows"]:
        if each["protocol"] in protocols:
            row = {name: each[name] for name in ("upscaler", "lr_size", "recognizer", "protocol", "images")}
            for part in ("metrics", "interval"):
                row[part] = {name: each[part][name] for name in _METRICS if name in each[part]}
            row["difference"] = {
                reference: {name: values[name] for name in _METRICS if name in values}
                for reference, values in each["difference"].items()
            }
            rows.append(row)
    return {**{name: content[name] for name in ("dataset", "created", "versions")}, "rows": rows}


def as_text(content: Mapping[str, Any]) -> str:
    """JSON with a line for each row, so that a difference of two versions can be read."""
    head = json.dumps({name: each for name, each in content.items() if name != "rows"})
    rows = ",\n".join(json.dumps(row) for row in content["rows"])
    return f'{head[:-1]}, "rows": [\n{rows}\n]}}\n'


def written(document: str, name: str, lines: list[str]) -> str:
    """A document with a table's lines between its markers."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = document.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"no markers {begin.strip()} and {end}")
    return f"{before}{begin}{chr(10).join(lines)}\n{end}{after}"


def updated(document: str) -> str:
    """A document with all tables from the kept results."""
    for name, table in TABLES.items():
        document = written(document, name, table(by_key(json.loads((KEPT / f"{name}.json").read_text()))))
    return document


def draw_figures() -> None:
    """Draws the differences of the two tables that compare upscalers, by dlib, both pictures small."""
    trainings = {f"equal_{name}{x8}": said for name, said in _LOSSES.items() for x8 in ("", "_x8")}
    for name, names in (("comparison", _METHODS), ("equal_budgets", trainings)):
        rows = by_key(json.loads((KEPT / f"{name}.json").read_text()))
        labels = {key: said.strip("`† ") for key, said in names.items() if key not in ("none", "raw", "bicubic")}
        panels = {size: results_figures.differences(rows, labels, size) for size in (32, 16)}
        titles = {f"Faces of {size} px, judged by dlib": found for size, found in panels.items() if found}
        results_figures.draw(IMAGES / f"{name}.png", titles)


def on_lfw(rows: Rows, dataset: str) -> str:
    """Content of the file by which reports of small sets tell what the face models do on LFW."""
    found = [
        {
            "lr_size": size,
            "upscaler": name,
            "recognizer": judge,
            "difference": row["difference"]["bicubic"][_METRIC],
        }
        for (name, size, judge, protocol), row in rows.items()
        if protocol == "searcher_centered" and name not in ("none", "raw", "bicubic")
    ]
    return json.dumps({"dataset": dataset, "rows": found}, indent=1) + "\n"


def of_small_faces() -> str:
    """`on_lfw` of the kept results."""
    content = json.loads((KEPT / "small_faces.json").read_text())
    return on_lfw(by_key(content), content["dataset"])


def main() -> None:
    """Reads the command line; keeps results, writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", metavar="NAME=FILE,...", help="a table, and each results.json that it is made from")
    given = parser.parse_args()
    if given.keep:
        name, _, files = given.keep.partition("=")
        contents = [kept(json.loads(Path(file).read_text()), PROTOCOLS[name]) for file in files.split(",")]
        content = contents[0] | {"rows": [row for each in contents for row in each["rows"]]}
        KEPT.mkdir(exist_ok=True)
        (KEPT / f"{name}.json").write_text(as_text(content))
    draw_figures()
    DOCUMENT.write_text(updated(DOCUMENT.read_text()))
    ON_LFW.write_text(of_small_faces())
    print(DOCUMENT)


if __name__ == "__main__":
    main()
