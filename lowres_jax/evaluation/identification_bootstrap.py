"""All-against-all in resamples of people: every threshold is chosen again in each, without a second pass of distances.

The gallery stays whole; what is resampled is who searches. A person drawn twice counts twice, one not drawn not at all,
so that a resample is a weight for each probe, and every rate a ratio of two cumulative sums of weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.evaluation.identification import ProbeStatistics
from lowres_jax.runtime.signals import interruptible

FARS = {"dir_at_far_1e-2": 0.01, "dir_at_far_1e-1": 0.1}
RANKS = (1, 5, 15)
# The FAR of the originals (HR) at whose threshold every method's false accepts are counted.
FALSE_ACCEPT_FAR = 0.01

# Numbers in one block of resamples: keeps memory bounded for any number of probes.
_BLOCK_NUMBERS = 2_000_000


def estimate(
    statistics: ProbeStatistics,
    originals: ProbeStatistics,
    people: Shaped[np.ndarray, " N"],
    counts: Shaped[np.ndarray, "R P"],
) -> Estimate:
    """All metrics of all-against-all, once as they are and once in every resample.

    The values are those of `identification`; `_all` marks the denominator |G|, rates without it are over the probes
    that have a mate, and FAR is always over all. `eer` is where FAR(t) = FRR(t), by linear interpolation between the
    operating points on both sides, and `threshold` the smallest distance with FAR >= FRR; `far`, `grr`, `dir_rank5` and
    `dir_rank15` are read there. `false_accepts` counts the searches that return somebody who is not the probe's person,
    who is not enrolled, at the largest threshold at which the originals' FAR is at most 1 %; in a resample, which has
    another number of searches, it is that share of N.

    Args:
      statistics: statistics of N probes under the method.
      originals: statistics of the same probes under the originals (HR).
      people: (N,) number of each probe's person, 0 to P - 1.
      counts: (R, P) of `intervals.draw_counts`.
    """
    own, reference = _Sorted.of(statistics, people), _Sorted.of(originals, people)
    once = _metrics(own, reference, np.ones((1, counts.shape[1]), np.int32))
    size = max(1, _BLOCK_NUMBERS // len(people))
    starts = interruptible(range(0, len(counts), size))
    blocks = [_metrics(own, reference, counts[start : start + size]) for start in starts]
    return Estimate(
        metrics={name: float(value[0]) for name, value in once.items()},
        # More or less of a threshold is neither better nor worse, so that it gets no interval.
        samples={name: np.concatenate([block[name] for block in blocks]) for name in once if name != "threshold"},
    )


@dataclass(frozen=True)
class _Sorted:
    """One method's probes by distance.

    Attributes:
      impostor: (N,) dd, ascending.
      impostor_people: (N,) the person of each.
      mated_people: (M,) the person of each probe that has a mate.
      hits: rank k -> ds of the probes that find their person within the first k at any distance, ascending.
      hit_people: rank k -> the person of each of them.
      events: (E,) distances at which FAR or DIR(t, 1) changes, ascending.
      impostors_within: (E,) how many impostor distances are at most that.
      hits_within: (E,) how many rank-1 hits are.
    """

    impostor: np.ndarray
    impostor_people: np.ndarray
    mated_people: np.ndarray
    hits: dict[int, np.ndarray]
    hit_people: dict[int, np.ndarray]
    events: np.ndarray
    impostors_within: np.ndarray
    hits_within: np.ndarray

    @classmethod
    def of(cls, statistics: ProbeStatistics, people: Shaped[np.ndarray, " N"]) -> "_Sorted":
        order = np.argsort(statistics.impostor_distance, kind="stable")
        impostor = statistics.impostor_distance[order]
        by_distance = np.argsort(statistics.mated_distance, kind="stable")
        by_distance = by_distance[statistics.mated[by_distance]]
        found = {rank: by_distance[statistics.rank[by_distance] <= rank] for rank in RANKS}
        hits = {rank: statistics.mated_distance[probes] for rank, probes in found.items()}
        events = np.unique(np.concatenate([impostor, hits[1]]))
        return cls(
            impostor=impostor,
            impostor_people=people[order],
            mated_people=people[statistics.mated],
            hits=hits,
            hit_people={rank: people[probes] for rank, probes in found.items()},
            events=events,
            impostors_within=np.searchsorted(impostor, events, side="right"),
            hits_within=np.searchsorted(hits[1], events, side="right"),
        )


def _metrics(own: _Sorted, originals: _Sorted, weights: np.ndarray) -> dict[str, np.ndarray]:
    """All metrics under (B, P) weights of people: name -> (B,)."""
    rows = np.arange(len(weights))
    impostors = _cumulative(weights, own.impostor_people)
    hits = {rank: _cumulative(weights, own.hit_people[rank]) for rank in RANKS}
    everyone = impostors[:, -1]
    # As many as there are of each denominator; a resample without any mated probe has none right, not a division by 0.
    mated = np.maximum(weights[:, own.mated_people].sum(axis=1), 1)
    found = {}

    def rates(name: str, number: np.ndarray) -> None:
        found[name], found[f"{name}_all"] = number / mated, number / everyone

    rates("rank1", hits[1][:, -1])
    for name, far in FARS.items():
        below = np.searchsorted(own.hits[1], _bounds(own, impostors, far), side="left")
        rates(name, hits[1][rows, below])
    found["eer"], crossing = _equal_error(own, impostors, hits[1], mated)
    found["eer_all"], _ = _equal_error(own, impostors, hits[1], everyone)
    found["threshold"] = own.events[crossing]
    for rank in RANKS[1:]:
        within = np.searchsorted(own.hits[rank], found["threshold"], side="right")
        rates(f"dir_rank{rank}", hits[rank][rows, within])
    found["far"] = impostors[rows, own.impostors_within[crossing]] / everyone
    found["grr"] = 1.0 - found["far"]
    limit = _bounds(originals, _cumulative(weights, originals.impostor_people), FALSE_ACCEPT_FAR)
    accepted = impostors[rows, np.searchsorted(own.impostor, limit, side="left")]
    found["false_accepts"] = accepted * (len(own.impostor) / everyone)
    return found


def _cumulative(weights: np.ndarray, people: np.ndarray) -> np.ndarray:
    """(B, P) weights of people, (n,) the person of each probe -> (B, n + 1) weight of the first 0 to n probes."""
    total = np.zeros((len(weights), len(people) + 1), np.int32)
    np.cumsum(weights[:, people], axis=1, out=total[:, 1:])
    return total


def _bounds(probes: _Sorted, impostors: np.ndarray, far: float) -> np.ndarray:
    """The distance that the threshold must stay below lest FAR pass `far`: (B,), infinite if any threshold will do."""
    allowed = np.floor(far * impostors[:, -1] + 1e-9)
    rows = np.arange(len(impostors))
    first_too_many = _first(lambda index: impostors[rows, index + 1] > allowed, len(probes.impostor), len(impostors))
    return np.append(probes.impostor, np.inf)[first_too_many]


def _equal_error(
    own: _Sorted, impostors: np.ndarray, hits: np.ndarray, searched: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rate at which FAR = FRR, and the first event at or behind it: (B,) each. `searched` is the denominator of FRR."""
    rows = np.arange(len(impostors))
    everyone, searched = impostors[:, -1].astype(np.int64), searched.astype(np.int64)

    def at_or_behind(event: Shaped[np.ndarray, "..."]) -> np.ndarray:
        # FAR >= 1 - DIR, in whole numbers.
        accepted = impostors[rows, own.impostors_within[event]]
        return accepted * searched + hits[rows, own.hits_within[event]] * everyone >= everyone * searched

    after = _first(at_or_behind, len(own.events), len(impostors))
    before = np.maximum(after - 1, 0)
    far = impostors[rows, own.impostors_within[after]] / everyone
    gap = far - (1.0 - hits[rows, own.hits_within[after]] / searched)
    # Before the first event nothing is accepted and nobody found.
    far_before = np.where(after > 0, impostors[rows, own.impostors_within[before]] / everyone, 0.0)
    dir_before = np.where(after > 0, hits[rows, own.hits_within[before]] / searched, 0.0)
    gap_before = far_before - (1.0 - dir_before)
    share = -gap_before / (gap - gap_before)
    return far_before + share * (far - far_before), after


def _first(condition: Callable[[np.ndarray], np.ndarray], count: int, rows: int) -> np.ndarray:
    """The first index for which a condition holds that, once true, stays true; `count` where it never is: (rows,)."""
    low, high = np.zeros(rows, np.int64), np.full(rows, count, np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        true = condition(np.minimum(middle, count - 1)) & (middle < count)
        high = np.where(true, middle, high)
        low = np.where(true | (low == high), low, middle + 1)
    return low
