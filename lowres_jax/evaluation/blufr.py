"""BLUFR: ten trials of large-scale verification and open-set identification on LFW (Liao et al., IJCB 2014)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from lowres_jax.errors import UserError
from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.evaluation.open_set import FAR, Searches, positions_of
from lowres_jax.runtime import signals

FILE = "blufr_lfw_config.mat"
VERIFICATION_FAR = 0.001
_BLOCK = 512
# Cosines are counted in cells of this width: far below what tells two thresholds at a FAR of .1 % apart.
_CELLS = 2**20


@dataclass(frozen=True)
class Trial:
    """One trial, as positions in the set.

    Attributes:
      test: all its images, of which every pair is compared.
      gallery: one image of each of 1,000 people.
      probes: the others: of these people, and of strangers.
    """

    test: np.ndarray
    gallery: np.ndarray
    probes: np.ndarray


def read(file: Path, sources: Sequence[str]) -> list[Trial]:
    """Reads the benchmark's own file.

    Raises:
      UserError: the file cannot be read, or names images that the set has not.
    """
    import scipy.io

    try:
        content = scipy.io.loadmat(file)
        names = [str(each[0]) for each in content["imageList"].ravel()]
        lists = [[each.ravel().astype(np.int64) - 1 for each in content[key].ravel()] for key in _LISTS]
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError, scipy.io.matlab.MatReadError) as error:
        raise UserError(
            f"{file}: not BLUFR's file ({error}); give the folder of {FILE} with --config.protocol_files=DIR"
        ) from error
    positions = positions_of(names, sources, file)
    return [Trial(*(positions[each] for each in trial)) for trial in zip(*lists, strict=True)]


_LISTS = ("testIndex", "galIndex", "probIndex")


def estimate(
    trials: Sequence[Trial],
    templates: Shaped[np.ndarray, "N D"],
    gallery: Shaped[np.ndarray, "N D"],
    people: Shaped[np.ndarray, " N"],
    counts: Shaped[np.ndarray, "R P"],
) -> Estimate:
    """Means over the trials, these less their standard deviation (n - 1), and for DIR resamples of people.

    Args:
      trials: see `read`.
      templates: (N, D) of the set's images as they are searched for.
      gallery: (N, D) as they are enrolled; the same array where there is one kind. Pairs are of one of each.
      people: (N,) number of each image's person.
      counts: (R, P) of `bootstrap.draw_counts`.
    """
    rates, resampled, verified = [], [], []
    for trial in signals.interruptible(trials):
        searches = Searches.of(
            templates[trial.probes], people[trial.probes], gallery[trial.gallery], people[trial.gallery]
        )
        rates.append(searches.rates(np.ones((1, counts.shape[1]), np.int32), FAR)[0])
        resampled.append(searches.rates(counts, FAR))
        verified.append(verification_rate(templates[trial.test], gallery[trial.test], people[trial.test]))
    metrics = {}
    for name, values in (("dir_at_far_1e-2", rates), ("vr_at_far_1e-3", verified)):
        metrics[name] = float(np.mean(values))
        metrics[f"{name}_minus_sd"] = float(np.mean(values) - np.std(values, ddof=1))
    return Estimate(metrics, {"dir_at_far_1e-2": np.mean(resampled, axis=0)})


def verification_rate(
    templates: Shaped[np.ndarray, "N D"],
    gallery: Shaped[np.ndarray, "N D"],
    people: Shaped[np.ndarray, " N"],
    far: float = VERIFICATION_FAR,
) -> float:
    """Share of a person's pairs that are accepted at the lowest cosine with at most this FAR over all other pairs.

    Args:
      templates: (N, D) unit vectors.
      gallery: (N, D) of the same images, the other side of each pair; an image is never compared with itself.
      people: (N,).
      far: false accept rate.
    """
    genuine, impostor = np.zeros((2, 2 * _CELLS + 1), np.int64)
    for start in range(0, len(templates), _BLOCK):
        cosines = templates[start : start + _BLOCK] @ gallery.T
        cells = np.clip(np.rint((cosines + 1.0) * _CELLS), 0, 2 * _CELLS).astype(np.int64)
        same = people[start : start + _BLOCK, None] == people[None, :]
        impostor += np.bincount(cells[~same], minlength=len(impostor))
        rows = np.arange(len(cells))
        same[rows, start + rows] = False
        genuine += np.bincount(cells[same], minlength=len(genuine))
    accepted = np.cumsum(impostor[::-1])[::-1]  # at this cell or above
    allowed = np.floor(far * accepted[0] + 1e-9)
    lowest = np.searchsorted(-accepted, -allowed, side="left")
    return float(genuine[lowest:].sum() / max(genuine.sum(), 1))
