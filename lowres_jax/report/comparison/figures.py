"""The report's pictures: faces as PNG data URIs, plots as inline SVG that follows the page's colors.

Matplotlib draws with stand-in colors; these become CSS variables, so that one drawing serves light, dark and print.
"""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from lowres_jax.data.images import to_uint8
from lowres_jax.report.comparison.wording import MINUS

# Stand-ins for the page's CSS variables: no drawing uses them otherwise.
_INK, _MUTED, _GRID, _PAGE = "#010101", "#020202", "#030303", "#040404"
_VARIABLES = {_INK: "--ink", _MUTED: "--muted", _GRID: "--line", _PAGE: "--page"}

# The stylesheet defines --series-0 to --series-6 (color-blind-safe: Okabe and Ito, 2008, darker on light paper).
SERIES_COLORS = 7
_DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))

# A rate of fewer than three false accepts is noise, but FAR 1 % is shown in any case; ranks beyond 50 say nothing new.
_FEWEST_FALSE_ACCEPTS = 3
_HEADLINE_FAR = 0.01
_HIGHEST_RANK = 50


@dataclass(frozen=True)
class Style:
    """A method's look in every plot: a CSS color, matplotlib's stand-in for it, a dash pattern and a line width."""

    color: str
    stand_in: str
    dash: Any
    width: float


@dataclass(frozen=True)
class Line:
    """One method's curve: its label and points, x ascending."""

    method: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Whisker:
    """One row of the difference plot: (value, low, high) in the plot's unit; solid where zero is excluded."""

    label: str
    difference: tuple[float, ...]
    decided: bool
    method: str


def styles(methods: Sequence[str]) -> dict[str, Style]:
    """One look a method for the whole report: HR and raw LR in ink, interpolations in gray, the others in color."""
    fixed = {
        "none": Style("var(--ink)", _INK, (0, (1, 1.6)), 1.6),
        "raw": Style("var(--muted)", _MUTED, (0, (1, 3)), 1.4),
        "bicubic": Style("var(--muted)", _MUTED, "solid", 1.8),
        "bilinear": Style("var(--muted)", _MUTED, (0, (4, 2)), 1.4),
    }
    colored = [method for method in methods if method not in fixed]
    found = dict(fixed)
    for position, method in enumerate(colored):
        index = position % SERIES_COLORS
        dash = _DASHES[position // SERIES_COLORS % len(_DASHES)]
        found[method] = Style(f"var(--series-{index})", _stand_in(index), dash, 1.8)
    return found


def png_uri(image: Shaped[np.ndarray, "H W 3"]) -> str:
    """A float32 RGB image in [0, 1] as a lossless data URI; gray pictures take one channel."""
    pixels = to_uint8(image)
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return data_uri(buffer.getvalue())


def data_uri(png: bytes) -> str:
    """PNG file content as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def key_svg(style: Style) -> str:
    """A short sample of a method's line for the legend."""
    pattern = "" if style.dash == "solid" else ' stroke-dasharray="' + " ".join(str(2 * p) for p in style.dash[1]) + '"'
    return (
        f'<svg class="key" viewBox="0 0 28 8" width="28" height="8" aria-hidden="true"><path d="M1 4H27" fill="none" '
        f'style="stroke:{style.color}" stroke-width="{1.4 * style.width:.1f}"{pattern}/></svg>'
    )


def thin(
    x: Shaped[np.ndarray, " n"], y: Shaped[np.ndarray, " n"], grid: Shaped[np.ndarray, " m"]
) -> tuple[np.ndarray, np.ndarray]:
    """Reads a step curve at the points of a grid, by the protocols' rule: the last point whose x is <= the grid's.

    Args:
      x: ascending, shape (n,).
      y: shape (n,).
      grid: points to read at, shape (m,); points before the first x are left out.

    Returns:
      (grid, values) without those points, shape (<= m,) each.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    last = np.searchsorted(x, grid, side="right") - 1
    known = last >= 0
    return grid[known], y[last[known]]


def rate_plot(lines: Sequence[Line], styles_of: dict[str, Style], y_label: str, title: str) -> str:
    """TAR or DIR against FAR on a logarithmic axis, as inline SVG; "" where no line has a point."""
    drawn = []
    for line in lines:
        smallest = float(np.min(line.x[line.x > 0], initial=1.0))
        lowest = min(_FEWEST_FALSE_ACCEPTS * smallest, max(smallest, _HEADLINE_FAR))
        if lowest < 1.0:
            grid = np.unique(
                np.append(np.geomspace(lowest, 1.0, 160), [point for point in (1e-3, 1e-2, 1e-1) if point >= lowest])
            )
            drawn.append((line.method, *thin(line.x, line.y, grid)))
    if not drawn:
        return ""
    figure, axes = _canvas(4.2, 3.5)
    left = min(float(x[0]) for _, x, _ in drawn)
    axes.axvline(_HEADLINE_FAR, color=_GRID, linewidth=5, zorder=0)
    _draw(axes, drawn, styles_of)
    axes.set_xscale("log")
    axes.set_xlim(left, 1.0)
    ticks = [tick for tick in (1e-4, 1e-3, 1e-2, 1e-1, 1.0) if tick >= left * 0.999]
    axes.set_xticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
    axes.set_xlabel("false accept rate (FAR)")
    _percent_axis(axes, drawn, y_label)
    return _inline_svg(figure, title)


def cmc_plot(lines: Sequence[Line], styles_of: dict[str, Style], y_label: str, title: str) -> str:
    """Share of searches whose right answer is within the first k, as inline SVG; "" where no line has a point."""
    drawn = []
    for line in lines:
        kept = (line.x >= 1) & (line.x <= _HIGHEST_RANK) & np.isfinite(line.y)
        if kept.any():
            drawn.append((line.method, line.x[kept], line.y[kept]))
    if not drawn:
        return ""
    figure, axes = _canvas(4.2, 3.5)
    # Between two ranks there is none.
    _draw(axes, drawn, styles_of, steps=True)
    highest = max(float(x[-1]) for _, x, _ in drawn)
    axes.set_xscale("log")
    axes.set_xlim(1, max(highest, 2))
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50) if tick <= max(highest, 2)]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("rank k")
    _percent_axis(axes, drawn, y_label)
    return _inline_svg(figure, title)


def difference_plot(
    whiskers: Sequence[Whisker], styles_of: dict[str, Style], x_label: str, ceiling: float | None, title: str
) -> str:
    """Paired differences with their intervals, one row a method, zero marked, as inline SVG.

    Args:
      whiskers: the rows from top to bottom.
      styles_of: see `styles`.
      x_label: measured quantity, with its unit.
      ceiling: difference of HR, marked if it is near enough not to squeeze the rows.
      title: text alternative.
    """
    if not whiskers:
        return ""
    figure, axes = _canvas(4.6, 0.72 + 0.27 * len(whiskers))
    bounds = [bound for whisker in whiskers for bound in whisker.difference] + [0.0]
    span = max(max(bounds) - min(bounds), 1e-9)
    if ceiling is not None and 0 < ceiling <= max(bounds) + 1.5 * span:
        axes.axvline(ceiling, color=_INK, linewidth=1.2, linestyle=(0, (1, 1.6)), zorder=1)
        axes.annotate(
            "HR",
            (ceiling, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=_INK,
            fontsize=8,
        )
        bounds.append(ceiling)
    low, high = min(bounds), max(bounds)
    axes.axvline(0.0, color=_MUTED, linewidth=1.2, zorder=1)
    for row, whisker in enumerate(whiskers):
        value, start, end = whisker.difference
        color = styles_of[whisker.method].stand_in
        axes.plot([start, end], [row, row], color=color, linewidth=2, solid_capstyle="round", zorder=2)
        face = color if whisker.decided else _PAGE
        axes.plot(
            [value],
            [row],
            "o",
            markersize=6,
            markerfacecolor=face,
            markeredgecolor=color,
            markeredgewidth=1.6,
            zorder=3,
        )
    axes.set_yticks(range(len(whiskers)), [whisker.label for whisker in whiskers])
    axes.tick_params(axis="y", length=0, labelsize=9, labelcolor=_INK)
    axes.set_ylim(len(whiskers) - 0.4, -0.6)
    margin = 0.06 * max(high - low, 1e-9)
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.grid(True, color=_GRID, linewidth=0.8)
    axes.yaxis.grid(False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(x_label)
    axes.xaxis.set_major_formatter(lambda tick, _: f"{tick:+g}".replace("-", MINUS) if abs(tick) > 1e-9 else "0")
    return _inline_svg(figure, title)


def _stand_in(index: int) -> str:
    return f"#0a00{index:02x}"


def _canvas(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_GRID)
    axes.grid(True, color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", color=_GRID, labelcolor=_MUTED, labelsize=8.5)
    axes.xaxis.label.set(color=_MUTED, fontsize=9)
    axes.yaxis.label.set(color=_MUTED, fontsize=9)
    axes.minorticks_off()
    return figure, axes


def _draw(
    axes: Any,
    drawn: Sequence[tuple[str, np.ndarray, np.ndarray]],
    styles_of: dict[str, Style],
    steps: bool = False,
) -> None:
    for method, x, y in drawn:
        style = styles_of[method]
        drawstyle = "steps-post" if steps else "default"
        axes.plot(x, y, color=style.stand_in, linestyle=style.dash, linewidth=style.width, drawstyle=drawstyle)


def _percent_axis(axes: Any, drawn: Sequence[tuple[str, np.ndarray, np.ndarray]], label: str) -> None:
    """The axis spans what the methods reach; the floor may leave it below, lest it squeeze them together."""
    lowest = min([float(np.min(y)) for method, _, y in drawn if method != "raw"] or [0.0])
    step = 0.05 if lowest > 0.8 else 0.1
    bottom = max(0.0, float(np.floor(lowest / step - 0.2) * step))
    axes.set_ylim(bottom, 1.0 + 0.02 * (1.0 - bottom))
    axes.yaxis.set_major_formatter(lambda tick, _: f"{100 * tick:g} %")
    axes.set_ylabel(label)
    axes.minorticks_off()


def _inline_svg(figure: Any, title: str) -> str:
    """The figure as an <svg> element for HTML: no XML header, metadata, namespaces or ids beside those referenced."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    referenced = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r'\sid="([^"]*)"', lambda found: found[0] if found[1] in referenced else "", svg)
    svg = re.sub(
        r"<svg\b[^>]*?viewBox=\"([^\"]*)\"[^>]*>", rf'<svg viewBox="\1" role="img" aria-label="{_escaped(title)}">', svg
    )
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, f"var({variable})")
    for index in range(SERIES_COLORS):
        svg = svg.replace(_stand_in(index), f"var(--series-{index})")
    return re.sub(r">\s+<", "><", svg).strip()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
