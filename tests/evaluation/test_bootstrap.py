"""Resampling without a second pass equals the literal thing: the protocols run on data in which units are repeated.

Covers `evaluation/identification_bootstrap.py`, `evaluation/verification_bootstrap.py` too.
"""

import numpy as np
import pytest

from lowres_jax.evaluation import bootstrap, identification, identification_bootstrap, verification
from lowres_jax.evaluation import verification_bootstrap as pair_resamples
from lowres_jax.evaluation.identification import ProbeStatistics


def statistics_of(seed: int, noise: float, decimals: int = 9) -> tuple[ProbeStatistics, np.ndarray]:
    """Probes of 30 people, a third of them with one image only; coarse decimals make ties."""
    shared = np.random.default_rng(99)
    people = np.concatenate([np.arange(30), shared.integers(0, 20, 90)])
    centers = shared.normal(size=(30, 8))
    templates = centers[people] + noise * np.random.default_rng(seed).normal(size=(120, 8))
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    found = identification.probe_statistics(templates.astype(np.float32), people)
    rounded = ProbeStatistics(
        np.round(found.mated_distance, decimals), np.round(found.impostor_distance, decimals), found.rank
    )
    return rounded, people


def repeated(statistics: ProbeStatistics, times: np.ndarray) -> ProbeStatistics:
    return ProbeStatistics(
        *(np.repeat(values, times) for values in (statistics.mated_distance, statistics.impostor_distance)),
        np.repeat(statistics.rank, times),
    )


def literal_metrics(statistics: ProbeStatistics, originals: ProbeStatistics, size: int) -> dict[str, float]:
    """Threshold by threshold, with the functions of `identification` only."""

    def rate(threshold: float, rank: int, everyone: bool) -> float:
        return identification.detection_and_identification_rate(statistics, threshold, rank, everyone)

    thresholds = np.unique(
        np.concatenate([[-1.0], statistics.impostor_distance, statistics.mated_distance[statistics.mated]])
    )
    far = np.asarray([identification.false_accept_rate(statistics, threshold) for threshold in thresholds])
    found = {}
    for suffix, everyone in (("", False), ("_all", True)):
        found["rank1" + suffix] = rate(np.inf, 1, everyone)
        for name, target in (("dir_at_far_1e-2", 0.01), ("dir_at_far_1e-1", 0.1)):
            found[name + suffix] = rate(identification.threshold_at_far(statistics, target), 1, everyone)
        frr = 1.0 - np.asarray([rate(threshold, 1, everyone) for threshold in thresholds])
        found["eer" + suffix] = verification.equal_error_rate(far, frr)
    frr = 1.0 - np.asarray([rate(threshold, 1, False) for threshold in thresholds])
    found["threshold"] = thresholds[np.argmax(far - frr >= -1e-12)]
    found["far"] = identification.false_accept_rate(statistics, found["threshold"])
    found["grr"] = 1.0 - found["far"]
    for rank in (5, 15):
        found[f"dir_rank{rank}"] = rate(found["threshold"], rank, False)
        found[f"dir_rank{rank}_all"] = rate(found["threshold"], rank, True)
    limit = identification.threshold_at_far(originals, 0.01)
    found["false_accepts"] = size * identification.false_accept_rate(statistics, limit)
    return found


@pytest.mark.parametrize(("noise", "decimals"), [(0.4, 9), (1.0, 9), (0.8, 1), (0.01, 9)])
def test_identification_equals_repeated_probes(noise: float, decimals: int) -> None:
    originals, people = statistics_of(1, noise / 2, decimals)
    statistics, _ = statistics_of(2, noise, decimals)
    counts = bootstrap.draw_counts(30, 12, seed=5)
    estimate = identification_bootstrap.estimate(statistics, originals, people, counts)
    assert estimate.metrics == pytest.approx(literal_metrics(statistics, originals, 120), abs=1e-12)
    for resample, drawn in enumerate(counts):
        times = drawn[people]
        expected = literal_metrics(repeated(statistics, times), repeated(originals, times), 120)
        del expected["threshold"]
        found = {name: samples[resample] for name, samples in estimate.samples.items()}
        assert found == pytest.approx(expected, abs=1e-12), resample


def test_blocks_of_resamples_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    statistics, people = statistics_of(3, 0.7)
    counts = bootstrap.draw_counts(30, 50, seed=0)
    whole = identification_bootstrap.estimate(statistics, statistics, people, counts)
    monkeypatch.setattr(identification_bootstrap, "_BLOCK_NUMBERS", 7 * 120)
    parts = identification_bootstrap.estimate(statistics, statistics, people, counts)
    for name, samples in whole.samples.items():
        np.testing.assert_array_equal(samples, parts.samples[name])


def literal_pairs(
    scores: np.ndarray, originals: np.ndarray, same: np.ndarray, folds: np.ndarray, drawn: np.ndarray
) -> dict[str, float]:
    """The protocol on a list of folds, some of them several times, some not at all."""
    copies = [fold for fold, times in enumerate(drawn) for _ in range(times)]
    right = []
    for fold in copies:
        others = [other for other in copies if other != fold] or [f for f in range(len(drawn)) if f != fold]
        threshold = verification.best_threshold(
            np.concatenate([scores[folds == other] for other in others]),
            np.concatenate([same[folds == other] for other in others]),
        )
        right.append(np.mean((scores[folds == fold] > threshold) == same[folds == fold]))
    chosen = np.concatenate([np.flatnonzero(folds == fold) for fold in copies])
    far, tar = verification.roc(scores[chosen], same[chosen])
    impostors = np.sort(originals[chosen][~same[chosen]])[::-1]
    limit = impostors[int(np.floor(0.01 * len(impostors)))]
    return {
        "accuracy": float(np.mean(right)),
        "auc": float(np.trapezoid(tar, far)),
        "eer": verification.equal_error_rate(far, 1 - tar),
        "tar_at_far_1e-2": tar[far <= 1e-2].max(),
        "tar_at_far_1e-3": tar[far <= 1e-3].max(),
        "false_accepts": np.mean(scores[chosen][~same[chosen]] > limit) * (~same).sum(),
    }


@pytest.mark.parametrize("decimals", [9, 1])
@pytest.mark.parametrize("folds_of", [np.arange(240) // 40, np.arange(240) % 13 % 7])
def test_pairs_equal_the_protocol_on_repeated_folds(decimals: int, folds_of: np.ndarray) -> None:
    generator = np.random.default_rng(4)
    same = np.arange(240) % 2 == 0
    originals = np.round(generator.normal(size=240) + 3 * same, decimals)
    scores = np.round(originals + generator.normal(size=240), decimals)
    number = len(np.unique(folds_of))
    counts = bootstrap.draw_counts(number, 40, seed=1)
    # The rarest cases: all draws are one fold, or two.
    counts[0], counts[1] = 0, 0
    counts[0, 2] = number
    counts[1, :2] = 1, number - 1
    estimate = pair_resamples.estimate(scores, originals, same, folds_of, counts)
    expected = literal_pairs(scores, originals, same, folds_of, np.ones(number, int))
    result = verification.evaluate_pairs(scores, same, folds_of)
    assert {name: estimate.metrics[name] for name in expected} == pytest.approx(expected)
    assert (result.accuracy, result.auc, result.eer) == pytest.approx(
        (estimate.metrics["accuracy"], estimate.metrics["auc"], estimate.metrics["eer"])
    )
    assert estimate.metrics["accuracy_se"] == result.accuracy_se
    assert "accuracy_se" not in estimate.samples
    for resample, drawn in enumerate(counts):
        found = {name: samples[resample] for name, samples in estimate.samples.items()}
        assert found == pytest.approx(literal_pairs(scores, originals, same, folds_of, drawn)), resample


def test_few_folds_get_no_interval() -> None:
    generator = np.random.default_rng(0)
    same, folds = np.arange(50) % 2 == 0, np.arange(50) // 10
    scores = generator.normal(size=50) + same
    estimate = pair_resamples.estimate(scores, scores, same, folds, bootstrap.draw_counts(5, 10, 0))
    assert estimate.samples == {}
    assert estimate.metrics["accuracy"] == verification.evaluate_pairs(scores, same, folds).accuracy


def test_counts_are_seeded_draws_with_replacement() -> None:
    counts = bootstrap.draw_counts(40, 500, seed=3)
    assert (counts.sum(axis=1) == 40).all()
    np.testing.assert_array_equal(counts, bootstrap.draw_counts(40, 500, seed=3))
    assert (counts != bootstrap.draw_counts(40, 500, seed=4)).any()
    # A unit is left out of a resample with probability (1 - 1/40)^40.
    assert (counts == 0).mean() == pytest.approx((1 - 1 / 40) ** 40, abs=0.01)


def test_intervals_by_hand() -> None:
    samples = np.arange(1001.0)
    assert bootstrap.interval(samples) == pytest.approx((25.0, 975.0))
    method = bootstrap.Estimate({"x": 5.0}, {"x": samples + np.tile([0.5, 1.5], 501)[:1001]})
    reference = bootstrap.Estimate({"x": 4.0}, {"x": samples})
    # Paired: the wide spread that both share is gone.
    assert bootstrap.difference(method, reference, "x") == pytest.approx((1.0, 0.5, 1.5))


def test_means_weigh_people_by_their_images() -> None:
    values, people = np.asarray([1.0, 3.0, 8.0]), np.asarray([0, 0, 1])
    estimate = bootstrap.mean_estimate({"psnr": values}, people, np.asarray([[1, 1], [2, 0], [0, 2], [1, 0]]))
    assert estimate.metrics == {"psnr": 4.0}
    np.testing.assert_allclose(estimate.samples["psnr"], [4.0, 2.0, 8.0, 2.0])


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(size=400)
    estimate = bootstrap.mean_estimate({"m": values}, np.arange(400), bootstrap.draw_counts(400, 2000, 0))
    low, high = bootstrap.interval(estimate.samples["m"])
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)


def test_one_false_accept_against_none_is_no_difference() -> None:
    """Every resample with the one in it has it: the bootstrap's bound is the estimate itself."""
    one = bootstrap.Estimate({"false_accepts": 1.0}, {"false_accepts": np.ones(1000)})
    none = bootstrap.Estimate({"false_accepts": 0.0}, {"false_accepts": np.zeros(1000)})
    value, low, high = bootstrap.difference(one, none, "false_accepts")
    assert value == 1.0
    assert low < 0 < high
    assert bootstrap.difference(none, one, "false_accepts") == pytest.approx((-value, -high, -low))
    # Clopper and Pearson, by hand: 0 of 6 has the upper bound 1 - .025^(1/6) = .4593, so that 6 against 0 is one.
    assert bootstrap.rare_counts_interval(6, 0) == pytest.approx((6 * (2 * (1 - 0.45926) - 1), 6.0), abs=1e-3)
    assert bootstrap.rare_counts_interval(6, 0)[0] > 0
    assert bootstrap.rare_counts_interval(5, 0)[0] < 0
    assert bootstrap.rare_counts_interval(0, 0) == (0.0, 0.0)


@pytest.mark.parametrize("mean", [0.5, 2.0, 8.0, 40.0])
def test_equal_rates_of_rare_events_are_told_apart_in_one_of_twenty_cases_at_most(mean: float) -> None:
    draws = np.random.default_rng(0).poisson(mean, size=(4000, 2))
    bounds = {pair: bootstrap.rare_counts_interval(*pair) for pair in {(int(a), int(b)) for a, b in draws}}
    excluded = np.mean([not bounds[int(a), int(b)][0] <= 0 <= bounds[int(a), int(b)][1] for a, b in draws])
    assert excluded <= 0.05


def test_a_rate_of_three_times_as_many_is_told_apart() -> None:
    draws = np.random.default_rng(1).poisson((30.0, 10.0), size=(500, 2))
    found = [bootstrap.rare_counts_interval(int(a), int(b))[0] > 0 for a, b in draws]
    assert np.mean(found) > 0.8
