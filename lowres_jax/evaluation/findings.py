"""The answer in sentences, generated from the intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from lowres_jax.evaluation import wording
from lowres_jax.evaluation.table import CEILING, IDENTIFICATION, PAIRS, REFERENCES, Group
from lowres_jax.evaluation.wording import Verdict

_FIELD = {"all_against_all": "open-set identification", "lfw": "pair accuracy"}


@dataclass(frozen=True)
class Finding:
    """What one LR size under one recogniser showed.

    Attributes:
      lr_size: side of the low-resolution image in pixels.
      recognizer: name of the recogniser.
      winners: super-resolution methods (no interpolation) that beat the reference in identification, best first.
      measured: whether differences to a reference were measured at all.
      sentences: the finding in words.
    """

    lr_size: int | None
    recognizer: str
    winners: tuple[str, ...]
    measured: bool
    sentences: tuple[str, ...]


def find(group: Group) -> Finding:
    """Puts a group's intervals into words."""
    reference = group.reference()
    opening = f"At {wording.size(group.lr_size)}, with {wording.printed(group.recognizer)}, "
    if reference is None:
        text = f"{opening}no differences to bicubic or bilinear were measured, so no method can be called better."
        return Finding(group.lr_size, group.recognizer, (), False, (text,))
    sentences: list[str] = []
    for protocol, name in (IDENTIFICATION, PAIRS):
        sentences += _protocol_sentences(group, protocol, name, reference, "" if sentences else opening)
    sentences += _recovered_sentence(group, reference)
    winners = tuple(
        method
        for method, _ in _by_verdict(group, *IDENTIFICATION, reference)[Verdict.BETTER]
        if method not in REFERENCES
    )
    return Finding(group.lr_size, group.recognizer, winners, True, tuple(sentences))


def answer(findings: Sequence[Finding]) -> list[str]:
    """The shortest answer to "does super-resolution help?": one sentence for each recogniser."""
    sentences = []
    for recognizer in dict.fromkeys(finding.recognizer for finding in findings):
        own = [finding for finding in findings if finding.recognizer == recognizer and finding.measured]
        if not own:
            sentences.append(f"With {wording.printed(recognizer)}: nothing was compared.")
            continue
        won = [
            f"{wording.joined([wording.printed(name) for name in finding.winners])} at {wording.size(finding.lr_size)}"
            for finding in own
            if finding.winners
        ]
        lost = [finding for finding in own if not finding.winners]
        at = f"{wording.joined([str(finding.lr_size) for finding in lost])} px"
        with_recognizer = f"With {wording.printed(recognizer)}, "
        if won and lost:
            text = f"super-resolution helps identification in part: {'; '.join(won)}. Not measurably at {at}."
        elif won:
            text = f"super-resolution helps identification: {'; '.join(won)}."
        else:
            text = f"no super-resolution method measurably helps identification at {at}."
        sentences.append(with_recognizer + text)
    return sentences


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


def _by_verdict(
    group: Group, protocol: str, name: str, reference: str
) -> dict[Verdict, list[tuple[str, tuple[float, ...]]]]:
    """Methods with a difference to the reference, by verdict, from the best to the worst."""
    found: dict[Verdict, list[tuple[str, tuple[float, ...]]]] = {verdict: [] for verdict in Verdict}
    for method in group.methods:
        difference = group.difference(method, protocol, name, reference)
        if difference is not None and method != reference:
            found[wording.verdict(name, difference)].append((method, difference))
    for entries in found.values():
        entries.sort(key=lambda entry: -entry[1][0])
    return found


def _protocol_sentences(group: Group, protocol: str, name: str, reference: str, opening: str) -> list[str]:
    found = _by_verdict(group, protocol, name, reference)
    if not any(found.values()):
        return []
    field = _FIELD[protocol]
    label = f"{wording.metric(name).label} " if protocol == "all_against_all" else ""
    better, worse, level = found[Verdict.BETTER], found[Verdict.WORSE], found[Verdict.NONE]
    sentences = []
    if better:
        verb = "beats" if len(better) == 1 else "beat"
        sentences.append(f"{_names(better)} {verb} {reference} in {field}: {label}{_amounts(name, better)}")
        sentences += _against_other(group, protocol, name, reference, better)
    if level and not better and not worse:
        every = " for every method" if len(level) > 1 else f" for {_names(level)}"
        sentences.append(
            f"in {field} the difference to {reference} includes zero{every}: {label}{_listed(name, level)}"
        )
    elif level:
        sentences.append(f"no measurable difference in {field}: {'' if better else label}{_listed(name, level)}")
    if worse:
        verb = "is" if len(worse) == 1 else "are"
        prefix = "" if better or level else label
        sentences.append(f"{_names(worse)} {verb} worse than {reference} in {field}: {prefix}{_amounts(name, worse)}")
    sentences = [f"{sentence}." for sentence in sentences]
    first = opening + sentences[0]
    return [first[0].upper() + first[1:], *(sentence[0].upper() + sentence[1:] for sentence in sentences[1:])]


def _against_other(
    group: Group, protocol: str, name: str, reference: str, better: Sequence[tuple[str, tuple[float, ...]]]
) -> list[str]:
    """A win over one reference only is no win over interpolation: says where the other one is not beaten."""
    sentences = []
    for other in REFERENCES:
        if other == reference:
            continue
        for method, _ in better:
            difference = group.difference(method, protocol, name, other)
            if method == other or difference is None or wording.verdict(name, difference) is Verdict.BETTER:
                continue
            said = (
                "is worse" if wording.verdict(name, difference) is Verdict.WORSE else "shows no measurable difference"
            )
            amount = wording.show_difference(name, difference)
            sentences.append(f"against {other}, {wording.printed(method)} {said}: {amount}")
    return sentences


def _recovered_sentence(group: Group, reference: str) -> list[str]:
    if reference != "bicubic":
        return []
    for method, _ in _by_verdict(group, *IDENTIFICATION, reference)[Verdict.BETTER]:
        share = recovered(group, method)
        if share is not None:
            return [
                f"{wording.printed(method)} wins back {wording.percent(share[0])} of what bicubic loses against HR."
            ]
    return []


def _names(entries: Sequence[tuple[str, tuple[float, ...]]]) -> str:
    return wording.joined([wording.printed(method) for method, _ in entries])


def _amounts(name: str, entries: Sequence[tuple[str, tuple[float, ...]]]) -> str:
    return wording.joined([wording.show_difference(name, difference) for _, difference in entries])


def _listed(name: str, entries: Sequence[tuple[str, tuple[float, ...]]]) -> str:
    return wording.joined(
        [f"{wording.printed(method)} {wording.show_difference(name, difference)}" for method, difference in entries]
    )
