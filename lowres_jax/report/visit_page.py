"""What a visit to an accelerator found, as a page of Markdown and a plot."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

_INK, _MUTED, _BAR = "#202124", "#5f6368", "#0072b2"
_MOST_BARS = 24


def page(found: Mapping[str, Any], judged: Sequence[Mapping[str, Any]], picture: str) -> str:
    """The page.

    Args:
      found: the visit's results, see `visit.results`.
      judged: what became of each model: name, size, images, likeness, its standard error, that of the model before
        and the difference with its interval, taken (bool).
      picture: file name of the plot beside the page; "" for none.
    """
    machine, packed = found.get("machine", {}), found.get("pack", {})
    lines = [f"# {machine.get('devices', '?')} x {machine.get('device', 'unknown device')}", ""]
    lines.append(
        f"{packed.get('created', '')[:10]}, {found.get('minutes', 0):g} minutes, JAX {machine.get('jax', '?')}, "
        f"{machine.get('memory_gib', 0):g} GiB. Made by `configs/visit_results.py` of what "
        "`launch/visit.sh` brought home."
    )
    lines += ["", *_check(found.get("check", {})), *_benchmark(found.get("benchmark", {}), picture)]
    lines += [*_trainings(found.get("trainings", {})), *_judged(judged), *_parts(found.get("parts", []))]
    return "\n".join(lines).rstrip() + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _check(check: Mapping[str, Any]) -> list[str]:
    if not check:
        return []
    rows = []
    for name, each in check.items():
        said = each.get("error") or f"{each['difference']:.1e}"
        rough = f"{each['device_precision']:.1e}" if "device_precision" in each else "-"
        rows.append([name, said, f"{each.get('limit', 0):g}", rough, "right" if each["right"] else "**wrong**"])
    head = ["against a processor's float32", "difference in float32", "at most", "by the device's own precision", ""]
    return ["## Right?", "", *_table(head, rows)]


def _benchmark(benchmark: Mapping[str, Any], picture: str) -> list[str]:
    if not benchmark:
        return []
    lines, rows = ["## Fast?", ""], []
    if picture:
        lines += [f"![Images a second]({picture})", ""]
    for name, each in benchmark.items():
        if "operations" in each:
            continue
        speed, tflops, share = each.get("images_per_second"), each.get("tflops"), each.get("share_of_product")
        rows.append(
            [
                name,
                f"{speed:,.0f}" if speed else "-",
                f"{tflops:.3g}" if tflops else each.get("error", "-"),
                f"{share:.0%}" if share else "-",
                f"{each['compile_seconds']:.1f}" if "compile_seconds" in each else "-",
            ]
        )
    lines += _table(["", "images/s", "TFLOP/s", "of the matrix product's rate", "compiled in s"], rows)
    for name, each in benchmark.items():
        if "operations" in each:
            parts = ", ".join(f"{kind} {share:.0%}" for kind, share in each["operations"].items())
            lines += [f"{name}: {1e3 * each['seconds_a_step']:.1f} ms a step: {parts}.", ""]
    return lines


def _trainings(trainings: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, each in trainings.items():
        figures = sorted({key for evaluation in each["evaluations"] for key in evaluation["figures"]})
        rows = [["bicubic", *(_figure(each["reference"], key) for key in figures)]]
        rows += [
            [f"{evaluation['step']:,}", *(_figure(evaluation["figures"], key) for key in figures)]
            for evaluation in each["evaluations"]
        ]
        lines += [
            f"### {name}",
            "",
            f"{each['steps']:,} steps of {each['batch_size']} were planned at {each['images_per_second']:,.0f} "
            f"images/s. The best is of step {each['best_step']:,}. People held out:",
            "",
            *_table(["step", *figures], rows),
        ]
    return ["## Trained", "", *lines] if lines else []


def _figure(figures: Mapping[str, float], key: str) -> str:
    return f"{figures[key]:.4g}" if key in figures else "-"


def _judged(judged: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [
            each["name"],
            f"{each['size']} px",
            f"{each['likeness']:.4f}",
            f"{each['before']}: {each['likeness_before']:.4f}",
            f"{each['difference']:+.4f} [{each['low']:+.4f}, {each['high']:+.4f}]",
            "taken" if each["taken"] else "left",
        ]
        for each in judged
    ]
    if not rows:
        return []
    head = ["model", "faces", "likeness", "before", "difference", ""]
    text = (
        f"Likeness: mean cosine of the templates of an enlarged face and its original, by {judged[0]['judge']}, which "
        f"is in no model's loss; {judged[0]['images']} images of LFW's View 1. A model is taken where the 95 % "
        "interval of the difference is above zero."
    )
    return ["## Better?", "", text, "", *_table(head, rows)]


def _parts(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for each in parts:
        if "left_out" in each:
            rows.append([each["part"], "-", f"left out: {each['left_out']}"])
            continue
        ended = "stopped as its time was over" if each["stopped_for_time"] else "ended by itself"
        status = f", {each['status']}" if each["status"] else ""
        rows.append([each["part"], f"{each['seconds']:.0f}", ended + status])
    return ["## Time", "", *_table(["part", "seconds", "how it ended (and status)"], rows)] if rows else []


def plot(benchmark: Mapping[str, Any]) -> bytes | None:
    """Images/s of all that was measured, as PNG; None where nothing was."""
    bars = [(name, each["images_per_second"]) for name, each in benchmark.items() if "images_per_second" in each]
    if not bars:
        return None
    from matplotlib.figure import Figure

    bars = bars[:_MOST_BARS][::-1]
    figure = Figure(figsize=(8, 0.6 + 0.3 * len(bars)), layout="constrained")
    axes = figure.subplots()
    names, speeds = zip(*bars, strict=True)
    axes.barh(names, speeds, color=_BAR)
    for place, speed in enumerate(speeds):
        axes.annotate(f" {speed:,.0f}", (speed, place), va="center", color=_INK, fontsize=8)
    # Tens to tens of thousands: lengths are decades from 1 on.
    axes.set_xscale("log")
    axes.set_xlim(1.0, 3.0 * max(speeds))
    axes.xaxis.set_major_formatter(lambda tick, _: f"{tick:,.0f}")
    axes.minorticks_off()
    axes.set_xlabel("images/s", color=_MUTED)
    axes.tick_params(labelsize=8, colors=_MUTED)
    axes.spines[["top", "right"]].set_visible(False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=130)
    return stream.getvalue()
