"""All-against-all: open-set identification in which every template is a probe against all the others.

Every template i is a probe twice: genuine (the rest of its identity is enrolled) and impostor (its identity is taken
out). Both follow from three numbers for each probe, so that one pass over the distances serves every threshold.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Bool, Float, Integer

from lowres_jax.utils.shapes import Labels, Templates

# Distances 1 - cosine are rounded to this grid, so that equal templates have equal distances whatever order a matrix
# product sums in: a tie must stay a tie, since ties count against the right identity.
_GRID = float(2**20)
_BLOCK = 256


@dataclass(frozen=True)
class ProbeStatistics:
    """The numbers that decide each probe, in the order of the templates.

    Attributes:
      mated_distance: (N,) ds_i: distance (1 - cosine) to the nearest other template of the same identity; infinite for
        a person with one image.
      impostor_distance: (N,) dd_i: distance to the nearest template of any other identity.
      rank: (N,) k_i = 1 + how many templates of other identities are as near as ds_i or nearer (ties count against
        the right identity); N + 1 where there is no mate.
    """

    mated_distance: np.ndarray
    impostor_distance: np.ndarray
    rank: np.ndarray

    @property
    def mated(self) -> Bool[np.ndarray, " N"]:
        """(N,) bool: whether a probe's person has another image."""
        return np.isfinite(self.mated_distance)


def probe_statistics(templates: Templates, labels: Labels, gallery: Templates | None = None) -> ProbeStatistics:
    """One streaming pass over all distances: blocks of probes against the whole gallery, shared out over all devices.

    Memory is O(block x N); an N x N array is never made.

    Args:
      templates: (N, D) float32 unit vectors.
      labels: (N,) integer identities, at least two different ones.
      gallery: (N, D) templates of the same images as they are enrolled, where they are others than those searched for
        (the searcher's case: good pictures are enrolled, small faces searched for); None: the same. An image is never
        compared with itself.

    Raises:
      ValueError: fewer than two identities, or templates that are not finite.
    """
    templates = np.asarray(templates, np.float32)
    gallery = templates if gallery is None else np.asarray(gallery, np.float32)
    identities = np.unique(labels, return_inverse=True)[1].astype(np.int32)
    if identities.max(initial=0) == 0:
        raise ValueError("all-against-all needs at least two identities")
    if not (np.isfinite(templates).all() and np.isfinite(gallery).all()):
        raise ValueError("a template is not finite")
    count = len(templates)
    devices = jax.local_devices()
    rows = -(-count // (_BLOCK * len(devices))) * _BLOCK * len(devices)
    # Padding rows come last, are cut off below, and never are gallery.
    probes = np.pad(templates, ((0, rows - count), (0, 0)))
    probe_identities = np.pad(identities, (0, rows - count), constant_values=-1)
    mesh = Mesh(np.asarray(devices), ("data",))
    mated, impostor, ahead = _all_against_all(
        mesh, probes, probe_identities, np.arange(rows, dtype=np.int32), gallery, identities
    )
    mated_distance = np.asarray(mated, np.float64)[:count] / _GRID
    has_mate = np.isfinite(mated_distance)
    return ProbeStatistics(
        mated_distance=mated_distance,
        impostor_distance=np.asarray(impostor, np.float64)[:count] / _GRID,
        rank=np.where(has_mate, 1 + np.asarray(ahead)[:count], count + 1),
    )


def enrolled_search(
    probes: Templates,
    labels: Labels,
    gallery: Float[np.ndarray, "people dimension"],
    enrolled: Integer[np.ndarray, " people"],
) -> ProbeStatistics:
    """Probes searched among enrolled people: each once with its own person in the gallery, once without.

    Args:
      probes: (N, D) float32 unit vectors.
      labels: (N,) identities.
      gallery: (P, D) templates of the enrolled, each person once or more.
      enrolled: (P,) their identities, at least two different ones; who is in no probe is a stranger to all of them.
    """
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(probes), _BLOCK)]
    parts = [
        search_statistics(probes[rows].astype(np.float32) @ gallery.astype(np.float32).T, labels[rows], enrolled)
        for rows in blocks
    ]
    return ProbeStatistics(
        np.concatenate([each.mated_distance for each in parts]),
        np.concatenate([each.impostor_distance for each in parts]),
        np.concatenate([each.rank for each in parts]),
    )


def search_statistics(
    similarity: Float[np.ndarray, "probes people"], labels: Labels, enrolled: Integer[np.ndarray, " people"]
) -> ProbeStatistics:
    """`enrolled_search` of probes whose similarity, (N, P), to everybody enrolled is known, however it was made."""
    if len(np.unique(enrolled)) < 2:
        raise ValueError("a search needs at least two people enrolled")
    distance = np.round((1.0 - similarity) * _GRID) / _GRID
    same = labels[:, None] == enrolled
    mated = np.where(same, distance, np.inf).min(axis=1)
    others = np.where(same, np.inf, distance)
    rank = np.where(np.isfinite(mated), 1 + np.sum(others <= mated[:, None], axis=1), len(enrolled) + 1)
    return ProbeStatistics(mated.astype(np.float64), others.min(axis=1).astype(np.float64), rank)


@functools.partial(jax.jit, static_argnums=0)
def _all_against_all(
    mesh: Mesh,
    probes: jax.Array,
    probe_identities: jax.Array,
    positions: jax.Array,
    gallery: jax.Array,
    gallery_identities: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    gallery_positions = jnp.arange(len(gallery), dtype=jnp.int32)

    def block(arguments: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        vectors, identities, own = arguments
        cosine = jnp.matmul(vectors, gallery.T, precision=jax.lax.Precision.HIGHEST)
        distance = jnp.round((1.0 - cosine) * _GRID)
        same = identities[:, None] == gallery_identities[None, :]
        itself = own[:, None] == gallery_positions[None, :]
        mated = jnp.min(jnp.where(same & ~itself, distance, jnp.inf), axis=1)
        others = jnp.where(same, jnp.inf, distance)
        ahead = jnp.sum(others <= mated[:, None], axis=1)
        return mated, jnp.min(others, axis=1), ahead

    def share(*arguments: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        blocks = tuple(array.reshape(-1, _BLOCK, *array.shape[1:]) for array in arguments)
        return tuple(result.reshape(-1) for result in jax.lax.map(block, blocks))

    split = PartitionSpec("data")
    return jax.shard_map(share, mesh=mesh, in_specs=(split,) * 3, out_specs=(split,) * 3, check_vma=False)(
        probes, probe_identities, positions
    )


@dataclass(frozen=True)
class OperatingPoints:
    """All operating points of one method: thresholds at each probe's dd, where FAR changes.

    Attributes:
      thresholds: (n,) distances, ascending.
      far: (n,) share of all probes with dd <= threshold.
      dir_rank1: (n,) DIR(threshold, 1) over the probes that have a mate.
    """

    thresholds: np.ndarray
    far: np.ndarray
    dir_rank1: np.ndarray


def detection_and_identification_rate(
    statistics: ProbeStatistics, threshold: float, rank: int, all_probes: bool = False
) -> float:
    """DIR(t, k): share of probes whose mate is within the threshold and among the first `rank`.

    Args:
      statistics: statistics of the probes.
      threshold: distance t, inclusive; infinite for the closed-set rate.
      rank: k.
      all_probes: over all |G| probes (the course's definition) instead of those that have a mate.
    """
    found = statistics.mated & (statistics.mated_distance <= threshold) & (statistics.rank <= rank)
    return float(found.sum() / (len(found) if all_probes else max(statistics.mated.sum(), 1)))


def false_accept_rate(statistics: ProbeStatistics, threshold: float) -> float:
    """FAR(t) = FPIR: share of all probes that are accepted as somebody else when their own identity is not enrolled."""
    return float(np.mean(statistics.impostor_distance <= threshold))


def threshold_at_far(statistics: ProbeStatistics, far: float) -> float:
    """The largest threshold with FAR(t) <= far: a hair below the first dd that would pass it."""
    distances = np.sort(statistics.impostor_distance)
    allowed = int(np.floor(far * len(distances) + 1e-9))
    return float(np.nextafter(distances[allowed], -np.inf)) if allowed < len(distances) else float("inf")


def cumulative_match(statistics: ProbeStatistics, ranks: int) -> Float[np.ndarray, " ranks"]:
    """CMC: DIR(inf, k) over mated probes for k = 1..ranks, (ranks,)."""
    mated_ranks = statistics.rank[statistics.mated]
    counts = np.bincount(np.minimum(mated_ranks, ranks + 1), minlength=ranks + 2)[1 : ranks + 1]
    return np.cumsum(counts) / max(len(mated_ranks), 1)


def operating_points(statistics: ProbeStatistics) -> OperatingPoints:
    """DIR at rank 1 against FAR, for the curves."""
    thresholds = np.unique(statistics.impostor_distance)
    far = np.searchsorted(np.sort(statistics.impostor_distance), thresholds, side="right") / len(statistics.rank)
    hits = np.sort(statistics.mated_distance[statistics.mated & (statistics.rank <= 1)])
    found = np.searchsorted(hits, thresholds, side="right") / max(int(statistics.mated.sum()), 1)
    return OperatingPoints(thresholds, far, found)
