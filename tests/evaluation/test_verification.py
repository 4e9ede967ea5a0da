"""Verification against hand-worked numbers and scikit-learn."""

import tracemalloc

import numpy as np
import pytest
from sklearn import metrics

from lowres_jax.evaluation import verification


def test_best_threshold_by_hand() -> None:
    # Impostors .1 .2 .4, genuine .3 .5 .6: thresholds .25 (one impostor accepted) and .45 (one genuine rejected) tie
    # at 5 of 6; the lower of the two middle ones is taken.
    scores = np.asarray([0.1, 0.2, 0.4, 0.3, 0.5, 0.6])
    same = np.asarray([False, False, False, True, True, True])
    assert verification.best_threshold(scores, same) == pytest.approx(0.25)
    assert verification.best_threshold(np.asarray([0.1, 0.9]), np.asarray([False, True])) == pytest.approx(0.5)
    assert verification.best_threshold(np.full(4, 0.5), np.asarray([True, False] * 2)) == 0.5


def test_best_threshold_is_the_middle_of_equally_good_ones() -> None:
    # A gap between .2 and .8 holds nothing; between .8 and .9 lies one of each kind: three thresholds, two best.
    scores = np.asarray([0.2, 0.4, 0.4, 0.6, 0.6, 0.8])
    same = np.asarray([False, False, True, False, True, True])
    assert verification.best_threshold(scores, same) == pytest.approx(0.5)


def test_best_threshold_is_exact() -> None:
    generator = np.random.default_rng(1)
    scores = np.round(generator.normal(size=400), 2)
    same = generator.random(400) < 1 / (1 + np.exp(-2 * scores))
    values = np.unique(scores)
    accuracies = [np.mean((scores > t) == same) for t in (values[1:] + values[:-1]) / 2]
    best = verification.best_threshold(scores, same)
    assert np.mean((scores > best) == same) == max(accuracies)


def test_folds_by_hand() -> None:
    # Fold 1's threshold comes from folds 2 and 3, and so on.
    scores = np.asarray([0.9, 0.1, 0.8, 0.2, 0.45, 0.4])
    same = np.asarray([True, False] * 3)
    result = verification.evaluate_pairs(scores, same, np.asarray([1, 1, 2, 2, 3, 3]))
    np.testing.assert_allclose(result.fold_thresholds, [0.425, 0.425, 0.5])
    np.testing.assert_allclose(result.fold_accuracies, [1.0, 1.0, 0.5])
    assert result.accuracy == pytest.approx(5 / 6)
    assert result.accuracy_se == pytest.approx(np.std([1, 1, 0.5], ddof=1) / np.sqrt(3))
    np.testing.assert_allclose(result.thresholds_of(np.asarray([3, 1])), [0.5, 0.425])


@pytest.mark.parametrize("decimals", [1, 6])
def test_roc_equals_scikit_learn(decimals: int) -> None:
    generator = np.random.default_rng(decimals)
    same = np.arange(600) % 2 == 0
    scores = np.round(generator.normal(size=600) + same, decimals)
    result = verification.evaluate_pairs(scores, same, np.arange(600) // 60)
    assert result.auc == pytest.approx(metrics.roc_auc_score(same, scores))
    far, tar, _ = metrics.roc_curve(same, scores, drop_intermediate=False)
    np.testing.assert_allclose(result.far, far)
    np.testing.assert_allclose(result.tar, tar)


def test_equal_error_rate_by_hand() -> None:
    # Between (FAR .1, FRR .3) and (FAR .4, FRR .2): difference -.2 to .2, so half way: .25.
    assert verification.equal_error_rate(np.asarray([0, 0.1, 0.4]), np.asarray([1, 0.3, 0.2])) == pytest.approx(0.25)
    assert verification.equal_error_rate(np.asarray([0.0, 0.2, 1.0]), np.asarray([1.0, 0.2, 0.0])) == pytest.approx(0.2)


def test_made_pairs_are_disjoint_and_balanced() -> None:
    labels = np.repeat(np.arange(40), 10)
    pairs, same, folds = verification.make_pairs(labels, 10, 120, seed=0)
    assert len(pairs) == 1200
    assert (np.bincount(folds)[1:] == 120).all()
    assert (same == (labels[pairs[:, 0]] == labels[pairs[:, 1]])).all()
    assert same.mean() == 0.5
    people = [set(labels[pairs[folds == fold]].ravel()) for fold in range(1, 11)]
    assert sum(len(members) for members in people) == len(set.union(*people)) == 40
    assert len({tuple(pair) for pair in pairs}) == 1200
    np.testing.assert_array_equal(pairs, verification.make_pairs(labels, 10, 120, seed=0)[0])


def test_errors() -> None:
    with pytest.raises(ValueError, match="two folds"):
        verification.evaluate_pairs(np.ones(2), np.asarray([True, False]), np.ones(2))
    with pytest.raises(ValueError, match="not finite"):
        verification.evaluate_pairs(np.asarray([1, np.nan]), np.asarray([True, False]), np.asarray([1, 2]))
    with pytest.raises(ValueError, match="too few"):
        verification.make_pairs(np.arange(3), 2, 10, 0)
    with pytest.raises(ValueError, match="5 people with two images or more are too few for 3 folds"):
        verification.make_pairs(np.asarray([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, *range(5, 100)]), 3, 10, 0)
    with pytest.raises(ValueError, match="2 folds of 1 pairs cannot be"):
        verification.make_pairs(np.repeat(np.arange(8), 2), 2, 1, 0)


def test_made_pairs_are_of_people_with_two_images_and_can_be_all_there_are() -> None:
    # Two folds of two people; persons 4 and 5 have one image each.
    labels = np.asarray([0, 4, 1, 2, 0, 3, 1, 2, 5, 3, 0])
    pairs, same, folds = verification.make_pairs(labels, 2, 1000, seed=1)
    assert not np.isin(labels[pairs], [4, 5]).any()
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len({tuple(pair) for pair in pairs}) == len(pairs)
    np.testing.assert_array_equal(same, labels[pairs[:, 0]] == labels[pairs[:, 1]])
    for fold in (1, 2):
        members = np.flatnonzero(np.isin(labels, labels[pairs[folds == fold]]))
        # Both halves are as long as the shorter list of all pairs: of one person, 1 + 1 or 3 + 1 of them.
        of_one = {(a, b) for a in members for b in members if a < b and labels[a] == labels[b]}
        assert {tuple(pair) for pair in pairs[(folds == fold) & same]} == of_one
        assert (folds == fold).sum() == 2 * len(of_one)


def test_pairs_of_many_images_are_drawn_without_writing_all_down() -> None:
    labels = np.repeat(np.arange(8000), 10)
    tracemalloc.start()
    pairs, same, _ = verification.make_pairs(labels, 10, 600, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # a fold's 32 million pairs would take 512 MB
    np.testing.assert_array_equal(same, labels[pairs[:, 0]] == labels[pairs[:, 1]])
    # Drawn from everywhere: the places of first and second images are spread evenly.
    assert abs(pairs[~same].mean() / len(labels) - 0.5) < 0.02
