"""The answer in one sentence a size, and the marks that it is made of.

A method helps or harms only where the 95 % interval of its paired difference excludes zero. Otherwise its effect is not
shown; where a false accept rate of 1 % allows fewer than ten false accepts, the images are too few to show it.
"""

from collections.abc import Sequence
from enum import Enum

from lowres_jax.report.comparison import wording
from lowres_jax.report.comparison.table import CEILING, IDENTIFICATION, PAIRS, REFERENCES, SEARCHER, Group
from lowres_jax.report.comparison.wording import Verdict

# (protocol, metric) -> what somebody wants to do.
TASKS = {PAIRS: "pairs", IDENTIFICATION: "both small", SEARCHER: "good pictures enrolled"}
# A rate that fewer false accepts decide is hardly known: whoever is the ninth nearest stranger moves it by as much as a
# method does.
FEWEST_ALLOWED = 10
_NAMED = 3


class Mark(Enum):
    """Result of a method in a task, against the reference."""

    HELPS = "helps"
    HARMS = "harms"
    NOT_SHOWN = "not shown"
    TOO_FEW = "too few"


def mark(group: Group, method: str, protocol: str, name: str) -> Mark | None:
    """The mark of a method by a metric; None where no difference to the reference was measured."""
    reference = group.reference()
    difference = group.difference(method, protocol, name, reference or "")
    if difference is None or method == reference:
        return None
    verdict = wording.verdict(name, difference)
    if verdict is not Verdict.NONE:
        return Mark.HELPS if verdict is Verdict.BETTER else Mark.HARMS
    few = protocol != PAIRS[0] and group.allowed is not None and group.allowed < FEWEST_ALLOWED
    return Mark.TOO_FEW if few else Mark.NOT_SHOWN


def sentence(group: Group) -> str:
    """Result of super-resolution at one size under one recognizer, in at most 20 words.

    A method that helps in one task and harms in another is one that harms.
    """
    marks = {
        method: {mark(group, method, *task) for task in TASKS} - {None}
        for method in group.methods
        if method not in REFERENCES
    }
    harms = [method for method, own in marks.items() if Mark.HARMS in own]
    helps = [method for method, own in marks.items() if Mark.HELPS in own and method not in harms]
    few = not helps and any(Mark.TOO_FEW in own for own in marks.values())
    if not any(marks.values()):
        said = "nothing was compared"
    elif few and not harms:
        said = f"{group.images:,} images are too few to tell"
    else:
        parts = [_said(group, helps, "help")] if helps else [] if few else ["nothing measurably helps"]
        parts += [_said(group, harms, "harm")] if harms else []
        parts += [f"{group.images:,} images are too few to tell more"] if few else []
        said = "; ".join(parts)
    return f"{wording.size(group.lr_size)}, {wording.printed(group.recognizer)}: {said}."


def _said(group: Group, methods: Sequence[str], verb: str) -> str:
    names = [group.printed(method) for method in methods[:_NAMED]]
    names += [f"{len(methods) - _NAMED} more"] if len(methods) > _NAMED else []
    return f"{wording.joined(names)} {verb}{'s' if len(methods) == 1 else ''}"


def recovered(group: Group, method: str) -> tuple[float, float | None, float | None] | None:
    """Share of bicubic's loss in DIR at FAR 1 % that a method wins back, with its interval.

    The interval is that of the paired difference over the measured loss, the loss itself taken as known.

    Returns:
      (share, low, high), the bounds None where no interval was measured; None where bicubic has no measurable loss.
    """
    value, reference, original = (group.value(who, *IDENTIFICATION) for who in (method, "bicubic", CEILING))
    if value is None or reference is None or original is None:
        return None
    loss = group.difference(CEILING, *IDENTIFICATION, "bicubic")
    if loss is not None and wording.verdict(IDENTIFICATION[1], loss) is not Verdict.BETTER:
        return None
    share = wording.recovered_share(value, reference, original)
    if share is None:
        return None
    difference = group.difference(method, *IDENTIFICATION, "bicubic")
    if difference is None:
        return share, None, None
    return share, difference[1] / (original - reference), difference[2] / (original - reference)
