"""Prepared set on which a threshold is measured."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lowres_jax.data.records import preparing, version_directory
from lowres_jax.errors import UserError
from lowres_jax.matching.calibration import Calibration
from lowres_jax.runtime import environment

# In the order of trust: LFW shows the most people, in pictures of everyday.
_SETS = ("lfw", "orl_faces")


def folders(given: str | None, detector: str) -> list[Path]:
    """The sets that come into question: the one that was given, or those in the cache folder.

    Args:
      given: folder of a prepared set; None for the usual ones.
      detector: detector with which they were prepared.

    Raises:
      UserError: none is prepared; the message has the command.
    """
    if given:
        return [Path(given)]
    usual = [environment.datasets_folder() / name / detector for name in _SETS]
    found = [folder for folder in usual if version_directory(folder)]
    if not found:
        option = "" if detector == "mtcnn" else f" --config.detector={detector}"
        raise UserError(
            f"{usual[-1]}: no prepared set to measure the threshold on; run: {preparing('orl_faces')}{option}"
        )
    return found


def choose(
    sets: Sequence[Path], opened: Callable[[Path], Calibration], far: float, gallery_size: int
) -> tuple[Calibration, list[str]]:
    """The first set that can tell of a false accept rate in galleries of a size; else the one that comes nearest.

    Args:
      sets: prepared ones, the most trusted first.
      opened: folder -> its calibration.
      far: the rate.
      gallery_size: people enrolled.

    Returns:
      The set, and remarks on those that were skipped.

    Raises:
      UserError: no set can be used.
    """
    remarks, usable = [], []
    for folder in sets:
        try:
            calibration = opened(folder)
        except UserError as error:
            if len(sets) == 1:
                raise
            remarks.append(f"{error}; another set is used")
            continue
        usable.append(calibration)
        if calibration.least_rate(min(gallery_size, calibration.people - 1)) <= far:
            break
        if len(sets) > 1:
            remarks.append(
                f"{calibration.name}: {calibration.people} people in {calibration.images} images are too few to "
                f"tell of a false accept rate of {far:.3g}"
            )
    if not usable:
        raise UserError("; ".join(remarks))
    chosen = min(usable, key=lambda each: max(each.least_rate(min(gallery_size, each.people - 1)), far))
    return chosen, remarks + [f"{chosen.name}, label left out of the thresholds: {line}" for line in chosen.remarks]
