"""Wrong labels planted among random people: exactly these are found, and none in a set without."""

import numpy as np
import pytest

from lowres_jax.matching.wrong_labels import find_wrong_labels

PEOPLE, EACH, DIMENSION = 120, 4, 64


@pytest.fixture
def templates() -> np.ndarray:
    """(480, 64) unit vectors: similarities of strangers are normal with a deviation of 1/8, own ones about .8."""
    generator = np.random.default_rng(3)
    centers = generator.normal(size=(PEOPLE, DIMENSION))
    found = np.repeat(centers, EACH, 0) + 0.5 * generator.normal(size=(PEOPLE * EACH, DIMENSION))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


LABELS = np.repeat(np.arange(PEOPLE), EACH)


def test_nothing_is_found_where_labels_are_right(templates: np.ndarray) -> None:
    found = find_wrong_labels(templates, LABELS)
    assert (found.same, found.shows) == ([], {})
    assert found.kept.all()
    np.testing.assert_array_equal(found.labels, LABELS)


def test_one_person_under_two_names_becomes_one(templates: np.ndarray) -> None:
    labels = LABELS.copy()
    labels[5] = 500  # one of person 1's four pictures
    found = find_wrong_labels(templates, labels)
    ((frequent, rare, alike),) = found.same
    assert (frequent, rare) == (1, 500)
    assert alike > 0.7
    np.testing.assert_array_equal(found.labels, LABELS)
    assert found.kept.all()


def test_a_picture_of_somebody_else_is_left_out(templates: np.ndarray) -> None:
    labels = LABELS.copy()
    labels[8] = 7  # person 2's picture under the name of person 7
    found = find_wrong_labels(templates, labels)
    assert found.same == []
    assert found.shows.keys() == {8}
    assert found.shows[8][0] == 2
    assert np.flatnonzero(~found.kept).tolist() == [8]


def test_of_few_pairs_nothing_is_said(templates: np.ndarray) -> None:
    labels = LABELS[:80].copy()
    labels[5] = 500
    assert find_wrong_labels(templates[:80], labels).same == []
