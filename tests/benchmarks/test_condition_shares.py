"""The share of a condition's mean, chosen by hand-worked galleries."""

import numpy as np
import pytest
from condition_shares import Trial, choose

from lowres_jax.evaluation.identification import enrolled_search, probe_statistics


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_a_search_by_hand() -> None:
    gallery = unit(np.asarray([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    probes = unit(np.asarray([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]))
    found = enrolled_search(probes, np.asarray([5, 5, 9]), gallery, np.asarray([5, 6, 7]))
    # The second probe: .8 like its own person, .6 and .96 like the others: one is nearer.
    np.testing.assert_allclose(found.mated_distance, [0.0, 0.2, np.inf], atol=1e-6)
    np.testing.assert_allclose(found.impostor_distance, [0.4, 0.04, 0.0], atol=1e-6)
    assert found.rank.tolist() == [1, 2, 4]
    assert found.mated.tolist() == [True, True, False]


def test_a_search_of_everybody_is_all_against_all() -> None:
    """With every image enrolled once more under its own name, the impostor side is that of all-against-all."""
    templates = unit(np.random.default_rng(0).normal(size=(300, 8)))
    labels = np.arange(300) // 3
    found = enrolled_search(templates, labels, templates, labels)
    expected = probe_statistics(templates, labels)
    np.testing.assert_allclose(found.impostor_distance, expected.impostor_distance, atol=2e-6)
    np.testing.assert_allclose(found.mated_distance, 0.0, atol=2e-6)


def test_one_person_is_no_gallery() -> None:
    one = np.ones((2, 1), np.float32)
    with pytest.raises(ValueError, match="at least two people"):
        enrolled_search(one, np.asarray([1, 2]), one, np.asarray([3, 3]))


@pytest.fixture(scope="module")
def shifted() -> tuple[Trial, np.ndarray, np.ndarray]:
    """Small faces that have much in common, and what is in the way of finding them."""
    generator = np.random.default_rng(1)
    people = generator.normal(size=(60, 16))
    labels = np.repeat(np.arange(40), 3)
    common = np.zeros(16)
    common[0] = 6.0
    originals = unit(people[labels] + 0.7 * generator.normal(size=(120, 16)))
    probes = unit(people[labels] + 0.7 * generator.normal(size=(120, 16)) + common)
    trial = Trial(labels, originals, unit(people[40:]), originals.mean(axis=0))
    return trial, probes, probes.mean(axis=0)


def test_a_shift_is_taken_away(shifted: tuple[Trial, np.ndarray, np.ndarray]) -> None:
    trial, probes, mean = shifted
    rates = {share: [trial.rate(probes, mean, share, 0.0, each) for each in (0, 20)] for share in (0.0, 0.5, 1.0)}
    assert rates[1.0][0] > rates[0.5][0] > rates[0.0][0]
    assert choose(rates) == 1.0


def test_a_rate_is_that_of_the_search(shifted: tuple[Trial, np.ndarray, np.ndarray]) -> None:
    trial, probes, mean = shifted
    first = np.arange(0, 120, 3)
    searched = np.setdiff1d(np.arange(120), first)
    # In a loop that is written down: the right person first, and nearer than 79 of 80 strangers' searches' nearest.
    gallery = np.concatenate([trial.originals[first], trial.strangers])
    similarity = probes[searched] @ gallery.T
    own = similarity[np.arange(80), trial.labels[searched]].copy()
    similarity[np.arange(80), trial.labels[searched]] = -1
    others = similarity.max(axis=1)
    expected = np.mean((own > others) & (own > np.sort(others)[-1]))
    assert trial.rate(probes, mean, 0.0, 0.0, 20) == pytest.approx(expected)


def test_what_harms_anywhere_is_not_chosen() -> None:
    assert choose({0.0: [0.5, 0.3], 0.5: [0.6, 0.3], 1.0: [0.9, 0.29]}) == 0.5
    assert choose({0.0: [0.5, 0.3], 0.5: [0.4, 0.9]}) == 0.0
    assert choose({0.0: [0.5], 0.5: [0.5]}) == 0.0
