"""Faces of nobody known put together by likeness, so that an archive can be sorted."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped
from scipy.cluster import hierarchy
from scipy.spatial.distance import pdist

from lowres_jax.matching.search import Answer


def group_unknown(answers: Sequence[Answer], similarity: float) -> list[int]:
    """Groups faces and tracks that were given no name: average linkage of cosine distances.

    Two groups are joined while the mean similarity between them reaches a threshold: one false likeness of two faces
    joins no two people, as it would by the nearest pair.

    Args:
      answers: one for each face or track.
      similarity: the threshold, from which on two pictures show one person.

    Returns:
      For each answer the number of its group, from 1 by its first face; 0 for who has a name, or is alone.
    """
    places = [number for number, answer in enumerate(answers) if not answer.accepted]
    groups = [0] * len(answers)
    if len(places) < 2:
        return groups
    templates = np.stack([answers[place].view.as_enrolled for place in places])
    found = clusters(templates, similarity)
    numbers: dict[int, int] = {}
    for place, cluster in zip(places, found.tolist(), strict=True):
        if np.sum(found == cluster) > 1:
            groups[place] = numbers.setdefault(cluster, len(numbers) + 1)
    return groups


def clusters(templates: Shaped[np.ndarray, "n D"], similarity: float) -> Shaped[np.ndarray, " n"]:
    """Unit vectors (n, D), two or more, -> (n,) the number of each one's cluster, see `group_unknown`."""
    tree = hierarchy.linkage(pdist(templates.astype(np.float64), "cosine"), "average")
    return hierarchy.fcluster(tree, 1.0 - similarity, "distance")
