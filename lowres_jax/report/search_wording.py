"""What `identify` says: answers, thresholds and what they rest on, and what a match is worth."""

from collections.abc import Sequence

from lowres_jax.matching.calibration import Calibration, Threshold
from lowres_jax.matching.gallery import FaceView
from lowres_jax.matching.search import Answer, Enrolment

UNKNOWN = "unknown"
# A rate that rests on fewer false accepts is hardly known.
_FEW_FALSE_ACCEPTS = 10


def verdict(answer: Answer, pair: bool) -> str:
    """The name, "unknown", or whether two photographs show one person."""
    if pair:
        return "same person" if answer.accepted else "not the same person"
    return answer.matches[0].name if answer.accepted else UNKNOWN


def source(answer: Answer) -> str:
    """Which face of which file."""
    return f"{answer.path.name}" + (f", face {answer.number} of {answer.count}" if answer.count > 1 else "")


def how(view: FaceView, upscaler: str) -> str:
    """How large a face was, and what was done to it."""
    enlarged = f", cut at {view.cut_size} px and enlarged by {upscaler}" if view.cut_size else ""
    return f"{view.native_size} px in the picture{enlarged}"


def line(answer: Answer, ranks: int, upscaler: str, pair: bool) -> str:
    """One searched face in one line, with its ranked names; `*` marks those who reach the threshold."""
    accepted = len(answer.accepted)
    ranked = ", ".join(
        f"{match.name} {match.similarity:.3f}{'*' if number < accepted else ''}"
        for number, match in enumerate(answer.matches[:ranks])
    )
    where = f"{answer.path}" + (f" face {answer.number}/{answer.count}" if answer.count > 1 else "")
    return (
        f"{where} ({how(answer.view, upscaler)}): {verdict(answer, pair).upper() if pair else verdict(answer, pair)}"
        f" [{ranked}; threshold {answer.threshold.similarity:.3f}]"
    )


def distinct_thresholds(answers: Sequence[Answer]) -> list[Threshold]:
    """Every threshold that was used, once, in the order of use."""
    return list(dict.fromkeys(answer.threshold for answer in answers))


def threshold_line(threshold: Threshold, calibration: Calibration, upscaler: str) -> str:
    """What a threshold is, and what it rests on."""

    def condition(size: int) -> str:
        return f"enlarged by {upscaler} from {size} px" if size else "not enlarged"

    faces = f"searched faces {condition(threshold.probe_size)}"
    if threshold.enrolled_size:
        faces += f", enrolled ones {condition(threshold.enrolled_size)}"
    if threshold.gallery_size == 1:
        false = f"pairs of different people reach it in {threshold.false_accepts:,} of {threshold.searches:,} cases"
    else:
        false = (
            f"of {threshold.searches:,} searches among {threshold.gallery_size} people for somebody not enrolled "
            f"{threshold.false_accepts:,} gave a name"
        )
    genuine = f"; {threshold.genuine:.1%} of pairs of one person reach it" if threshold.genuine is not None else ""
    return (
        f"Threshold {threshold.similarity:.3f} ({faces}): {false} ({threshold.far:.2%}){genuine}; measured on "
        f"{calibration.name}, {calibration.people:,} people in {len(calibration.labels):,} images."
    )


def warnings(answers: Sequence[Answer], enrolment: Enrolment, calibration: Calibration) -> list[str]:
    """What makes the thresholds less sure than they look."""
    found = []
    people = len(enrolment.faces)
    if people > calibration.people - 1:
        found.append(
            f"The gallery has {people:,} people, but the threshold was measured on galleries of "
            f"{calibration.people - 1:,}: false names will be more frequent than stated."
        )
    fewest = min(threshold.false_accepts for threshold in distinct_thresholds(answers))
    if fewest < _FEW_FALSE_ACCEPTS:
        found.append(
            f"The threshold rests on {fewest} false names only: choose a larger config.far, a larger set or "
            "more config.calibration_images."
        )
    enlarged = sum(view.cut_size > 0 for own in enrolment.faces.values() for _, view in own)
    if enlarged:
        found.append(f"{enlarged} enrolled faces are small and were enlarged: larger pictures would serve better.")
    return found


def caution(answers: Sequence[Answer], enrolment: Enrolment, calibration: Calibration, far: float, pair: bool) -> str:
    """What a match is worth, in plain words."""
    question = "pairs of different people" if pair else "searches for somebody who is not enrolled"
    said = "would pass as one person" if pair else "would still be given a name"
    sentence = (
        f"What this is worth: a match says that two faces look alike to one network. About one in "
        f"{round(1 / far):,} {question} {said} (on "
        f"{calibration.name}; on other pictures it may be more), and a face that does not match may still "
        "be the same person"
    )
    if any(answer.view.cut_size for answer in answers) or any(enrolment.cut_sizes):
        sentence += "; small faces were enlarged, and the detail that adds is invented, so it can make false matches"
    return f"{sentence}. It is a hint to look closer, and no proof of who somebody is."
