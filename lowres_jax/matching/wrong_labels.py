"""Wrong labels of a set: two labels of one person, and pictures that show somebody else, found by likeness.

A threshold at which one search in 1,000 gives a false name rests on a few pairs; one person under two names decides it.
Similarities of different people fall off like a normal distribution's tail: two labels that are more alike than
any pair of strangers is expected to be, show one person.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from scipy.stats import norm

# The tail is extended from these two shares of the pairs of strangers.
_SHARES = (0.01, 0.001)
# So many pairs of strangers are expected beyond the bound: it is as good as no pair.
_EXPECTED = 0.05
# Of fewer pairs of strangers the smaller share is not known.
_FEWEST_PAIRS = 20_000
_BLOCK = 512


@dataclass(frozen=True)
class WrongLabels:
    """Wrong labels of a set.

    Attributes:
      labels: (n,) the labels mended: of two that are one person's, both have the more frequent one.
      kept: (n,) bool: False for pictures that seem to show somebody else than their label says.
      same: pairs of labels (mended one, other) that are one person's, with the similarity of their means.
      shows: picture -> the label it is more alike than strangers are, and the similarity.
    """

    labels: np.ndarray
    kept: np.ndarray
    same: list[tuple[int, int, float]]
    shows: dict[int, tuple[int, float]]


def find_wrong_labels(templates: Shaped[np.ndarray, "n D"], labels: Shaped[np.ndarray, " n"]) -> WrongLabels:
    """Looks for them among all pairs.

    Args:
      templates: (n, D) unit vectors of pictures as they are, not of reduced ones.
      labels: (n,) identities.
    """
    found = WrongLabels(labels.copy(), np.ones(len(labels), bool), [], {})
    bound = _bound(templates, labels)
    pairs = _alike(templates, labels, bound) if bound < 1.0 else []
    by_labels: dict[tuple[int, int], list[tuple[int, int, float]]] = defaultdict(list)
    for one, other, alike in pairs:
        first, second = sorted((int(labels[one]), int(labels[other])))
        by_labels[first, second].append((one, other, alike))
    single = []
    for (first, second), own in by_labels.items():
        alike = float(_mean(templates, labels == first) @ _mean(templates, labels == second))
        if alike < bound:
            single += own
            continue
        frequent, rare = sorted((first, second), key=lambda label: -int(np.sum(labels == label)))
        found.labels[found.labels == rare] = found.labels[labels == frequent][0]
        found.same.append((frequent, rare, alike))
    while single:
        # Who is in most of the pairs is the stranger; of two the one that is less like its own label's others.
        counts = Counter(place for one, other, _ in single for place in (one, other))
        odd = max(counts, key=lambda place: (counts[place], -_own_likeness(templates, labels, place)))
        own = [pair for pair in single if odd in pair[:2]]
        one, other, alike = max(own, key=lambda pair: pair[2])
        found.kept[odd] = False
        found.shows[odd] = int(labels[other if one == odd else one]), alike
        single = [pair for pair in single if odd not in pair[:2]]
    return found


def _bound(templates: np.ndarray, labels: np.ndarray) -> float:
    """The similarity that no pair of strangers is expected to reach; infinite of too few pairs."""
    people = np.unique(labels, return_counts=True)[1].astype(np.float64)
    pairs = (len(labels) ** 2 - float(np.sum(people**2))) / 2
    if pairs < _FEWEST_PAIRS:
        return np.inf
    # Some of the pairs tell these shares well enough.
    rows = np.random.default_rng(0).permutation(len(labels))[:2000]
    strangers = (templates[rows] @ templates.T)[labels[rows][:, None] != labels]
    larger, smaller = np.quantile(strangers, [1.0 - share for share in _SHARES])
    near, far, last = (float(norm.isf(share)) for share in (*_SHARES, _EXPECTED / pairs))
    return float(smaller + (smaller - larger) / (far - near) * (last - far))


def _alike(templates: np.ndarray, labels: np.ndarray, bound: float) -> list[tuple[int, int, float]]:
    found = []
    for start in range(0, len(labels), _BLOCK):
        similarity = templates[start : start + _BLOCK] @ templates.T
        similarity[labels[start : start + _BLOCK][:, None] == labels] = -1.0
        rows, columns = np.nonzero(similarity >= bound)
        found += [
            (int(row) + start, int(column), float(similarity[row, column]))
            for row, column in zip(rows, columns, strict=True)
            if row + start < column
        ]
    return found


def _mean(templates: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    total = templates[chosen].sum(axis=0)
    return total / max(float(np.linalg.norm(total)), 1e-12)


def _own_likeness(templates: np.ndarray, labels: np.ndarray, place: int) -> float:
    """Mean similarity of a picture to its label's others; 1 without any, as nothing speaks against it."""
    others = np.flatnonzero(labels == labels[place])
    others = others[others != place]
    return float((templates[others] @ templates[place]).mean()) if len(others) else 1.0
