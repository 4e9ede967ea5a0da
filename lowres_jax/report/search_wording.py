"""Words of `identify`: answers, thresholds and their basis, and the worth of a match."""

import enum
from collections.abc import Mapping, Sequence
from pathlib import Path

from lowres_jax.clips.search import TrackAnswer
from lowres_jax.faces.reader import FaceView
from lowres_jax.matching.calibration import FEWEST_FALSE_ACCEPTS, Threshold
from lowres_jax.matching.enrollment import POOR, Enrolled, Enrollment
from lowres_jax.matching.search import Answer
from lowres_jax.matching.shipped_thresholds import Thresholds
from lowres_jax.super_resolution.upscaler import UpscalerBySize
from lowres_jax.utils import filenames

# Of pictures made in one studio: everyday ones are found less often.
_EASY_SET = "orl_faces"
_NAMED = 5


class Verdict(enum.Enum):
    """Verdict of the search for a face; its value is the word for it."""

    MATCH = "match"
    UNKNOWN = "unknown"
    TOO_SMALL = "too small to tell"
    SAME = "likely the same person"
    UNCERTAIN = "cannot tell"
    DIFFERENT = "likely different people"
    NO_NAME = "no name is possible here"


def in_words(found: Verdict) -> str:
    """A verdict in words that need no explanation."""
    match found:
        case Verdict.MATCH:
            return "likely the same person"
        case Verdict.UNKNOWN:
            return "likely nobody of the known people"
        case Verdict.TOO_SMALL | Verdict.NO_NAME:
            return "cannot tell: the face is too small"
        case _:
            return found.value


def verdict(answer: Answer, pair: bool, least_found: float) -> Verdict:
    """Verdict of an answer.

    Args:
      answer: answer of a search.
      pair: true if two photographs were compared.
      least_found: share of the enrolled who have to be named at that size, lest a face be too small to tell.
    """
    threshold = answer.threshold
    if not threshold.possible:
        return Verdict.NO_NAME
    if answer.accepted:
        return Verdict.SAME if pair else Verdict.MATCH
    if threshold.genuine is not None and threshold.genuine < least_found:
        return Verdict.UNCERTAIN if pair else Verdict.TOO_SMALL
    if not pair:
        return Verdict.UNKNOWN
    apart = threshold.different is not None and answer.matches[0].similarity < threshold.different
    return Verdict.DIFFERENT if apart else Verdict.UNCERTAIN


def said(answer: Answer, pair: bool, least_found: float) -> str:
    """An answer in words: a name, or what is not known and why."""
    found = verdict(answer, pair, least_found)
    if found is Verdict.MATCH:
        return answer.matches[0].name
    if found is Verdict.NO_NAME:
        return f"{found.value} (no search for somebody enrolled reached the threshold when it was measured)"
    if found is Verdict.TOO_SMALL or (found is Verdict.UNCERTAIN and _is_too_small(answer, least_found)):
        rate = f"at this size {answer.threshold.genuine:.0%} of the enrolled are named"
        return f"{found.value} ({rate})"
    return found.value


def _is_too_small(answer: Answer, least_found: float) -> bool:
    return answer.threshold.genuine is not None and answer.threshold.genuine < least_found


def source(answer: Answer) -> str:
    """Name of a face in a file, or of a track in a clip."""
    if isinstance(answer, TrackAnswer):
        return f"{filenames.printable(answer.path.name)}, track {answer.number}, {_span(answer)}"
    return filenames.printable(answer.path.name) + (
        f", face {answer.number} of {answer.count}" if answer.count > 1 else ""
    )


def how(view: FaceView, upscalers: UpscalerBySize) -> str:
    """Size of a face, and its enlargement, in words."""
    enlarged = (
        f", cut at {view.cut_size} px and enlarged by {upscalers.of(view.cut_size).name}" if view.cut_size else ""
    )
    turned = f", the picture turned by {view.face.turned} degrees" if view.face.turned else ""
    return f"{view.native_size} px in the picture{_quality(view.quality)}{enlarged}{turned}"


def _quality(value: float | None) -> str:
    return "" if value is None else f", quality {value:.2f}"


def line(answer: Answer, ranks: int, upscalers: UpscalerBySize, pair: bool, least_found: float) -> str:
    """One searched face in one line, with its ranked names; `*` marks those who reach the threshold."""
    accepted = len(answer.accepted)
    ranked = ", ".join(
        f"{match.name} {match.similarity:.3f}{'*' if number < accepted else ''}"
        for number, match in enumerate(answer.matches[:ranks])
    )
    what = said(answer, pair, least_found)
    if isinstance(answer, TrackAnswer):
        return (
            f"{filenames.printable(str(answer.path))} track {answer.number}, {_span(answer)} "
            f"({track_in_words(answer, upscalers)}): {what} [{ranked}; threshold {answer.threshold.similarity:.3f}]"
        )
    where = filenames.printable(str(answer.path)) + (
        f" face {answer.number}/{answer.count}" if answer.count > 1 else ""
    )
    return (
        f"{where} ({how(answer.view, upscalers)}): {what.upper() if pair else what}"
        f" [{ranked}; threshold {answer.threshold.similarity:.3f}]"
    )


def track_in_words(answer: TrackAnswer, upscalers: UpscalerBySize) -> str:
    """In how many frames somebody was read, how large, how good."""
    track, size = answer.track, answer.threshold.probe_size
    frames = f"{len(track.sightings)} frames searched" if len(track.sightings) > 1 else "one frame searched"
    enlarged = f", enlarged by {upscalers.of(size).name}" if size else ""
    return f"{frames}, {track.size} px{enlarged}{_quality(track.quality)}"


def _span(answer: TrackAnswer) -> str:
    return f"{time_of(answer.track.first.seconds)} to {time_of(answer.track.last.seconds)}"


def time_of(seconds: float) -> str:
    """A place in a clip: 1:02:03.4."""
    minutes, rest = divmod(round(10 * seconds), 600)
    hours, minutes = divmod(minutes, 60)
    clock = f"{minutes}:{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{clock.zfill(7)}" if hours else clock


def distinct_thresholds(answers: Sequence[Answer]) -> list[Threshold]:
    """Every threshold that was used, once, in the order of use."""
    # There is one for each size of the searched face, of pictures and of tracks; comparing them would compare the
    # recipes of whole galleries.
    return list({key_of(answer.threshold): answer.threshold for answer in answers}.values())


def key_of(threshold: Threshold) -> tuple[int, int]:
    """By what the thresholds of one search differ."""
    return threshold.probe_size, threshold.frames


def thresholds(found: Sequence[Threshold], calibration: Thresholds, upscalers: UpscalerBySize) -> str:
    """The thresholds and their basis, in one paragraph."""
    impossible = [each for each in found if not each.possible]
    found = [each for each in found if each.possible]
    none = [
        f"For {'tracks' if each.frames > 1 else 'faces'} {_condition([each.probe_size], upscalers)} no name is "
        f"possible at a false accept rate of {each.asked:.3%}: not one search for somebody enrolled would give it. A "
        "larger config.far, larger pictures or a smaller gallery may."
        for each in impossible
    ]
    if not found:
        return " ".join(none)
    first = found[0]
    pictures = sorted({len(own) for own in first.recipe})
    pair = first.gallery_size == 1 and pictures == [1]
    if pair:
        searches, strangers, enrolled = "pairs", "of pairs of different people", "reach it, of pairs of one person"
    else:
        number = f"{pictures[0]}" if len(pictures) == 1 else f"{pictures[0]} to {pictures[-1]}"
        each = "one picture" if pictures == [1] else f"{number} pictures"
        people = f"{first.gallery_size} people" if first.gallery_size > 1 else "one person"
        searches = f"searches among {people} with {each}{' each' if people != 'one person' else ''}"
        strangers, enrolled = "of searches for somebody not enrolled", "give a name, of those for the enrolled"
    rates = [
        f"{each.similarity:.3f} for {'tracks' if each.frames > 1 else 'faces'} "
        f"{_condition([each.probe_size], upscalers)} "
        f"({_rates(each, strangers, enrolled) if each is first else _rates(each, '', '')})"
        for each in found
    ]
    sizes = [size for own in first.recipe for size in own]
    condition = f", enrolled ones {_condition(sizes, upscalers)}" if any(sizes) else ""
    parts = [
        f"Threshold{'s' if len(found) > 1 else ''}: {', '.join(rates)}.",
        f"Measured in {first.searches:,} {searches}{condition} on {calibration.name}, {calibration.people:,} people in "
        f"{calibration.images:,} images"
        + (": easy pictures; of others fewer are found." if calibration.name.startswith(_EASY_SET) else "."),
    ]
    if any(threshold.frames > 1 for threshold in found):
        parts.append(
            f"For tracks a stranger's {max(threshold.frames for threshold in found)} photographs were searched for as "
            "one; of the enrolled, single ones, so that of tracks more are found."
        )
    if any(not threshold.claimed for threshold in found):
        parts.append(f"The set is too small to tell of {first.asked:.3%}: that is not claimed.")
    if pair and first.different is not None and first.different < first.similarity:
        parts.append(
            f"Below {first.different:.3f}, as {first.asked:.1%} of pairs of one person are, two faces likely show "
            "different people; between the two nothing can be told."
        )
    return " ".join([*parts, *none])


def _rates(threshold: Threshold, strangers: str, enrolled: str) -> str:
    """The rates of both errors; with words where these are given."""
    said = f"{strangers} {threshold.far:.2%}".strip()
    if threshold.genuine is None:
        return f"{said} {enrolled.partition(',')[0]}".strip()
    return f"{said} {enrolled} {threshold.genuine:.1%}" if enrolled else f"{said}, {threshold.genuine:.1%}"


def _condition(sizes: Sequence[int], upscalers: UpscalerBySize) -> str:
    enlarged = sorted({size for size in sizes if size})
    if not enlarged:
        return "not enlarged"
    some = "some " if 0 in sizes else ""
    by = {each.name: [size for size in enlarged if upscalers.of(size) is each] for each in upscalers.members}
    ways = [f"by {name} from {' and '.join(map(str, own))} px" for name, own in by.items() if own]
    return f"{some}enlarged {' and '.join(ways)}"


def groups(answers: Sequence[Answer], numbers: Sequence[int], similarity: float) -> list[str]:
    """Groups of unknown faces that look like one person, a line each."""
    found: dict[int, list[str]] = {}
    for answer, number in zip(answers, numbers, strict=True):
        if number:
            found.setdefault(number, []).append(source(answer))
    alone = sum(not answer.accepted for answer in answers) - sum(map(len, found.values()))
    lines = [f"unknown person {number}: {'; '.join(own)}" for number, own in sorted(found.items())]
    return [*lines, f"grouped at a mean similarity of {similarity:.3f}; {alone} unknown faces are like no other"]


def warnings(answers: Sequence[Answer], enrollment: Enrolled, calibration: Thresholds) -> list[str]:
    """Warnings where thresholds are less sure than they look."""
    found = []
    found_thresholds = distinct_thresholds(answers)
    people = enrollment.people
    if people > calibration.people - 1:
        found.append(
            f"The gallery has {people:,} people, but the threshold was measured on galleries of "
            f"{calibration.people - 1:,}: false names will be more frequent than stated."
        )
    most = enrollment.most_pictures
    if most > found_thresholds[0].most_pictures:
        found.append(
            f"Somebody is enrolled from {most} pictures, but the set that the threshold was measured on has at most "
            f"{found_thresholds[0].most_pictures} of anybody: false names may be a little more frequent than stated."
        )
    fewest = min((each.false_accepts for each in found_thresholds if each.possible), default=FEWEST_FALSE_ACCEPTS)
    if fewest < FEWEST_FALSE_ACCEPTS:
        found.append(
            f"The threshold rests on {fewest} false names only: choose a larger config.far, a larger set or "
            "more config.calibration_images."
        )
    poor = enrollment.poor
    if poor:
        listed = ", ".join(poor[:_NAMED]) + (", ..." if len(poor) > _NAMED else "")
        found.append(
            f"{len(poor)} enrolled faces are of poor quality, below {POOR} ({listed}): small, blurred or turned away. "
            "They make false names and missed ones; better pictures would serve better."
        )
    if enrollment.enlarged:
        found.append(
            f"{enrollment.enlarged} enrolled faces are small and were enlarged: larger pictures would serve better."
        )
    return found


def gallery_remarks(
    enrollment: Enrollment, several_folders: Mapping[str, Sequence[str]], gallery: Path, similarity: float
) -> list[str]:
    """Warnings where the gallery itself looks wrong.

    Args:
      enrollment: people enrolled.
      several_folders: result of `gallery.people_of_several_folders`.
      gallery: folder of the gallery.
      similarity: similarity above which two pictures show one person.
    """
    found = []
    for name, subfolders in several_folders.items():
        listed = ", ".join(subfolders[:_NAMED]) + (", ..." if len(subfolders) > _NAMED else "")
        found.append(
            f"WARNING: {gallery / name} holds {len(subfolders)} subfolders ({listed}), and all their pictures are "
            f"enrolled as ONE person, {name!r}. If they are people: --config.gallery={gallery / name}"
        )
    for name, paths in list(enrollment.strangers(similarity).items())[:_NAMED]:
        listed = ", ".join(path.name for path in paths[:_NAMED]) + (", ..." if len(paths) > _NAMED else "")
        found.append(
            f"{name}: {len(paths)} of {len(enrollment.faces[name])} pictures do not resemble the others ({listed}); do "
            "they show the same person?"
        )
    for one, path, other, other_path in enrollment.doubles()[:_NAMED]:
        found.append(f"{path} ({one}) and {other_path} ({other}) are the same picture, enrolled under two names.")
    return found


def itself(answers: Sequence[Answer]) -> list[str]:
    """Searched pictures that are enrolled themselves."""
    same = [answer for answer in answers if answer.enrolled_as is not None]
    found = [
        f"{source(answer)} is itself enrolled ({answer.enrolled_as[1]}, {answer.enrolled_as[0]}): its likeness to "
        "itself says nothing."
        for answer in same[:_NAMED]
        if answer.enrolled_as is not None
    ]
    return found + ([f"So are {len(same) - _NAMED} more searched faces."] if len(same) > _NAMED else [])


def caution(answers: Sequence[Answer], enrollment: Enrolled, calibration: Thresholds, pair: bool) -> str:
    """The worth of a match, in plain words and measured numbers."""
    worst = max(distinct_thresholds(answers), key=lambda threshold: (threshold.possible, threshold.far))
    if not worst.possible:
        return "What this is worth: nothing, as no name is possible here."
    question = "pairs of different people" if pair else "searches for somebody who is not enrolled"
    said = "passed as one person" if pair else "were still given a name"
    often = (
        f"about one in {round(1 / worst.far):,} {question} {said}"
        if worst.false_accepts
        else f"none of {worst.searches:,} {question} {said}, which is too few to say how often it happens"
    )
    sentence = (
        f"What this is worth: a match says that two faces look alike to one network. When it was measured on "
        f"{calibration.name}, {often}; on other pictures it may be more, and a face that does not match may still "
        "be the same person"
    )
    if any(answer.view.cut_size for answer in answers) or any(size for own in enrollment.recipe for size in own):
        sentence += "; small faces were enlarged, and the detail that adds is invented, so it can make false matches"
    return f"{sentence}. It is a hint to look closer, and no proof of who somebody is."
