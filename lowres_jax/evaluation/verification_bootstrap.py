"""Verification in resamples of folds: the threshold of each fold is chosen again on the other folds that were drawn."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Shaped

from lowres_jax.evaluation import verification
from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.runtime.signals import interruptible

FARS = {"tar_at_far_1e-2": 1e-2, "tar_at_far_1e-3": 1e-3}
# The FAR of the originals (HR) at whose threshold every method's false accepts are counted.
FALSE_ACCEPT_FAR = 0.01

# With n folds that differ by luck alone, all of them differ in one direction with probability 2^(1 - n), and then every
# resample does: below six folds an interval of 95 % would be a false promise.
FEWEST_FOLDS = 6


def estimate(
    scores: Shaped[np.ndarray, " P"],
    originals: Shaped[np.ndarray, " P"],
    same: Bool[np.ndarray, " P"],
    folds: Shaped[np.ndarray, " P"],
    counts: Shaped[np.ndarray, "R F"],
) -> Estimate:
    """All metrics of the pairs, once as they are and once in every resample.

    The values are those of `verification.evaluate_pairs`. `false_accepts` counts the impostor pairs above the lowest
    threshold at which the originals' FAR is at most 1 %. In a resample a fold that was drawn twice counts twice; the
    threshold of a fold is chosen on the drawn copies of the other folds. Where there is none (a resample of one fold
    only), it is the one chosen on the other folds of the data.

    Args:
      scores: (P,) cosine similarities under the method.
      originals: (P,) of the same pairs under the originals (HR).
      same: (P,) bool.
      folds: (P,) fold of each pair.
      counts: (R, F) of `intervals.draw_counts`, folds ascending; without samples if there are fewer than
        `FEWEST_FOLDS`.
    """
    own, reference = _Counted.of(scores, same, folds), _Counted.of(originals, same, folds)
    everything = np.ones(counts.shape[1], np.int32)
    result = verification.evaluate_pairs(scores, same, folds)
    once = _metrics(own, reference, everything)
    metrics = once | {"accuracy": result.accuracy, "accuracy_se": result.accuracy_se}
    if counts.shape[1] < FEWEST_FOLDS:
        return Estimate(metrics, {})
    found = [_metrics(own, reference, drawn) for drawn in interruptible(counts)]
    return Estimate(metrics, {name: np.asarray([each[name] for each in found]) for name in once})


@dataclass(frozen=True)
class _Counted:
    """One method's pairs, counted at every threshold in every fold.

    Attributes:
      values: (V,) the distinct scores of all folds, ascending.
      present: (F, V) bool, true if a fold has the score.
      correct: (F, V) pairs decided rightly if "same" is said above values[v].
      genuine: (F, V + 1) genuine pairs among those with the 0 to V highest distinct scores.
      impostor: (F, V + 1) impostor pairs among these.
    """

    values: np.ndarray
    present: np.ndarray
    correct: np.ndarray
    genuine: np.ndarray
    impostor: np.ndarray

    @classmethod
    def of(cls, scores: Shaped[np.ndarray, " n"], same: np.ndarray, folds: np.ndarray) -> "_Counted":
        values, value = np.unique(np.asarray(scores, np.float64), return_inverse=True)
        numbers, fold = np.unique(folds, return_inverse=True)
        kinds = np.zeros((2, len(numbers), len(values)), np.int32)
        np.add.at(kinds, (np.asarray(same, np.int64), fold, value), 1)
        impostor, genuine = kinds
        accepted_genuine = genuine.sum(axis=1, keepdims=True) - np.cumsum(genuine, axis=1)
        return cls(
            values=values,
            present=kinds.sum(axis=0) > 0,
            correct=(accepted_genuine + np.cumsum(impostor, axis=1)).astype(np.int32),
            genuine=_from_the_top(genuine),
            impostor=_from_the_top(impostor),
        )


def _from_the_top(numbers: np.ndarray) -> np.ndarray:
    return np.pad(np.cumsum(numbers[:, ::-1], axis=1, dtype=np.int32), ((0, 0), (1, 0)))


def _metrics(own: _Counted, originals: _Counted, drawn: np.ndarray) -> dict[str, float]:
    """All metrics if each fold counts as often as it was drawn: (F,) -> name -> value."""
    genuine, impostor = drawn @ own.genuine, drawn @ own.impostor
    tar, far = genuine / genuine[-1], impostor / impostor[-1]
    found = {
        "accuracy": _accuracy(own, drawn),
        "auc": float(np.trapezoid(tar, far)),
        "eer": verification.equal_error_rate(far, 1.0 - tar),
    }
    for name, target in FARS.items():
        found[name] = float(tar[np.searchsorted(far, target, side="right") - 1])
    # The highest score that the originals' threshold must stay above lest its FAR pass the limit.
    reference = drawn @ originals.impostor
    allowed = np.searchsorted(reference / reference[-1], FALSE_ACCEPT_FAR, side="right") - 1
    limit = originals.values[::-1][allowed] if allowed < len(originals.values) else -np.inf
    above = len(own.values) - np.searchsorted(own.values, limit, side="right")
    found["false_accepts"] = float(impostor[above] * (own.impostor[:, -1].sum() / impostor[-1]))
    return found


def _accuracy(own: _Counted, drawn: np.ndarray) -> float:
    """Mean accuracy of the drawn folds, each at the threshold of the others."""
    correct = drawn @ own.correct
    copies = (drawn > 0) @ own.present.astype(np.int32)
    total = 0.0
    for fold in np.flatnonzero(drawn):
        elsewhere = np.flatnonzero(copies > own.present[fold])
        summed = correct - drawn[fold] * own.correct[fold]
        if not len(elsewhere):
            elsewhere = np.flatnonzero(np.delete(own.present, fold, axis=0).any(axis=0))
            summed = own.correct.sum(axis=0) - own.correct[fold]
        threshold = verification.best_midpoint(own.values[elsewhere], summed[elsewhere])
        place = np.searchsorted(own.values, threshold, side="right") - 1
        total += drawn[fold] * own.correct[fold, place] / (own.genuine[fold, -1] + own.impostor[fold, -1])
    return float(total / drawn.sum())
