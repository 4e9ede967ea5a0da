"""The answer in sentences, generated from the intervals."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from lowres_jax.report.comparison import wording
from lowres_jax.report.comparison.table import CEILING, IDENTIFICATION, PAIRS, REFERENCES, SEARCHER, Group
from lowres_jax.report.comparison.wording import Verdict

# What is compared, in words.
FIELDS = {
    "all_against_all": "open-set identification",
    "lfw": "pair accuracy",
    "searcher": "the search among good pictures",
}

# What somebody wants to do, in the order of the summary.
_TASKS = {
    "all_against_all": "identification",
    "lfw": "the decision on pairs",
    "searcher": "the search for small faces among good pictures",
}

_FALSE_ACCEPT_FIELD = {
    "all_against_all": "in open-set identification",
    "lfw": "on pairs",
    "searcher": "in the search among good pictures",
}

# A rate that fewer false accepts decide is hardly known: whoever is the ninth nearest stranger moves it by as much as a
# method does.
_FEWEST_ALLOWED = 10

# A method and its paired difference (value, low, high) to the reference.
_Entry = tuple[str, tuple[float, ...]]


@dataclass(frozen=True)
class Finding:
    """What one LR size under one recognizer showed.

    Attributes:
      lr_size: side of the low-resolution image in pixels.
      recognizer: name of the recognizer.
      winners: protocol -> super-resolution methods (no interpolation) that beat the reference there, best first; only
        protocols whose difference was measured.
      losers: protocol -> super-resolution methods that are measurably worse than the reference, worst last.
      allowed: false accepts that FAR 1 % allows, where these are too few to tell much by; None otherwise.
      headline: the finding in one sentence.
      details: further sentences: the other methods, bilinear, the share of the loss recovered.
      taught: methods in whose loss the recognizer was.
    """

    lr_size: int | None
    recognizer: str
    winners: dict[str, tuple[str, ...]]
    headline: str
    details: tuple[str, ...]
    taught: tuple[str, ...] = ()
    losers: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    allowed: int | None = None


def find(group: Group) -> Finding:
    """Puts a group's intervals into words."""
    reference = group.reference()
    opening = f"At {wording.size(group.lr_size)}, with {wording.printed(group.recognizer)}, "
    identification = _by_verdict(group, *IDENTIFICATION, reference)
    pairs = _by_verdict(group, *PAIRS, reference)
    searcher = _by_verdict(group, *SEARCHER, reference)
    if reference is None or not (any(identification.values()) or any(pairs.values())):
        text = f"{opening}no difference to bicubic or bilinear was measured, so no method can be called better."
        return Finding(group.lr_size, group.recognizer, {}, text, ())
    winners, losers = (
        {
            protocol: tuple(method for method, _ in found[verdict] if method not in REFERENCES)
            for protocol, found in ((IDENTIFICATION[0], identification), (PAIRS[0], pairs), (SEARCHER[0], searcher))
            if any(found.values())
        }
        for verdict in (Verdict.BETTER, Verdict.WORSE)
    )
    few = group.allowed if group.allowed is not None and group.allowed < _FEWEST_ALLOWED else None
    undecided = not (identification[Verdict.BETTER] or identification[Verdict.WORSE])
    clauses = []
    if any(identification.values()):
        if few is not None and undecided:
            clauses.append(f"{_too_few(few)} to tell methods apart in {FIELDS[IDENTIFICATION[0]]}")
        else:
            clauses.append(_main_clause(*IDENTIFICATION, reference, identification))
        if any(pairs.values()):
            clauses.append(_pair_clause(reference, identification, pairs))
    else:
        clauses.append(_main_clause(*PAIRS, reference, pairs))
    taught = tuple(method for method in group.methods if group.is_taught(method))
    details = [
        *_taught_sentence(group, taught),
        *_against_other(group, reference, identification[Verdict.BETTER]),
        *_recovered_sentence(group, identification[Verdict.BETTER]),
        *_searcher_sentence(group, reference),
        *_rest(*IDENTIFICATION, reference, identification),
        *_rest(*PAIRS, reference, pairs),
    ]
    headline = f"{opening}{'; '.join(clauses)}."
    return Finding(group.lr_size, group.recognizer, winners, headline, tuple(details), taught, losers, few)


def _too_few(allowed: int) -> str:
    accepts = "no false accept" if not allowed else "1 false accept" if allowed == 1 else f"{allowed} false accepts"
    return f"these are too few images (FAR 1 % allows {accepts}; of 1,000 images it would allow {_FEWEST_ALLOWED})"


def answer(findings: Sequence[Finding]) -> list[str]:
    """The shortest answer to "does super-resolution help?": one sentence or two for each recognizer."""
    answers = []
    for recognizer in dict.fromkeys(finding.recognizer for finding in findings):
        sentences, worse = [], []
        for protocol, task in _TASKS.items():
            own = [
                (finding.lr_size, [_marked(finding, name) for name in finding.winners[protocol]])
                for finding in findings
                if finding.recognizer == recognizer and protocol in finding.winners
            ]
            few = [
                (finding.lr_size, finding.allowed)
                for finding in findings
                if finding.recognizer == recognizer
                and finding.allowed is not None
                and protocol in (IDENTIFICATION[0], SEARCHER[0])
                and finding.winners.get(protocol) == ()
                and not finding.losers.get(protocol)
            ]
            own = [(at, who) for at, who in own if at not in [size for size, _ in few]]
            won = [f"{wording.joined(who)} at {wording.size(at)}" for at, who in own if who]
            lost = f"at {wording.joined([str(at) for at, who in own if not who])} px"
            if won and len(won) < len(own):
                sentences.append(
                    f"super-resolution helps {task} at some sizes: {'; '.join(won)}. Not measurably {lost}."
                )
            elif won:
                sentences.append(f"super-resolution helps {task}: {'; '.join(won)}.")
            elif own:
                sentences.append(f"no super-resolution method measurably helps {task} {lost}.")
            if few:
                sizes = wording.joined([str(at) for at, _ in few])
                allowed = max(allowed for _, allowed in few if allowed is not None)
                sentences.append(f"{_too_few(allowed)} to tell whether it helps {task} at {sizes} px.")
            worse += [
                f"{wording.joined([wording.printed(method) for method in finding.losers[protocol]])} in {task} at "
                f"{wording.size(finding.lr_size)}"
                for finding in findings
                if finding.recognizer == recognizer and finding.losers.get(protocol)
            ]
        judge = f"With {wording.printed(recognizer)} as the judge, "
        # One sentence where both protocols say the same: no help, at the same sizes.
        merged = [sentence.replace("identification", "the decision on pairs") for sentence in sentences]
        if len(sentences) > 1 and merged[0] == merged[1] and merged[0].startswith("no "):
            both = sentences[0].replace("identification", "identification or the decision on pairs")
            sentences = [both, *sentences[2:]]
        if worse:
            sentences.append(f"measurably worse: {'; '.join(worse)}.")
        later = [sentence[0].upper() + sentence[1:] for sentence in sentences[1:]]
        answers.append(judge + " ".join([*sentences[:1], *later]) if sentences else f"{judge}nothing was compared.")
    return answers


def false_accepts(group: Group) -> list[str]:
    """Names the methods that measurably make more false accepts than the reference, one sentence a protocol."""
    reference = group.reference()
    sentences = []
    for protocol, field in _FALSE_ACCEPT_FIELD.items():
        more = _more_false_accepts(group, protocol)
        if not more or reference is None:
            continue
        counts = [f"{wording.printed(method)} {_count(group, method, protocol)}" for method, _ in more]
        verb = "makes" if len(more) == 1 else "make"
        sentences.append(
            f"At {wording.size(group.lr_size)}, with {wording.printed(group.recognizer)}, {_names(more)} {verb} "
            f"measurably more false accepts than {reference} {field}: {wording.joined(counts)} "
            f"against {_count(group, reference, protocol)}."
        )
    return sentences


def caution(groups: Sequence[Group]) -> str:
    """All groups' false accepts in short, a sentence a protocol: which methods make measurably more; "" if none do."""
    several = len({group.recognizer for group in groups}) > 1
    sentences = []
    for protocol, field in _FALSE_ACCEPT_FIELD.items():
        places = []
        for group in groups:
            more = _more_false_accepts(group, protocol)
            judge = f" ({wording.printed(group.recognizer)})" if several else ""
            if more:
                places.append(f"{_names(more)} at {wording.size(group.lr_size)}{judge}")
        if places:
            sentences.append(
                f"Measurably more false accepts than {groups[0].reference()} {field}: {'; '.join(places)}."
            )
    return " ".join(sentences)


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


def _by_verdict(group: Group, protocol: str, name: str, reference: str | None) -> dict[Verdict, list[_Entry]]:
    """Methods with a difference to the reference, by verdict, from the best to the worst."""
    found: dict[Verdict, list[_Entry]] = {verdict: [] for verdict in Verdict}
    if reference is None:
        return found
    for method in group.methods:
        difference = group.difference(method, protocol, name, reference)
        if difference is not None and method != reference:
            found[wording.verdict(name, difference)].append((method, difference))
    sign = 1.0 if wording.metric(name).higher_is_better else -1.0
    for entries in found.values():
        entries.sort(key=lambda entry: -sign * entry[1][0])
    return found


def _more_false_accepts(group: Group, protocol: str) -> list[_Entry]:
    return _by_verdict(group, protocol, "false_accepts", group.reference())[Verdict.WORSE]


def _count(group: Group, method: str, protocol: str) -> str:
    return wording.show("false_accepts", group.value(method, protocol, "false_accepts"))


def _main_clause(protocol: str, name: str, reference: str, found: dict[Verdict, list[_Entry]]) -> str:
    field, label = FIELDS[protocol], _label(protocol, name)
    better = found[Verdict.BETTER]
    if better:
        verb = "beats" if len(better) == 1 else "beat"
        return f"{_names(better)} {verb} {reference} in {field}: {label}{_amounts(name, better)}"
    entries = [*found[Verdict.NONE], *found[Verdict.WORSE]]
    closest = max(entries, key=lambda entry: entry[1][0])
    amount = wording.show_difference(name, closest[1])
    if len(entries) > 1:
        best = "the largest gain" if closest[1][0] > 0 else "the smallest loss"
        nearest = f"{best}, {wording.printed(closest[0])}: {label}{amount}"
        return f"no method measurably beats {reference} in {field} ({nearest})"
    if found[Verdict.NONE]:
        return (
            f"{wording.printed(closest[0])} shows no measurable difference to {reference} in {field}: {label}{amount}"
        )
    return f"{wording.printed(closest[0])} is worse than {reference} in {field}: {label}{amount}"


def _pair_clause(
    reference: str, identification: dict[Verdict, list[_Entry]], pairs: dict[Verdict, list[_Entry]]
) -> str:
    """What pair accuracy says of the methods that won in identification, or of all where none did."""
    name = PAIRS[1]
    winners = [method for method, _ in identification[Verdict.BETTER]]
    better = pairs[Verdict.BETTER]
    if better:
        verb = "beats" if len(better) == 1 else "beat"
        again = "also " if [method for method, _ in better] == winners else ""
        return f"in pair accuracy {_names(better)} {again}{verb} {reference}: {_amounts(name, better)}"
    subjects = [entry for entry in [*pairs[Verdict.NONE], *pairs[Verdict.WORSE]] if not winners or entry[0] in winners]
    undecided = [entry for entry in pairs[Verdict.NONE] if entry in subjects]
    if not subjects:
        return (
            "in pair accuracy it was not compared" if len(winners) == 1 else "in pair accuracy they were not compared"
        )
    if len(subjects) == 1:
        said = "the difference includes zero" if undecided else f"{wording.printed(subjects[0][0])} is worse"
        return f"in pair accuracy {said}: {wording.show_difference(name, subjects[0][1])}"
    if undecided == subjects:
        return f"in pair accuracy every difference includes zero{f': {_amounts(name, subjects)}' if winners else ''}"
    return (
        f"in pair accuracy no method measurably beats {reference} either"
        if not winners
        else (f"in pair accuracy none of these measurably beats it: {_amounts(name, subjects)}")
    )


def _against_other(group: Group, reference: str, better: Sequence[_Entry]) -> list[str]:
    """A win over one interpolation only is no win over interpolation: says where the other one is not beaten."""
    name = IDENTIFICATION[1]
    sentences = []
    for other in REFERENCES:
        for method, _ in better:
            difference = group.difference(method, *IDENTIFICATION, other)
            if other in (reference, method) or difference is None:
                continue
            verdict = wording.verdict(name, difference)
            if verdict is Verdict.BETTER:
                continue
            said = "is worse" if verdict is Verdict.WORSE else "shows no measurable difference"
            amount = wording.show_difference(name, difference)
            sentences.append(f"Against {other}, however, {wording.printed(method)} {said}: {amount}.")
    return sentences


def _recovered_sentence(group: Group, better: Sequence[_Entry]) -> list[str]:
    shares = [(method, recovered(group, method)) for method, _ in better]
    words = [f"{wording.printed(method)} {wording.percent(share[0])}" for method, share in shares if share is not None]
    return [f"Of what bicubic loses against HR, this wins back: {wording.joined(words)}."] if words else []


def _searcher_sentence(group: Group, reference: str) -> list[str]:
    """The searcher's case, where methods may rank differently."""
    found = _by_verdict(group, *SEARCHER, reference)
    if not any(found.values()):
        return []
    return [f"With good pictures enrolled and small faces searched for, {_main_clause(*SEARCHER, reference, found)}."]


def _marked(finding: Finding, method: str) -> str:
    """A winner's name, and that its judge was in its loss."""
    return wording.printed(method) + (" (this judge was part of its training)" if method in finding.taught else "")


def _taught_sentence(group: Group, taught: Sequence[str]) -> list[str]:
    if not taught:
        return []
    names = wording.joined([wording.printed(method) for method in taught])
    return [
        f"{wording.printed(group.recognizer)} was part of the training of {names}: its word on that is not independent."
    ]


def _rest(protocol: str, name: str, reference: str, found: dict[Verdict, list[_Entry]]) -> list[str]:
    """The methods that are level with the reference or worse, by name."""
    parts = []
    if found[Verdict.NONE]:
        verb = "shows" if len(found[Verdict.NONE]) == 1 else "show"
        parts.append(f"{_names(found[Verdict.NONE])} {verb} no measurable difference to {reference}")
    if found[Verdict.WORSE]:
        verb = "is" if len(found[Verdict.WORSE]) == 1 else "are"
        parts.append(f"{_names(found[Verdict.WORSE])} {verb} worse{'' if parts else f' than {reference}'}")
    field = FIELDS[protocol]
    return [f"{field[0].upper()}{field[1:]}: {'; '.join(parts)}."] if parts else []


def _label(protocol: str, name: str) -> str:
    return f"{wording.metric(name).label} " if protocol != "lfw" else ""


def _names(entries: Sequence[_Entry]) -> str:
    return wording.joined([wording.printed(method) for method, _ in entries])


def _amounts(name: str, entries: Sequence[_Entry]) -> str:
    """The difference alone where one method is spoken of, with the names where there are several."""
    return wording.show_difference(name, entries[0][1]) if len(entries) == 1 else _listed(name, entries)


def _listed(name: str, entries: Sequence[_Entry]) -> str:
    return ", ".join(f"{wording.printed(method)} {wording.show_difference(name, found)}" for method, found in entries)
