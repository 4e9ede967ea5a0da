"""Streams of random numbers: one for each purpose of a seed, so that no two purposes ever see the same numbers.

`np.random.default_rng` takes (seed,), (seed, 0) and (seed, 0, 0) for one seed, and `jax.random.split(key)[i]` is
`jax.random.fold_in(key, i)`; so a purpose's name, and how many numbers follow it, are part of every stream.
"""

import zlib

import jax
import numpy as np
from jaxtyping import Shaped


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A generator of its own.

    Args:
      seed: seed of the run, not negative.
      purpose: name of the random stream, as "shuffle".
      *numbers: which of many, as the epoch's; not negative.
    """
    return np.random.default_rng((seed, zlib.crc32(purpose.encode()), len(numbers), *numbers))


def key(seed: int, purpose: str) -> Shaped[jax.Array, " 2"]:
    """A key of JAX of its own, (2,) uint32; for one of many use `jax.random.fold_in` of it."""
    return jax.random.fold_in(jax.random.PRNGKey(seed), zlib.crc32(purpose.encode()))
