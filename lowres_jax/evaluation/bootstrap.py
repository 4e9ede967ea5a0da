"""Confidence intervals: paired bootstrap over people or folds, 95 % percentiles.

Every method is evaluated on the same resamples, so that a difference of two methods has its own interval, usually much
narrower than what the two intervals suggest. Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer, Shaped
from scipy import stats

CONFIDENCE = 0.95
# Metrics that are counts of rare events.
COUNTS = frozenset({"false_accepts"})


@dataclass(frozen=True)
class Estimate:
    """Metrics of one method, once on the data as they are and once in every resample.

    Attributes:
      metrics: name -> value.
      samples: name -> (R,) values in the resamples, in their order; metrics without samples get no interval.
    """

    metrics: Mapping[str, float]
    samples: Mapping[str, np.ndarray]


def draw_counts(units: int, resamples: int, seed: int) -> Integer[np.ndarray, "R units"]:
    """Draws as many units as there are, with replacement, once for each resample.

    Args:
      units: number of people (or folds).
      resamples: R.
      seed: seed of the draw; the same seed gives the same resamples, which makes differences paired.

    Returns:
      (R, units) int32: how often each unit was drawn; every row sums to `units`.
    """
    generator = np.random.default_rng(seed)
    counts = np.empty((resamples, units), np.int32)
    for row in counts:
        row[:] = np.bincount(generator.integers(units, size=units), minlength=units)
    return counts


def interval(samples: Shaped[np.ndarray, "..."]) -> tuple[float, float]:
    """The percentile interval (low, high) of (R,) resampled values."""
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(samples, [tail, 100.0 - tail])
    return float(low), float(high)


def difference(method: Estimate, reference: Estimate, name: str) -> tuple[float, float, float]:
    """(value, low, high) of method minus reference, paired: resample by resample.

    Of counts, which may be rare, it reaches from the lower of its own and `rare_counts_interval`'s lower bound to the
    higher of the upper ones: one false accept against none is no difference, though every resample with the one in it
    has it.
    """
    low, high = interval(method.samples[name] - reference.samples[name])
    if name in COUNTS:
        rare = rare_counts_interval(round(method.metrics[name]), round(reference.metrics[name]))
        low, high = min(low, rare[0]), max(high, rare[1])
    return method.metrics[name] - reference.metrics[name], low, high


def rare_counts_interval(first: int, second: int) -> tuple[float, float]:
    """Interval of the difference of two independent counts, given their sum n.

    Under equal rates the first one is binomial with n and 1/2, whatever the rate (Przyborowski and Wilenski, Biometrika
    1940), so that the exact interval of its share (Clopper and Pearson, Biometrika 1934) becomes one of the difference:
    from n (2 low - 1) to n (2 high - 1). It excludes zero by chance in at most one of twenty cases.
    """
    total = first + second
    if not total:
        return 0.0, 0.0
    share = stats.binomtest(first, total).proportion_ci(CONFIDENCE, method="exact")
    return total * (2.0 * share.low - 1.0), total * (2.0 * share.high - 1.0)


def mean_estimate(
    values: Mapping[str, np.ndarray], people: Shaped[np.ndarray, " N"], counts: Shaped[np.ndarray, "R P"]
) -> Estimate:
    """Means over images, with people resampled.

    Args:
      values: name -> (N,) value of each image.
      people: (N,) number of each image's person, 0 to P - 1.
      counts: (R, P) of `draw_counts`.
    """
    images = counts @ np.bincount(people, minlength=counts.shape[1]).astype(np.float64)
    sums = {name: np.bincount(people, weights=each, minlength=counts.shape[1]) for name, each in values.items()}
    return Estimate(
        metrics={name: float(np.mean(each)) for name, each in values.items()},
        samples={name: (counts @ each) / images for name, each in sums.items()},
    )
