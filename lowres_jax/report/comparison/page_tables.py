"""The report's tables, as the template walks them: verdicts at a glance, main table, all numbers, false accepts."""

from collections.abc import Sequence
from typing import Any

from lowres_jax.report.comparison import findings, wording
from lowres_jax.report.comparison.findings import Mark
from lowres_jax.report.comparison.table import CEILING, FLOOR, IDENTIFICATION, PAIRS, REFERENCES, SEARCHER, Group
from lowres_jax.report.comparison.wording import Verdict

_TONES = {Verdict.BETTER: "better", Verdict.WORSE: "worse", Verdict.NONE: "level", Verdict.UNKNOWN: "unknown"}
_MARK_TONES = {Mark.HELPS: "better", Mark.HARMS: "worse", Mark.NOT_SHOWN: "level", Mark.TOO_FEW: "few"}


def kind(method: str) -> str:
    """The part a method plays: "ceiling", "floor", "reference" or "method"."""
    return {CEILING: "ceiling", FLOOR: "floor"}.get(method, "reference" if method in REFERENCES else "method")


def glances(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """One matrix a recognizer: methods against (LR size, task), each cell a difference, its interval and its mark."""
    found = []
    for recognizer in dict.fromkeys(group.recognizer for group in groups):
        own = [group for group in groups if group.recognizer == recognizer and group.reference()]
        reference = own[0].reference() if own else None
        own = [group for group in own if group.reference() == reference]
        methods = list(dict.fromkeys(m for group in own for m in group.methods if m != reference))
        # Only what was measured has a column.
        tasks = [
            (group, task)
            for group in own
            for task in findings.TASKS
            if any(findings.mark(group, method, *task) for method in methods)
        ]
        rows = []
        for method in methods:
            cells = [_marked(group, method, *task) for group, task in tasks]
            if any(cells):
                # In a group that has it: not every method is measured at every size.
                having = next(group for group in own if method in group.methods)
                rows.append({"method": having.printed(method), "cells": cells})
        sizes = [(wording.size(group.lr_size), sum(each is group for each, _ in tasks)) for group in own]
        heads = [
            {"label": findings.TASKS[task], "first": not number or tasks[number - 1][0] is not group}
            for number, (group, task) in enumerate(tasks)
        ]
        if rows:
            name = wording.printed(recognizer)
            found.append({"recognizer": name, "reference": reference, "sizes": sizes, "heads": heads, "rows": rows})
    return found


def _marked(group: Group, method: str, protocol: str, name: str) -> dict[str, Any] | None:
    mark = findings.mark(group, method, protocol, name)
    difference = _difference(group, method, protocol, name, group.reference() or "")
    if mark is None or difference is None:
        return None
    return {**difference, "tone": _MARK_TONES[mark], "mark": mark.value}


def searcher_table(group: Group) -> dict[str, Any] | None:
    """The searcher's case: originals enrolled, small faces searched for; None where it was not measured."""
    if not group.metrics(SEARCHER[0]):
        return None
    columns = [(*SEARCHER, "value"), *((*SEARCHER, reference) for reference in group.references)]
    columns += [(SEARCHER[0], name, "value") for name in ("dir_at_far_1e-1", "rank1", "false_accepts")]
    return _table(group, columns)


def centered_table(group: Group) -> dict[str, Any] | None:
    """Both cases with templates less their condition's mean; None where that was not asked for."""
    protocols = ("all_against_all_centered", "searcher_centered")
    if not any(group.metrics(protocol) for protocol in protocols):
        return None
    name = IDENTIFICATION[1]
    return _table(
        group, [(protocol, name, what) for protocol in protocols for what in ("value", "uncentered", *group.references)]
    )


def others_table(group: Group) -> dict[str, Any] | None:
    """Pairs whose second picture alone is small, and the tests that others wrote; None where none was asked for."""
    columns = [("lfw_searcher", "accuracy", what) for what in ("value", "error", "bicubic")]
    columns += [
        (protocol, name, what)
        for protocol in ("blufr", "blufr_searcher", "open_set_o1", "open_set_o2", "open_set_o3")
        for name in ("dir_at_far_1e-2", "vr_at_far_1e-3")
        for what in ("value", "bicubic")
    ]
    return _table(group, columns) if any(group.metrics(protocol) for protocol, *_ in columns) else None


def main_table(group: Group) -> dict[str, Any]:
    """The main table: the leading metric of each protocol with its differences, and the picture's likeness."""
    against = [(*IDENTIFICATION, reference) for reference in group.references]
    columns = [(*IDENTIFICATION, "value"), *against, (*IDENTIFICATION, "recovered")]
    columns += [(*PAIRS, "value"), (*PAIRS, "error"), *((*PAIRS, reference) for reference in group.references)]
    columns += [("image_quality", name, "value") for name in ("psnr", "ssim", "identity_cosine")]
    return _table(group, columns)


def _table(group: Group, columns: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """A table of (protocol, metric, what) columns, of which empty ones are left out."""
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
        words = {"value": wording.metric(name).label, "recovered": "recovered", "error": "SE"}
        first = not heads or columns[kept[len(heads) - 1]][0] != protocol
        heads.append({"label": words.get(what, f"vs {what}"), "first": first})
    rows = [
        {"method": group.printed(method), "kind": kind(method), "cells": [row[index] for index in kept]}
        for method, row in zip(group.everyone, filled, strict=True)
    ]
    return {"spans": spans, "heads": heads, "rows": rows}


def complete(group: Group, protocol: str) -> dict[str, Any]:
    """Every number of one protocol: values, intervals, differences, and the counts of the rows."""
    names = group.metrics(protocol)
    rows = []
    for method in group.everyone:
        row = group.rows.get((method, protocol))
        if row is None:
            continue
        cells = []
        for name in names:
            lines = [wording.show_interval(name, group.interval(method, protocol, name))]
            for reference in group.references:
                difference = group.difference(method, protocol, name, reference)
                if difference is not None and method != reference:
                    lines.append(f"{reference}: {wording.show_difference(name, difference, unit=False)}")
            value = group.shown(method, protocol, name)
            cells.append({"value": value, "lines": [line for line in lines if line]})
        known = [(wording.number(row.get(key)), key) for key in ("images", "folds", "undetected")]
        counts = [f"{count:,.0f} {key}" for count, key in known if count is not None]
        rows.append({"method": group.printed(method), "cells": cells, "counts": counts})
    heads = [wording.metric(name).label for name in names]
    return {"protocol": wording.PROTOCOLS[protocol], "heads": heads, "rows": rows}


def alarms(group: Group) -> list[dict[str, Any]]:
    """False accepts of every method beside the reference's, by protocol."""
    found = []
    for protocol in ("all_against_all", "searcher", "lfw"):
        counts = {m: group.value(m, protocol, "false_accepts") for m in group.everyone}
        known = {method: count for method, count in counts.items() if count is not None}
        if not known:
            continue
        reference = next((name for name in REFERENCES if name in known), None)
        highest = max(known.values()) or 1.0
        rows = []
        for method, count in known.items():
            change = (
                ""
                if reference is None or method == reference
                else f"{count - known[reference]:+,.0f}".replace("+0", "0")
            )
            difference = group.difference(method, protocol, "false_accepts", reference) if reference else None
            verdict = wording.verdict("false_accepts", difference)
            rows.append(
                {
                    "method": group.printed(method),
                    "kind": kind(method),
                    "count": f"{count:,.0f}",
                    "change": change.replace("-", wording.MINUS),
                    "tone": _TONES[verdict] if change else "unknown",
                    "width": f"{100 * count / highest:.1f}",
                }
            )
        searches = wording.number(group.rows[next(iter(known)), protocol].get("images"))
        unit = "impostor pairs accepted"
        if protocol != "lfw":
            of = f" out of {searches:,.0f}" if searches is not None else ""
            unit = f"searches for people who are not enrolled that returned somebody{of}"
            unit += ", good pictures enrolled" if protocol == "searcher" else ""
        heading = f"{wording.size(group.lr_size)}, {wording.printed(group.recognizer)}: {unit}"
        found.append({"title": heading, "rows": rows, "reference": reference or ""})
    return found


def _difference(group: Group, method: str, protocol: str, name: str, reference: str) -> dict[str, str] | None:
    difference = group.difference(method, protocol, name, reference)
    if difference is None or method == reference:
        return None
    verdict = wording.verdict(name, difference)
    text = wording.show_difference(name, difference, unit=False)
    return {
        "tone": _TONES[verdict],
        "words": verdict.value,
        "value": text.split(" ", 1)[0],
        "small": text.split(" ", 1)[1],
        "text": text,
    }


def _cell(group: Group, method: str, protocol: str, name: str, what: str) -> dict[str, Any] | None:
    if what == "recovered":
        share = None if method in (CEILING, FLOOR, "bicubic") else findings.recovered(group, method)
        if share is None:
            return None
        bounds = (
            "" if share[1] is None or share[2] is None else f"[{100 * share[1]:.0f}, {100 * share[2]:.0f}]"
        ).replace("-", wording.MINUS)
        return {"kind": "recovered", "value": wording.percent(share[0]), "small": bounds}
    if what == "error":
        error = group.value(method, protocol, "accuracy_se")
        return (
            {"kind": "error", "value": wording.show("accuracy_se", error), "small": ""} if error is not None else None
        )
    if what != "value":
        difference = _difference(group, method, protocol, name, what)
        return {"kind": "difference", **difference} if difference else None
    if group.value(method, protocol, name) is None:
        return None
    small = wording.show_interval(name, group.interval(method, protocol, name))
    return {
        "kind": "value",
        "value": group.shown(method, protocol, name),
        "small": small,
    }
