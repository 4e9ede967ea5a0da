"""The report of a comparison, one self-contained HTML page: what its template shows, computed from the data."""

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from lowres_jax.report.comparison import figures, findings, judges, on_lfw, page_tables, wording
from lowres_jax.report.comparison.report_data import Curve, GridFace, ReportData, TurnedPair
from lowres_jax.report.comparison.table import CEILING, IDENTIFICATION, PAIRS, Group, group_rows
from lowres_jax.report.comparison.wording import Verdict
from lowres_jax.runtime.signals import interruptible
from lowres_jax.utils.files import write_atomically


def write_report(path: str | Path, data: ReportData) -> None:
    """Writes the report as one HTML file that needs nothing else: no script, no request to anywhere.

    Args:
      path: file to write; its folder is made. Written whole or not at all.
      data: content of the page; missing parts are left out or named as missing.

    Raises:
      UserError: rows that cannot be read (see `table.group_rows`), or a path that cannot be written.
    """
    content = render(data).encode()
    with write_atomically(path) as file:
        file.write(content)


def render(data: ReportData) -> str:
    """The whole page as HTML text.

    Raises:
      UserError: see `table.group_rows`.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lowres_jax", "report/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["unbroken"] = _unbroken
    return environment.get_template("report.html").render(_context(data))


def _unbroken(text: str) -> str:
    """Keeps intervals and numbers with their units on one line."""
    text = re.sub(r"\[[^\]]*\]", lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    return re.sub(r"(?<=\d) (?=px|%|dB|points)", "\N{NO-BREAK SPACE}", text)


def _context(data: ReportData) -> dict[str, Any]:
    groups = group_rows(data.results)
    methods = list(dict.fromkeys(method for group in groups for method in group.methods))
    drawn = [curve.upscaler for curve in data.curves] + [name for face in data.grid for name in face.upscaled]
    styles = figures.styles(list(dict.fromkeys([*methods, *drawn])))
    rows = data.results.get("rows") or []
    return {
        "title": data.title,
        "dataset": data.results.get("dataset") or "an unnamed data set",
        "created": _created(data.results.get("created")),
        "duration": wording.show_duration(data.duration) if data.duration is not None else "",
        "answer": [findings.sentence(group) for group in groups],
        "glances": page_tables.glances(groups),
        "elsewhere": on_lfw.elsewhere(groups, str(data.results.get("dataset") or "")),
        "disagreements": judges.disagreements(groups),
        "recognizers": judges.side_by_side(groups, data.published),
        "taught": f"{wording.TAUGHT_RULE}." if any(g.is_taught(m) for g in groups for m in g.methods) else "",
        "groups": [_group(group, data.curves, styles) for group in interruptible(groups)],
        "quality_space": data.quality_space,
        "people": _people(data.grid),
        "alarms": [alarm for group in groups for alarm in page_tables.alarms(group)],
        "false_accept_rule": data.false_accept_rule,
        "turned": _turned(data.turned),
        "gallery": figures.data_uri(data.detector_gallery) if data.detector_gallery else "",
        "gallery_caption": data.detector_caption,
        "undetected": wording.undetected_sentences(rows),
        "notes": list(data.notes),
        "command": data.command,
        "versions": dict(data.results.get("versions") or {}),
        "licenses": dict(data.licenses or {}),
    }


def _created(value: Any) -> str:
    """A time stamp in ISO format as a reader likes it; anything else as it is."""
    text = str(value or "")
    try:
        return datetime.datetime.fromisoformat(text).strftime("%d %B %Y, %H:%M").lstrip("0")
    except ValueError:
        return text


def _group(group: Group, curves: Sequence[Curve], styles: dict[str, figures.Style]) -> dict[str, Any]:
    title = f"{wording.size(group.lr_size)}, judged by {wording.printed(group.recognizer)}"
    return {
        "anchor": f"g-{group.lr_size}-{''.join(c if c.isalnum() else '-' for c in group.recognizer)}",
        "title": title,
        "size": wording.size(group.lr_size),
        "recognizer": wording.printed(group.recognizer),
        "sentence": findings.sentence(group),
        "table": page_tables.main_table(group),
        "more": [
            table(group) for table in (page_tables.searcher_table, page_tables.centered_table, page_tables.others_table)
        ],
        "differences": _difference_figures(group, styles, title),
        "curves": _curve_figures(group, curves, styles, title),
        "complete": [
            page_tables.complete(group, protocol) for protocol in wording.PROTOCOLS if group.metrics(protocol)
        ],
    }


def _difference_figures(group: Group, styles: dict[str, figures.Style], title: str) -> list[dict[str, Any]]:
    reference = group.reference()
    if reference is None:
        return []
    found = []
    for protocol, name in (IDENTIFICATION, PAIRS):
        whiskers = []
        for method in group.methods:
            difference = group.difference(method, protocol, name, reference)
            if difference is not None and method != reference:
                decided = wording.verdict(name, difference) is not Verdict.NONE
                points = tuple(100 * part for part in difference)
                whiskers.append(figures.Whisker(wording.printed(method), points, decided, method))
        whiskers.sort(key=lambda whisker: -whisker.difference[0])
        original, base = (group.value(who, protocol, name) for who in (CEILING, reference))
        ceiling = 100 * (original - base) if original is not None and base is not None else None
        label = wording.metric(name).label
        heading = f"{label}: difference to {reference}"
        svg = figures.difference_plot(whiskers, styles, "percentage points", ceiling, f"{heading}, {title}")
        if svg:
            found.append({"title": heading, "svg": Markup(svg)})  # Drawn by us; labels are escaped by matplotlib.
    return found


def _curve_figures(
    group: Group, curves: Sequence[Curve], styles: dict[str, figures.Style], title: str
) -> dict[str, Any] | None:
    own = [
        curve
        for curve in curves
        if curve.recognizer == group.recognizer and (curve.upscaler == CEILING or curve.lr_size == group.lr_size)
    ]
    place = {method: index for index, method in enumerate(group.everyone)}
    own.sort(key=lambda curve: place.get(curve.upscaler, len(place)))

    def lines(points: str) -> list[figures.Line]:
        # Methods in color are drawn last, over the gray references.
        drawn = [(curve, getattr(curve, points)) for curve in own if getattr(curve, points) is not None]
        drawn.sort(key=lambda entry: page_tables.kind(entry[0].upscaler) == "method")
        return [figures.Line(curve.upscaler, np.asarray(x), np.asarray(y)) for curve, (x, y) in drawn]

    plots: list[tuple[str, Any, str, str]] = [
        ("Identification: DIR against FAR", figures.rate_plot, "dir_at_far", "right person first (DIR)"),
        ("Identification: CMC", figures.cmc_plot, "cmc", "right person within the first k"),
        ("Pairs: ROC", figures.rate_plot, "verification_roc", "true accept rate (TAR)"),
    ]
    drawn = []
    for heading, plot, points, label in plots:
        svg = plot(lines(points), styles, label, f"{heading}, {title}")
        if svg:
            drawn.append({"title": heading, "svg": Markup(svg)})
    if not drawn:
        return None
    legend = [
        {"label": wording.printed(curve.upscaler), "svg": Markup(figures.key_svg(styles[curve.upscaler]))}
        for curve in own
    ]
    return {"plots": drawn, "legend": legend}


def _people(grid: Sequence[GridFace]) -> list[dict[str, Any]]:
    """The picture grid, one block an LR size, from large to small."""
    blocks = []
    for lr_size in sorted({face.lr_size for face in grid}, reverse=True):
        faces = [face for face in grid if face.lr_size == lr_size]
        methods = list(dict.fromkeys(method for face in faces for method in face.upscaled))
        rows = []
        for face in faces:
            cells = [("low resolution", face.low_resolution, "pixelated")]
            cells += [(wording.printed(m), face.upscaled[m], "") for m in methods if m in face.upscaled]
            cells.append((wording.printed(CEILING), face.high_resolution, ""))
            pictures = [{"label": label, "uri": figures.png_uri(image), "look": look} for label, image, look in cells]
            rows.append({"name": face.name, "pictures": pictures})
        blocks.append({"size": wording.size(lr_size), "rows": rows, "columns": len(methods) + 2})
    return blocks


def _turned(turned: Sequence[TurnedPair]) -> list[dict[str, Any]]:
    """The examples, those turned right first, then those turned wrong."""
    blocks = []
    for outcome in ("right", "wrong"):
        entries = []
        for pair in turned:
            if pair.outcome != outcome:
                continue
            sides = [
                _side(
                    wording.printed(pair.reference),
                    pair.reference_images,
                    pair.reference_score,
                    pair.reference_threshold,
                    pair.same,
                ),
                _side(wording.printed(pair.upscaler), pair.images, pair.score, pair.threshold, pair.same),
            ]
            originals = [figures.png_uri(image) for image in pair.original_images or ()]
            entries.append(
                {
                    "context": f"{wording.size(pair.lr_size)}, {wording.printed(pair.recognizer)}",
                    "truth": "same person" if pair.same else "two people",
                    "names": list(dict.fromkeys(pair.names)),
                    "sides": sides,
                    "originals": originals,
                    "false_match": outcome == "wrong" and not pair.same,
                }
            )
        if entries:
            blocks.append({"outcome": outcome, "entries": entries})
    return blocks


def _side(
    label: str, images: tuple[np.ndarray, np.ndarray], score: float, threshold: float, same: bool
) -> dict[str, Any]:
    said_same = score > threshold
    return {
        "label": label,
        "pictures": [figures.png_uri(image) for image in images],
        "score": f"{score:.3f}".replace("-", wording.MINUS),
        "sign": ">" if said_same else "≤",
        "threshold": f"{threshold:.3f}".replace("-", wording.MINUS),
        "says": "same" if said_same else "different",
        "right": said_same == same,
    }
