"""What the report's template shows, computed from the data: tables, verdicts, figures."""

import datetime
from collections.abc import Sequence
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from lowres_jax.evaluation import figures, findings, wording
from lowres_jax.evaluation.report import Curve, GridFace, ReportData, TurnedPair
from lowres_jax.evaluation.table import CEILING, FLOOR, IDENTIFICATION, PAIRS, REFERENCES, Group, best, group_rows
from lowres_jax.evaluation.wording import Verdict

_TONES = {Verdict.BETTER: "better", Verdict.WORSE: "worse", Verdict.NONE: "level", Verdict.UNKNOWN: "unknown"}


def render(data: ReportData) -> str:
    """The whole page as HTML text.

    Raises:
      UserError: see `table.group_rows`.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lowres_jax", "evaluation/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(_context(data))


def _context(data: ReportData) -> dict[str, Any]:
    groups = group_rows(data.results)
    found = [findings.find(group) for group in groups]
    methods = list(dict.fromkeys(method for group in groups for method in group.methods))
    drawn = [curve.upscaler for curve in data.curves] + [name for face in data.grid for name in face.upscaled]
    looks = figures.styles(list(dict.fromkeys([*methods, *drawn])))
    rows = data.results.get("rows") or []
    return {
        "title": data.title,
        "dataset": data.results.get("dataset") or "an unnamed data set",
        "created": _created(data.results.get("created")),
        "duration": wording.show_duration(data.duration) if data.duration is not None else "",
        "answer": findings.answer(found),
        "glances": _glances(groups),
        "groups": [_group(group, finding, data.curves, looks) for group, finding in zip(groups, found, strict=True)],
        "quality_space": data.quality_space,
        "people": _people(data.grid),
        "alarms": [alarm for group in groups for alarm in _alarms(group)],
        "false_accept_rule": data.false_accept_rule,
        "turned": _turned(data.turned),
        "gallery": figures.data_uri(data.detector_gallery) if data.detector_gallery else "",
        "gallery_caption": data.detector_caption,
        "undetected": wording.undetected_sentences(rows),
        "notes": list(data.notes),
        "command": data.command,
        "versions": dict(data.results.get("versions") or {}),
        "licences": dict(data.licences or {}),
    }


def _created(value: Any) -> str:
    """A time stamp in ISO format as a reader likes it; anything else as it is."""
    text = str(value or "")
    try:
        return datetime.datetime.fromisoformat(text).strftime("%d %B %Y, %H:%M").lstrip("0")
    except ValueError:
        return text


def _kind(method: str) -> str:
    return {CEILING: "ceiling", FLOOR: "floor"}.get(method, "reference" if method in REFERENCES else "method")


def _difference(group: Group, method: str, protocol: str, name: str, reference: str) -> dict[str, str] | None:
    difference = group.difference(method, protocol, name, reference)
    if difference is None or method == reference:
        return None
    verdict = wording.verdict(name, difference)
    return {
        "tone": _TONES[verdict],
        "words": verdict.value,
        "value": wording.show_change(name, difference[0]),
        "text": wording.show_difference(name, difference, unit=False),
    }


def _glances(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """One matrix a recogniser: methods against (LR size, protocol), each cell the verdict against the reference."""
    glances = []
    for recognizer in dict.fromkeys(group.recognizer for group in groups):
        own = [group for group in groups if group.recognizer == recognizer and group.reference()]
        if not own:
            continue
        reference = own[0].reference() or ""
        methods = list(dict.fromkeys(m for group in own for m in group.methods if m != reference))
        rows = []
        for method in methods:
            cells = [
                _difference(group, method, protocol, name, reference)
                for group in own
                for protocol, name in (IDENTIFICATION, PAIRS)
            ]
            if any(cells):
                rows.append({"method": wording.printed(method), "cells": cells})
        if rows:
            glances.append(
                {
                    "recognizer": wording.printed(recognizer),
                    "reference": reference,
                    "sizes": [wording.size(group.lr_size) for group in own],
                    "rows": rows,
                }
            )
    return glances


def _group(
    group: Group, finding: findings.Finding, curves: Sequence[Curve], looks: dict[str, figures.Style]
) -> dict[str, Any]:
    title = f"{wording.size(group.lr_size)}, judged by {wording.printed(group.recognizer)}"
    return {
        "anchor": f"g-{group.lr_size}-{''.join(c if c.isalnum() else '-' for c in group.recognizer)}",
        "title": title,
        "size": wording.size(group.lr_size),
        "recognizer": wording.printed(group.recognizer),
        "sentences": finding.sentences,
        "table": _table(group),
        "differences": _difference_figures(group, looks, title),
        "curves": _curve_figures(group, curves, looks, title),
        "complete": [_complete(group, protocol) for protocol in wording.PROTOCOLS if group.metrics(protocol)],
    }


def _table(group: Group) -> dict[str, Any]:
    """The main table: the leading metric of each protocol with its differences, and the picture's likeness."""
    columns: list[tuple[str, str, str]] = []
    for protocol, name in (IDENTIFICATION, PAIRS):
        columns.append((protocol, name, "value"))
        columns += [(protocol, name, reference) for reference in REFERENCES]
        if (protocol, name) == IDENTIFICATION:
            columns.append((protocol, name, "recovered"))
    columns += [("image_quality", name, "value") for name in ("psnr", "ssim", "identity_cosine")]
    filled = [[_cell(group, method, *column) for column in columns] for method in group.everyone]
    kept = [index for index in range(len(columns)) if any(row[index] for row in filled)]
    spans: list[dict[str, Any]] = []
    for index in kept:
        protocol = wording.PROTOCOLS[columns[index][0]]
        if spans and spans[-1]["protocol"] == protocol:
            spans[-1]["columns"] += 1
        else:
            spans.append({"protocol": protocol, "columns": 1})
    heads: list[dict[str, Any]] = []
    for index in kept:
        protocol, name, what = columns[index]
        words = {"value": wording.metric(name).label, "recovered": "loss recovered"}
        first = not heads or columns[kept[len(heads) - 1]][0] != protocol
        heads.append({"label": words.get(what, f"vs {what}"), "first": first})
    rows = [
        {"method": wording.printed(method), "kind": _kind(method), "cells": [row[index] for index in kept]}
        for method, row in zip(group.everyone, filled, strict=True)
    ]
    return {"spans": spans, "heads": heads, "rows": rows}


def _cell(group: Group, method: str, protocol: str, name: str, what: str) -> dict[str, Any] | None:
    if what == "recovered":
        share = None if method in (CEILING, FLOOR, "bicubic") else findings.recovered(group, method)
        if share is None:
            return None
        bounds = (
            "" if share[1] is None or share[2] is None else f"[{100 * share[1]:.0f}, {100 * share[2]:.0f}]"
        ).replace("-", wording.MINUS)
        return {"kind": "recovered", "value": wording.percent(share[0]), "small": bounds}
    if what != "value":
        difference = _difference(group, method, protocol, name, what)
        return {"kind": "difference", **difference} if difference else None
    value = group.value(method, protocol, name)
    if value is None:
        return None
    small = wording.show_interval(name, group.interval(method, protocol, name))
    error = group.value(method, protocol, "accuracy_se") if name == "accuracy" else None
    if error is not None:
        small += f" SE {100 * error:.2f}"
    return {
        "kind": "value",
        "value": wording.show(name, value),
        "small": small.strip(),
        "best": best(group, protocol, name) == method,
    }


def _complete(group: Group, protocol: str) -> dict[str, Any]:
    """Every number of one protocol: values, intervals, both differences, and the counts of the rows."""
    names = group.metrics(protocol)
    rows = []
    for method in group.everyone:
        row = group.rows.get((method, protocol))
        if row is None:
            continue
        cells = []
        for name in names:
            lines = [wording.show_interval(name, group.interval(method, protocol, name))]
            for reference in REFERENCES:
                difference = group.difference(method, protocol, name, reference)
                if difference is not None and method != reference:
                    lines.append(f"{reference}: {wording.show_difference(name, difference, unit=False)}")
            value = wording.show(name, group.value(method, protocol, name))
            cells.append({"value": value, "lines": [line for line in lines if line]})
        counts = [f"{row[key]:,} {key}" for key in ("images", "folds", "undetected") if isinstance(row.get(key), int)]
        rows.append({"method": wording.printed(method), "cells": cells, "counts": counts})
    heads = [wording.metric(name).label for name in names]
    return {"protocol": wording.PROTOCOLS[protocol], "heads": heads, "rows": rows}


def _difference_figures(group: Group, looks: dict[str, figures.Style], title: str) -> list[dict[str, Any]]:
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
        svg = figures.difference_plot(whiskers, looks, "percentage points", ceiling, f"{heading}, {title}")
        if svg:
            found.append({"title": heading, "svg": Markup(svg)})  # Drawn by us; labels are escaped by matplotlib.
    return found


def _curve_figures(
    group: Group, curves: Sequence[Curve], looks: dict[str, figures.Style], title: str
) -> dict[str, Any] | None:
    own = [
        curve
        for curve in curves
        if curve.recognizer == group.recognizer and (curve.upscaler == CEILING or curve.lr_size == group.lr_size)
    ]
    place = {method: index for index, method in enumerate(group.everyone)}
    own.sort(key=lambda curve: place.get(curve.upscaler, len(place)))

    def lines(points: str) -> list[figures.Line]:
        # Methods in colour are drawn last, over the grey references.
        drawn = [(curve, getattr(curve, points)) for curve in own if getattr(curve, points) is not None]
        drawn.sort(key=lambda entry: _kind(entry[0].upscaler) == "method")
        return [figures.Line(curve.upscaler, np.asarray(x), np.asarray(y)) for curve, (x, y) in drawn]

    plots: list[tuple[str, Any, str, str]] = [
        ("Identification: DIR against FAR", figures.rate_plot, "dir_at_far", "right person first (DIR)"),
        ("Identification: CMC", figures.cmc_plot, "cmc", "right person within the first k"),
        ("Pairs: ROC", figures.rate_plot, "verification_roc", "true accept rate (TAR)"),
    ]
    drawn = []
    for heading, plot, points, label in plots:
        svg = plot(lines(points), looks, label, f"{heading}, {title}")
        if svg:
            drawn.append({"title": heading, "svg": Markup(svg)})
    if not drawn:
        return None
    legend = [
        {"label": wording.printed(curve.upscaler), "svg": Markup(figures.key_svg(looks[curve.upscaler]))}
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


def _alarms(group: Group) -> list[dict[str, Any]]:
    """False accepts of every method beside the reference's, by protocol."""
    alarms = []
    for protocol in ("all_against_all", "lfw"):
        counts = {m: group.value(m, protocol, "false_accepts") for m in group.everyone}
        known = {method: count for method, count in counts.items() if count is not None}
        if not known:
            continue
        reference = next((name for name in REFERENCES if name in known), None)
        highest = max(known.values()) or 1.0
        rows = []
        for method, count in known.items():
            change = "" if reference is None or method == reference else f"{count - known[reference]:+,.0f}"
            difference = group.difference(method, protocol, "false_accepts", reference) if reference else None
            verdict = wording.verdict("false_accepts", difference)
            words = {Verdict.BETTER: "fewer", Verdict.WORSE: "more", Verdict.NONE: "no measurable difference"}
            rows.append(
                {
                    "method": wording.printed(method),
                    "kind": _kind(method),
                    "count": f"{count:,.0f}",
                    "change": change.replace("-", wording.MINUS),
                    "tone": _TONES[verdict],
                    "words": words.get(verdict, "") if method != reference else "",
                    "width": f"{100 * count / highest:.1f}",
                }
            )
        searches = wording.number(group.rows[next(iter(known)), protocol].get("images"))
        unit = "impostor pairs accepted"
        if protocol == "all_against_all":
            of = f" out of {searches:,.0f}" if searches is not None else ""
            unit = f"searches for people who are not enrolled that returned somebody{of}"
        heading = f"{wording.size(group.lr_size)}, {wording.printed(group.recognizer)}: {unit}"
        alarms.append({"title": heading, "rows": rows, "reference": reference or ""})
    return alarms


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
    said_same = score >= threshold
    return {
        "label": label,
        "pictures": [figures.png_uri(image) for image in images],
        "score": f"{score:.3f}".replace("-", wording.MINUS),
        "sign": "≥" if said_same else "<",
        "threshold": f"{threshold:.3f}".replace("-", wording.MINUS),
        "says": "same" if said_same else "different",
        "right": said_same == same,
    }
