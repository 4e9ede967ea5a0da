"""Templates so alike that they are of one picture, found without comparing each with every other."""

import math

import numpy as np
from jaxtyping import Shaped

# So many are compared with each other; of more only those that fall together (5,000 templates take .2 s).
_COMPARED = 8192
_BLOCK = 1024
_MISSED = 1e-4


def near_copies(templates: Shaped[np.ndarray, "n D"], least: float) -> list[tuple[int, int]]:
    """Pairs of templates whose similarity reaches a bound.

    Many templates are first sorted by the sides of random planes on which they lie (Charikar 2002, "Similarity
    estimation techniques from rounding algorithms"), and only those are compared that lie on the same sides of as many
    planes as the logarithm of their number, in one of several draws: time grows as n log n. A pair of just the least
    similarity is then missed once in 10,000 times, of exact copies none.

    Args:
      templates: (n, D) of unit length.
      least: cosine.

    Returns:
      Positions (first, second) with first < second, ascending.
    """
    count, dimension = templates.shape
    found: set[tuple[int, int]] = set()
    if count <= _COMPARED:
        for start in range(0, count, _BLOCK):
            rows, columns = np.nonzero(templates[start : start + _BLOCK] @ templates.T >= least)
            pairs = zip((rows + start).tolist(), columns.tolist(), strict=True)
            found |= {(one, other) for one, other in pairs if one < other}
        return sorted(found)
    generator = np.random.default_rng(0)
    bits = math.ceil(math.log2(count))
    together = (1 - math.acos(least) / math.pi) ** bits
    for _ in range(math.ceil(math.log(_MISSED) / math.log1p(-together))):
        sides = templates @ generator.standard_normal((dimension, bits)).astype(np.float32) > 0
        keys = sides @ (np.int64(1) << np.arange(bits, dtype=np.int64))
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        # Neighbors, then those one further apart, and so on, as long as any have the same key.
        first = np.flatnonzero(keys[1:] == keys[:-1])
        distance = 1
        while len(first):
            one, other = order[first], order[first + distance]
            alike = np.einsum("ij,ij->i", templates[one], templates[other]) >= least
            found |= {(min(pair), max(pair)) for pair in zip(one[alike].tolist(), other[alike].tolist(), strict=True)}
            distance += 1
            first = first[first + distance < count]
            first = first[keys[first] == keys[first + distance]]
    return sorted(found)
