"""Searches in galleries that are built as somebody's gallery is, of the people of a prepared set.

How often a stranger is named depends on how many are enrolled, on how many pictures each template is the mean of (a
mean is nearer to everybody than a single picture is), and on the sizes that faces were enlarged from. So people are
drawn and enrolled with as many pictures, of the same sizes, and everybody else is searched for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Integer, Shaped

# Galleries are drawn until so many searches were made, and so many people enrolled.
_SEARCHES, _ENROLMENTS = 20_000, 1_000
# Of pairs of two single pictures all are taken, but no more than so many.
_PAIRS = 4_000_000

# For each enrolled person the sizes in pixels that the pictures were enlarged from, 0 for those that were not.
Recipe = tuple[tuple[int, ...], ...]


def recipe_of(sizes: Sequence[Sequence[int]]) -> Recipe:
    """A gallery's recipe, whatever the order of its people: those with most pictures first."""
    return tuple(sorted((tuple(sorted(own)) for own in sizes), key=lambda own: (-len(own), own)))


@dataclass(frozen=True)
class Searches:
    """Results of the searches, as distances 1 - cosine.

    Attributes:
      impostor: (S,) to the nearest of the enrolled, from a search for somebody who is not.
      genuine: (G,) to the own template, from a search by another picture of somebody who is.
    """

    impostor: np.ndarray
    genuine: np.ndarray


def simulate(
    enrolled: Mapping[int, np.ndarray],
    probes: Shaped[np.ndarray, "n D"],
    labels: Shaped[np.ndarray, " n"],
    recipe: Recipe,
    seed: int,
    frames: int = 1,
) -> Searches:
    """Draws galleries and searches them with every image.

    Each search for a stranger is among exactly as many people as the recipe has: one more is drawn, and who is searched
    for drops out, or else the last one.

    Args:
      enrolled: size -> (n, D) unit vectors of the images as they are enrolled from that size.
      probes: (n, D) of the same images as they are searched for.
      labels: (n,) identities, more than the recipe has people.
      recipe: recipe of the gallery.
      seed: seed of the draw.
      frames: pictures of a stranger that are searched for as one, see `fused`. The enrolled are always searched for by
        single pictures, as there are not enough of them for more: of several, more are found.
    """
    strangers, stranger_rows = fused(probes, labels, frames, seed)
    if len(recipe) == 1 and len(recipe[0]) == 1:
        singles = _pairs(enrolled[recipe[0][0]], probes, labels, labels, seed)
        if frames == 1:
            return singles
        own = labels[stranger_rows]
        return Searches(_pairs(enrolled[recipe[0][0]], strangers, own, labels, seed).impostor, singles.genuine)
    people, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    images_of = np.split(np.argsort(inverse, kind="stable"), np.cumsum(counts)[:-1])
    generator = np.random.default_rng(seed)
    draws = max(-(-_SEARCHES // len(labels)), -(-_ENROLMENTS // len(recipe)))
    impostor, genuine = [], []
    for _ in range(draws):
        spare = recipe[int(generator.integers(len(recipe)))]
        wanted = [*recipe, spare]
        order = sorted(range(len(wanted)), key=lambda place: -len(wanted[place]))
        drawn = np.empty(len(wanted), np.int64)
        drawn[order] = assign([len(wanted[place]) for place in order], counts, generator.permutation(len(people)))
        templates = np.zeros((len(wanted), probes.shape[1]), np.float32)
        used = np.zeros(len(labels), bool)
        for place, (person, sizes) in enumerate(zip(drawn, wanted, strict=True)):
            chosen = generator.permutation(images_of[person])[: len(sizes)]
            used[chosen] = True
            total = sum(enrolled[size][image] for image, size in zip(chosen, sizes, strict=False))
            templates[place] = total / max(float(np.linalg.norm(total)), 1e-12)
        place_of = np.full(len(people), -1)
        place_of[drawn] = np.arange(len(drawn))
        own = place_of[inverse]
        similarity = probes.astype(np.float32) @ templates.T
        rows = np.arange(len(labels))
        mated = (own >= 0) & (own < len(recipe)) & ~used
        genuine.append(1.0 - similarity[rows[mated], own[mated]].astype(np.float64))
        if frames > 1:
            similarity = strangers.astype(np.float32) @ templates.T
            own = own[stranger_rows]
        similarity[np.arange(len(own)), np.where(own >= 0, own, len(recipe))] = -np.inf
        impostor.append(1.0 - similarity.max(axis=1).astype(np.float64))
    return Searches(np.concatenate(impostor), np.concatenate(genuine))


def fused(
    probes: Shaped[np.ndarray, "n D"], labels: Shaped[np.ndarray, " n"], frames: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means of several pictures of a person, as a track of frames gives one template.

    Photographs differ more than a video's frames do, and their mean is nearer to everybody: a threshold that holds for
    it is high enough for a track.

    Args:
      probes: (n, D) unit vectors.
      labels: (n,) identities.
      frames: pictures of each mean; 1 leaves the pictures as they are.
      seed: seed of the draw.

    Returns:
      (m, D) unit vectors, each of pictures that no other one has, so that none is counted twice, and the positions (m,)
      of each one's first picture.
    """
    if frames == 1:
        return probes, np.arange(len(labels))
    generator = np.random.default_rng(seed)
    groups = [np.empty((0, frames), np.int64)]
    for person in np.unique(labels):
        own = generator.permutation(np.flatnonzero(labels == person))
        groups.append(own[: len(own) // frames * frames].reshape(-1, frames))
    chosen = np.concatenate(groups)
    total = probes[chosen].sum(axis=1)
    means = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
    return means.astype(probes.dtype), chosen[:, 0]


def _pairs(
    enrolled: np.ndarray, probes: np.ndarray, probe_labels: np.ndarray, labels: np.ndarray, seed: int
) -> Searches:
    """All pairs of two images, as far as they are not too many: then those of some of the searched images."""
    count = len(labels)
    rows = np.arange(len(probes))
    if count * len(probes) > _PAIRS:
        rows = np.sort(np.random.default_rng(seed).permutation(len(probes))[: _PAIRS // count])
    distance = 1.0 - (probes[rows].astype(np.float32) @ enrolled.astype(np.float32).T).astype(np.float64)
    same = probe_labels[rows][:, None] == labels
    itself = rows[:, None] == np.arange(count)
    return Searches(distance[~same], distance[same & ~itself])


def assign(
    wanted: Sequence[int], counts: Shaped[np.ndarray, " P"], order: Shaped[np.ndarray, " P"]
) -> Integer[np.ndarray, " places"]:
    """People for the places of a gallery: somebody with as many pictures as wanted, as far as there is anybody left.

    Args:
      wanted: pictures of each place, descending; no more places than people.
      counts: (P,) pictures of each person.
      order: (P,) in which people come.

    Returns:
      (places,) persons, each once. Where nobody has enough pictures, those with most.
    """
    left = np.asarray(order)
    found = []
    values, numbers = np.unique(np.asarray(wanted), return_counts=True)
    for value, number in zip(values[::-1], numbers[::-1], strict=True):
        # Stable: among those with enough pictures the order decides.
        preferred = np.argsort(-np.minimum(counts[left], value), kind="stable")
        found.append(left[preferred[:number]])
        left = left[np.sort(preferred[number:])]
    return np.concatenate(found)


def choose_images(
    labels: Shaped[np.ndarray, " N"], detected: Bool[np.ndarray, " N"], limit: int, seed: int, pictures: Sequence[int]
) -> Integer[np.ndarray, " n"]:
    """Images of a set to use: as many people as possible, with as many pictures as a gallery's people have.

    Args:
      labels: (N,) identities.
      detected: (N,) bool: images without a face are not used.
      limit: largest number of images; 0 for all.
      seed: seed of the draw of people.
      pictures: numbers of pictures of each person of the gallery; at least two are taken, one to be searched for.

    Returns:
      Positions, ascending.
    """
    usable = np.flatnonzero(detected)
    if not limit or len(usable) <= limit:
        return usable
    people, inverse, counts = np.unique(labels[usable], return_inverse=True, return_counts=True)
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(people))
    quotas = np.resize(generator.permutation(np.maximum(pictures, 2)), len(people))
    quotas = np.sort(quotas[: max(int(np.searchsorted(np.cumsum(quotas), limit, side="right")), 1)])[::-1]
    quota = np.zeros(len(people), np.int64)
    quota[assign(quotas.tolist(), counts, order)] = quotas
    by_person = np.argsort(inverse, kind="stable")
    number = np.empty(len(usable), np.int64)  # of the image among its person's
    number[by_person] = np.arange(len(usable)) - np.repeat(np.cumsum(counts) - counts, counts)
    # First what the quotas say; what room is left goes to people with one image, then to further images.
    within = number < quota[inverse]
    place = np.empty(len(people), np.int64)
    place[order] = np.arange(len(people))
    ranked = np.lexsort((number, place[inverse], number // 2, ~within))
    return np.sort(usable[ranked[:limit]])
