"""Splits of records: held-out people, and the choice of sharp crops of Orsini and Rossi 2022."""

import numpy as np
import pytest

from lowres_jax.data.splits import choose_sharp, split_identities
from lowres_jax.errors import UserError


def test_nobody_is_on_both_sides() -> None:
    labels = np.repeat(np.arange(20), 3)
    split = split_identities(labels, 0.1, seed=0)

    held = set(labels[split.validation].tolist())
    assert len(held) == 2
    assert not held & set(labels[split.training].tolist())
    assert sorted([*split.training, *split.validation]) == list(range(60))
    other = split_identities(labels, 0.1, seed=1)
    assert set(labels[other.validation].tolist()) != held


def test_holding_out_nobody_or_too_many() -> None:
    labels = np.asarray([0, 0, 1])
    assert split_identities(labels, 0.0, seed=0).validation.tolist() == []
    # Somebody is held out wherever anybody is asked for.
    assert len(set(labels[split_identities(labels, 0.01, seed=0).validation].tolist())) == 1
    for share in (0.9, 1.0, -0.1):
        with pytest.raises(UserError, match=r"config\.held_out"):
            split_identities(labels, share, seed=0)


def test_sharp_crops_are_drawn_among_those_above_the_threshold() -> None:
    sharpness = np.arange(0.0, 100.0)
    positions = np.arange(0, 100, 2)
    chosen = choose_sharp(sharpness, positions, threshold=60.0, count=5, seed=0)

    assert len(set(chosen.tolist())) == 5
    assert chosen.tolist() == sorted(chosen.tolist())
    assert set(chosen.tolist()) <= set(range(60, 100, 2))
    assert choose_sharp(sharpness, positions, 60.0, 0, seed=0).tolist() == list(range(60, 100, 2))
    assert choose_sharp(sharpness, positions, 60.0, 5, seed=1).tolist() != chosen.tolist()


def test_too_few_sharp_crops_are_counted() -> None:
    sharpness = np.arange(0.0, 100.0)
    with pytest.raises(
        UserError, match=r"config\.sharpness=95: only 5 of 100 crops .* config\.crops=10 .*10 are above 90"
    ):
        choose_sharp(sharpness, np.arange(100), 95.0, 10, seed=0)
    with pytest.raises(UserError, match=r"only 0 of 100 crops"):
        choose_sharp(sharpness, np.arange(100), 500.0, 0, seed=0)
