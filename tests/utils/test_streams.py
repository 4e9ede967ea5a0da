"""No two purposes of a seed, and no two numbers of a purpose, ever see the same random numbers."""

import jax
import numpy as np

from lowres_jax.utils import streams


def test_streams_are_distinct_and_repeat() -> None:
    asked = [
        (seed, purpose, numbers)
        for seed in (0, 1)
        for purpose in ("shuffle", "row", "validation")
        for numbers in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))
    ]
    drawn = [
        tuple(streams.generator(seed, purpose, *numbers).integers(0, 2**62, 2)) for seed, purpose, numbers in asked
    ]
    assert len(set(drawn)) == len(asked)
    again = [
        tuple(streams.generator(seed, purpose, *numbers).integers(0, 2**62, 2)) for seed, purpose, numbers in asked
    ]
    assert drawn == again
    # NumPy's own rule: zeros at the end make no difference.
    one, other = (np.random.default_rng(seed).random() for seed in ((3,), (3, 0, 0)))
    assert one == other


def test_keys_are_distinct_of_what_is_folded_in() -> None:
    """The key of the first network was that of the first step once."""
    found = set()
    for seed in (0, 1):
        for purpose in ("generator", "discriminator", "recognizer", "head", "steps"):
            key = streams.key(seed, purpose)
            for each in (key, *(jax.random.fold_in(key, step) for step in range(8))):
                found.add(tuple(np.asarray(each).tolist()))
    assert len(found) == 2 * 5 * 9
