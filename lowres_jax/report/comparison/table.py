"""results.json arranged for reading: one group for each LR size and recognizer, and its table in the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lowres_jax.errors import UserError
from lowres_jax.evaluation.comparison import REFERENCES
from lowres_jax.evaluation.measurement import NONE, RAW
from lowres_jax.report.comparison import wording
from lowres_jax.report.comparison.wording import Verdict

CEILING, FLOOR = NONE, RAW

# The metric that stands for each protocol in headlines.
IDENTIFICATION = ("all_against_all", "dir_at_far_1e-2")
PAIRS = ("lfw", "accuracy")
SEARCHER = ("searcher", "dir_at_far_1e-2")


@dataclass
class Group:
    """All rows of one LR size under one recognizer.

    Attributes:
      lr_size: side of the low-resolution image in pixels; None where only originals were measured.
      recognizer: name of the recognizer.
      methods: upscalers in the order of the results, without ceiling and floor.
      rows: (upscaler, protocol) -> row of results.json.
    """

    lr_size: int | None
    recognizer: str
    methods: list[str] = field(default_factory=list)
    rows: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    @property
    def everyone(self) -> list[str]:
        """Ceiling, methods and floor, as far as measured."""
        measured = {upscaler for upscaler, _ in self.rows}
        return [name for name in (CEILING, *self.methods, FLOOR) if name in measured]

    def is_taught(self, upscaler: str) -> bool:
        """True if the recognizer was in the method's loss: then it is no independent judge of it."""
        return any(row.get("judge_in_loss") for (own, _), row in self.rows.items() if own == upscaler)

    def printed(self, upscaler: str) -> str:
        """The method's name, marked where the recognizer was in its loss."""
        return wording.printed(upscaler) + (f" {wording.TAUGHT}" if self.is_taught(upscaler) else "")

    def value(self, upscaler: str, protocol: str, name: str) -> float | None:
        """A metric, or None if it was not measured."""
        return wording.number((self._row(upscaler, protocol).get("metrics") or {}).get(name))

    def shown(self, upscaler: str, protocol: str, name: str) -> str:
        """A metric in words, see `wording.show`."""
        images = wording.number(self._row(upscaler, protocol).get("images"))
        return wording.show(name, self.value(upscaler, protocol, name), images)

    def interval(self, upscaler: str, protocol: str, name: str) -> tuple[float, ...] | None:
        """A metric's 95 % interval (low, high), or None."""
        return wording.numbers((self._row(upscaler, protocol).get("interval") or {}).get(name), 2)

    def difference(self, upscaler: str, protocol: str, name: str, reference: str) -> tuple[float, ...] | None:
        """The paired difference (value, low, high) of a metric to a reference, or None."""
        differences = (self._row(upscaler, protocol).get("difference") or {}).get(reference) or {}
        return wording.numbers(differences.get(name), 3)

    @property
    def images(self) -> int:
        """Largest number of images that a row is of; 0 where none says."""
        return int(max(filter(None, (wording.number(row.get("images")) for row in self.rows.values())), default=0))

    @property
    def allowed(self) -> int | None:
        """Number of false accepts that a FAR of 1 % allows in open-set identification; None without searches."""
        images = [row.get("images") for (_, protocol), row in self.rows.items() if protocol == IDENTIFICATION[0]]
        known = [found for found in map(wording.number, images) if found is not None]
        return int(max(known) // 100) if known else None

    def reference(self) -> str | None:
        """The reference that differences are told against: bicubic, else bilinear, else None."""
        for reference in REFERENCES:
            if any((row.get("difference") or {}).get(reference) for row in self.rows.values()):
                return reference
        return None

    @property
    def references(self) -> tuple[str, ...]:
        """Methods that others are compared with: bicubic, bilinear, and those that were asked for."""
        known = {name for row in self.rows.values() for name in row.get("difference") or {}}
        return (*REFERENCES, *(method for method in self.methods if method in known - set(REFERENCES)))

    def metrics(self, protocol: str) -> list[str]:
        """Names of the metrics that any row of the protocol has, in reading order."""
        found = {
            name
            for (_, row_protocol), row in self.rows.items()
            if row_protocol == protocol
            for name, value in (row.get("metrics") or {}).items()
            if wording.number(value) is not None
        }
        return wording.metric_order(sorted(found))

    def _row(self, upscaler: str, protocol: str) -> Mapping[str, Any]:
        return self.rows.get((upscaler, protocol), {})


def group_rows(results: Mapping[str, Any]) -> list[Group]:
    """Arranges the rows: recognizers in their order, within each the LR sizes from large to small.

    A row of upscaler "none" joins the group of its own LR size and those that have no such row of their own (there
    without its differences, if there are several sizes); image-quality rows without a recognizer join the groups of
    every recognizer.

    Raises:
      UserError: a row lacks a key or names an unknown protocol.
    """
    rows = results.get("rows") or []
    for position, row in enumerate(rows):
        missing = [key for key in ("upscaler", "protocol") if not row.get(key)]
        if missing:
            raise UserError(f"results: row {position} has no {missing[0]!r}; write it again with the compare task")
        if row["protocol"] not in wording.PROTOCOLS:
            raise UserError(
                f"results: row {position} has the unknown protocol {row['protocol']!r} "
                f"(valid: {', '.join(wording.PROTOCOLS)})"
            )
    recognizers = _distinct(row.get("recognizer") or "" for row in rows if row.get("recognizer")) or [""]
    small = {int(row["lr_size"]) for row in rows if row["upscaler"] != CEILING and row.get("lr_size")}
    sizes: list[int | None] = [*sorted(small, reverse=True)] or [None]
    groups = [Group(lr_size, recognizer) for recognizer in recognizers for lr_size in sizes] if rows else []
    for row in rows:
        for group in groups:
            if row.get("recognizer") and row["recognizer"] != group.recognizer:
                continue
            if row.get("lr_size") != group.lr_size:
                if row["upscaler"] != CEILING or (CEILING, row["protocol"]) in group.rows:
                    continue
                # HR is the same at every size, but its difference is to the methods of one size only.
                row = {**row, "difference": {}} if len(sizes) > 1 else row
            group.rows[row["upscaler"], row["protocol"]] = row
            if row["upscaler"] not in (CEILING, FLOOR, *group.methods):
                group.methods.append(row["upscaler"])
    return [group for group in groups if group.methods or group.rows]


def print_table(results: Mapping[str, Any]) -> str:
    """The results as a table for the terminal: a block for each LR size and recognizer, rates in per cent.

    Returns:
      Text of several lines, about 120 characters wide.

    Raises:
      UserError: see `group_rows`.
    """
    groups = group_rows(results)
    blocks = [_block(group, (IDENTIFICATION, PAIRS)) for group in groups]
    blocks += [_block(group, (SEARCHER,)) for group in groups if group.metrics(SEARCHER[0])]
    if not blocks:
        return "No results."
    return "\n\n".join(blocks) + (
        "\n\nRates in per cent, with their 95 % interval. Differences are paired, in points, with their 95 % interval:"
        "\n▲ better, ▼ worse only where it excludes zero."
        "\naccepts: false accepts, a count."
        + (
            ""
            if not any(group.is_taught(m) for group in groups for m in group.methods)
            else f"\n{wording.TAUGHT_RULE}."
        )
    )


def _block(group: Group, leading: Sequence[tuple[str, str]]) -> str:
    reference = group.reference()
    columns: list[tuple[str, str, str]] = []
    for protocol, name in leading:
        columns += [(protocol, name, "value"), (protocol, name, "difference")]
        if protocol == SEARCHER[0]:
            columns.append((protocol, "dir_at_far_1e-1", "value"))
        if protocol in (IDENTIFICATION[0], SEARCHER[0]):
            columns.append((protocol, "rank1", "value"))
        columns.append((protocol, "false_accepts", "value"))
    if PAIRS in leading:
        columns += [("image_quality", name, "value") for name in ("psnr", "ssim")]
    cells = [[_cell(group, method, column, reference) for column in columns] for method in group.everyone]
    kept = [index for index in range(len(columns)) if any(row[index] for row in cells)]
    protocols = [wording.PROTOCOLS[columns[index][0]] for index in kept]
    header = [f"vs {reference}" if columns[i][2] == "difference" else wording.metric(columns[i][1]).label for i in kept]
    header = [label.removeprefix("False ") for label in header]
    body = [[group.printed(method), *(row[i] for i in kept)] for method, row in zip(group.everyone, cells, strict=True)]
    widths = [max(len(line[i]) for line in ([" ", *header], *body)) for i in range(len(kept) + 1)]
    # A protocol's title stands once, over its first column.
    titles = [title if i == 0 or title != protocols[i - 1] else "" for i, title in enumerate(protocols)]
    enrolled = ": originals enrolled, small faces searched for" if leading[0] == SEARCHER else ""
    lines = [f"{wording.size(group.lr_size)}, {wording.printed(group.recognizer)}{enrolled}"]
    lines.append(_spread(["", *titles], widths))
    lines.append(_aligned(["", *header], widths))
    rule = "─" * (sum(widths) + 2 * len(kept))
    lines.append(rule)
    for method, line in zip(group.everyone, body, strict=True):
        if method == FLOOR and len(body) > 1:
            lines.append(rule.replace("─", "┄"))
        lines.append(_aligned(line, widths))
        if method == CEILING and len(body) > 1:
            lines.append(rule.replace("─", "┄"))
    return "\n".join(lines)


def _cell(group: Group, method: str, column: tuple[str, str, str], reference: str | None) -> str:
    protocol, name, what = column
    if what == "difference":
        difference = group.difference(method, protocol, name, reference or "")
        if difference is None or method == reference:
            return ""
        mark = {Verdict.BETTER: "▲", Verdict.WORSE: "▼"}.get(wording.verdict(name, difference), " ")
        return f"{wording.show_difference(name, difference, unit=False)} {mark}"
    if group.value(method, protocol, name) is None:
        return ""
    text = group.shown(method, protocol, name)
    interval = group.interval(method, protocol, name)
    if interval is not None and (protocol, name) in (IDENTIFICATION, PAIRS, SEARCHER):
        text += f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
    return text


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        f"{cell:<{width}}" if i == 0 else f"{cell:>{width}}"
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join((first, *rest)).rstrip()


def _spread(titles: Sequence[str], widths: Sequence[int]) -> str:
    """Titles at the left edge of their columns, running over the empty ones that follow."""
    line = ""
    start = 0
    for title, width in zip(titles, widths, strict=True):
        if title:
            line = f"{line:<{start}}{title}"
        start += width + 2
    return line


def _distinct(names: Any) -> list[str]:
    return list(dict.fromkeys(names))
