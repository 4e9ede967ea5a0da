"""Verification of pairs: LFW's ten-fold protocol, ROC, AUC, EER.

Huang et al., "Labeled Faces in the Wild", University of Massachusetts, Technical Report 07-49, 2007.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Shaped


@dataclass(frozen=True)
class VerificationResult:
    """Result of one method on the pairs.

    Attributes:
      fold_accuracies: (F,) fraction of each fold decided rightly, by the threshold chosen on the other folds.
      fold_thresholds: (F,) these thresholds; a pair is "same" above it.
      folds: (F,) the folds' numbers, in the same order.
      accuracy: mean of the fold accuracies.
      accuracy_se: standard error of that mean: their ddof-1 standard deviation / sqrt(F). (facenet and InsightFace
        print the ddof-0 standard deviation itself, another number.)
      far: ROC over all pairs: false accept rate, ascending from 0 to 1.
      tar: true accept rate at `far`.
      auc: area under the ROC; ties count half.
      eer: FAR = 1 - TAR, by linear interpolation at the crossing.
    """

    fold_accuracies: np.ndarray
    fold_thresholds: np.ndarray
    folds: np.ndarray
    accuracy: float
    accuracy_se: float
    far: np.ndarray
    tar: np.ndarray
    auc: float
    eer: float

    def thresholds_of(self, folds: Shaped[np.ndarray, " P"]) -> Shaped[np.ndarray, " P"]:
        """The threshold of each pair's fold: (P,) fold numbers -> (P,)."""
        return self.fold_thresholds[np.searchsorted(self.folds, folds)]


def best_threshold(scores: Shaped[np.ndarray, " P"], same: Bool[np.ndarray, " P"]) -> float:
    """The threshold of highest accuracy among the midpoints of adjacent distinct scores.

    Of equally good ones the middle one is taken (the lower of two). Where all scores are equal there is no midpoint:
    the score itself is returned, above which nothing lies.

    Args:
      scores: (P,) similarities.
      same: (P,) bool.
    """
    values, inverse = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    same = np.asarray(same, bool)
    genuine = np.bincount(inverse, weights=same, minlength=len(values))
    impostor = np.bincount(inverse, weights=~same, minlength=len(values))
    return best_midpoint(values, same.sum() - np.cumsum(genuine) + np.cumsum(impostor))


def best_midpoint(values: Shaped[np.ndarray, " V"], correct: Shaped[np.ndarray, " V"]) -> float:
    """`best_threshold` of counted scores.

    Args:
      values: (V,) distinct scores, ascending.
      correct: (V,) how many pairs are decided rightly if "same" is said above each.
    """
    if len(values) == 1:
        return float(values[0])
    best = np.flatnonzero(correct[:-1] == correct[:-1].max())
    gap = best[(len(best) - 1) // 2]
    return float((values[gap] + values[gap + 1]) / 2)


def roc(scores: Shaped[np.ndarray, " P"], same: Bool[np.ndarray, " P"]) -> tuple[np.ndarray, np.ndarray]:
    """Operating points of all thresholds, from rejecting to accepting everything.

    Args:
      scores: (P,) similarities.
      same: (P,) bool, with both kinds present.

    Returns:
      (far, tar), ascending, one point for each distinct score and (0, 0) first.
    """
    values, inverse = np.unique(-np.asarray(scores, np.float64), return_inverse=True)
    same = np.asarray(same, bool)
    genuine = np.cumsum(np.bincount(inverse, weights=same, minlength=len(values)))
    impostor = np.cumsum(np.bincount(inverse, weights=~same, minlength=len(values)))
    far = np.concatenate([[0.0], impostor / impostor[-1]])
    tar = np.concatenate([[0.0], genuine / genuine[-1]])
    return far, tar


def equal_error_rate(false_accepts: Shaped[np.ndarray, " n"], false_rejects: Shaped[np.ndarray, " n"]) -> float:
    """Rate at which two rates cross, by linear interpolation between the operating points on both sides.

    Args:
      false_accepts: (n,) FAR, ascending.
      false_rejects: (n,) FRR at the same thresholds, descending.
    """
    difference = np.asarray(false_accepts, np.float64) - false_rejects
    after = int(np.argmax(difference >= 0)) if (difference >= 0).any() else len(difference) - 1
    if after == 0 or difference[after] <= 0:
        return float((false_accepts[after] + false_rejects[after]) / 2)
    share = -difference[after - 1] / (difference[after] - difference[after - 1])
    return float(false_accepts[after - 1] + share * (false_accepts[after] - false_accepts[after - 1]))


def evaluate_pairs(
    scores: Shaped[np.ndarray, " P"], same: Bool[np.ndarray, " P"], folds: Shaped[np.ndarray, " P"]
) -> VerificationResult:
    """The protocol of LFW's View 2, for any number of folds.

    Args:
      scores: (P,) cosine similarities.
      same: (P,) bool: whether the pair shows one person.
      folds: (P,) fold of each pair; at least two folds.

    Raises:
      ValueError: fewer than two folds, or scores that are not finite.
    """
    scores, same, folds = np.asarray(scores, np.float64), np.asarray(same, bool), np.asarray(folds)
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise ValueError("the protocol needs at least two folds")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    thresholds = np.asarray([best_threshold(scores[folds != fold], same[folds != fold]) for fold in numbers])
    accuracies = np.asarray(
        [
            np.mean((scores[folds == fold] > threshold) == same[folds == fold])
            for fold, threshold in zip(numbers, thresholds, strict=True)
        ]
    )
    far, tar = roc(scores, same)
    return VerificationResult(
        fold_accuracies=accuracies,
        fold_thresholds=thresholds,
        folds=numbers,
        accuracy=float(accuracies.mean()),
        accuracy_se=float(accuracies.std(ddof=1) / np.sqrt(len(numbers))),
        far=far,
        tar=tar,
        auc=float(np.trapezoid(tar, far)),
        eer=equal_error_rate(far, 1.0 - tar),
    )


def make_pairs(
    labels: Shaped[np.ndarray, " N"], number_of_folds: int, pairs_per_fold: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs for a set that has none: folds of disjoint people, half same and half different, as LFW's are made.

    Args:
      labels: (N,) identities; the people with two images or more are spread over the folds at random, others are
        not used.
      number_of_folds: number of folds, at least two.
      pairs_per_fold: largest number of pairs in a fold, two or more; both halves shrink to what the fold's people can
        give.
      seed: seed of the draw.

    Returns:
      pairs (P, 2) image numbers, same (P,) bool, folds (P,) from 1.

    Raises:
      ValueError: fewer than two folds or pairs, or a fold gets fewer than two people.
    """
    if number_of_folds < 2 or pairs_per_fold < 2:
        raise ValueError(f"{number_of_folds} folds of {pairs_per_fold} pairs cannot be: both must be at least two")
    generator = np.random.default_rng(seed)
    labels = np.asarray(labels)
    people, counts = np.unique(labels, return_counts=True)
    people = generator.permutation(people[counts > 1])
    if len(people) < 2 * number_of_folds:
        raise ValueError(
            f"{len(people)} people with two images or more are too few for {number_of_folds} folds of pairs"
        )
    pairs, same, folds = [], [], []
    for fold in range(number_of_folds):
        images = np.flatnonzero(np.isin(labels, people[fold::number_of_folds]))
        images = images[np.argsort(labels[images], kind="stable")]
        # With a person's images side by side, those of one person and those of later people follow every image: the
        # pairs of either kind are numbered by the image that comes first, and none needs to be written down.
        ends = np.searchsorted(labels[images], labels[images], side="right")
        positions = np.arange(len(images))
        of_one, of_two = ends - positions - 1, len(images) - ends
        half = min(pairs_per_fold // 2, int(of_one.sum()), int(of_two.sum()))
        for kind, following, begin in ((True, of_one, positions + 1), (False, of_two, ends)):
            chosen = generator.choice(int(following.sum()), half, replace=False)
            past = np.cumsum(following)
            first = np.searchsorted(past, chosen, side="right")
            second = begin[first] + chosen - (past[first] - following[first])
            # Ascending, as they lie in the set.
            pairs.append(np.sort(np.stack([images[first], images[second]], axis=1), axis=1))
            same.append(np.full(half, kind))
            folds.append(np.full(half, fold + 1))
    return np.concatenate(pairs), np.concatenate(same), np.concatenate(folds)
