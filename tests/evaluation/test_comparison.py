"""A comparison of methods whose templates are known: rows, differences, subsets of folds, examples for the report."""

import numpy as np
import pytest
from comparisons import BICUBIC, GOOD, HR
from ml_collections import ConfigDict

from lowres_jax.errors import UserError
from lowres_jax.evaluation import comparison, identification, verification
from lowres_jax.evaluation.evaluation_set import EvaluationSet
from lowres_jax.evaluation.measurement import Measurement, Method
from lowres_jax.evaluation.protocols import Protocols
from lowres_jax.report.comparison import comparison_report
from lowres_jax.report.comparison.findings import mark
from lowres_jax.report.comparison.table import SEARCHER, group_rows, print_table


def test_there_is_a_row_for_everything(rows: dict[tuple, dict]) -> None:
    expected = {
        (size, upscaler, protocol)
        for size, upscalers in ((32, ("none", "srresnet", "bicubic", "bilinear", "raw")), (16, ("none", "bicubic")))
        for upscaler in upscalers
        for protocol in ("all_against_all", "lfw", "image_quality")
        if (upscaler, protocol) != ("none", "image_quality")
    }
    assert set(rows) == expected


def test_values_are_those_of_the_protocols(
    subjects: EvaluationSet, measurements: dict[Method, Measurement], rows: dict[tuple, dict]
) -> None:
    templates = measurements[BICUBIC].templates
    statistics = identification.probe_statistics(templates, subjects.labels)
    threshold = identification.threshold_at_far(statistics, 0.01)
    metrics = rows[32, "bicubic", "all_against_all"]["metrics"]
    rate = identification.detection_and_identification_rate
    assert metrics["dir_at_far_1e-2"] == pytest.approx(rate(statistics, threshold, 1))
    assert metrics["dir_at_far_1e-2_all"] == pytest.approx(rate(statistics, threshold, 1, all_probes=True))
    assert metrics["rank1_all"] == pytest.approx(metrics["rank1"] * 264 / 268)
    originals = identification.probe_statistics(measurements[HR].templates, subjects.labels)
    limit = identification.threshold_at_far(originals, 0.01)
    assert metrics["false_accepts"] == (statistics.impostor_distance <= limit).sum()
    first, second = (templates[subjects.pairs[:, side]].astype(np.float64) for side in (0, 1))
    result = verification.evaluate_pairs((first * second).sum(axis=1), subjects.same, subjects.folds)
    metrics = rows[32, "bicubic", "lfw"]["metrics"]
    assert (metrics["accuracy"], metrics["accuracy_se"]) == pytest.approx((result.accuracy, result.accuracy_se))
    assert metrics["auc"] == pytest.approx(result.auc)
    quality = rows[32, "bicubic", "image_quality"]["metrics"]
    assert quality["psnr"] == pytest.approx(measurements[BICUBIC].psnr.mean(), abs=1e-5)
    assert quality["images_per_second"] == 134
    cosine = (templates.astype(np.float64) * measurements[HR].templates).sum(axis=1).mean()
    assert quality["identity_cosine"] == pytest.approx(cosine, abs=1e-6)
    assert set(rows[32, "raw", "image_quality"]["metrics"]) == {"identity_cosine"}


def test_differences_tell_the_methods_apart(rows: dict[tuple, dict]) -> None:
    def difference(upscaler: str, protocol: str, name: str, size: int = 32) -> list[float]:
        return rows[size, upscaler, protocol]["difference"]["bicubic"][name]

    for protocol, name in (("all_against_all", "dir_at_far_1e-2"), ("lfw", "accuracy"), ("image_quality", "psnr")):
        value, low, high = difference("srresnet", protocol, name)
        assert 0 < low <= value <= high
        assert value == pytest.approx(
            rows[32, "srresnet", protocol]["metrics"][name] - rows[32, "bicubic", protocol]["metrics"][name], abs=1e-5
        )
    _, low, high = difference("raw", "all_against_all", "dir_at_far_1e-2")
    assert high < 0
    _, low, high = difference("bilinear", "lfw", "accuracy")
    assert low < 0 < high
    # The originals stand at each size against the references of that size: nearer to bicubic at 32 px than at 16.
    metrics = [rows[size, "none", "all_against_all"]["metrics"] for size in (32, 16)]
    assert metrics[0] == metrics[1]
    assert difference("none", "lfw", "auc", 32)[0] < difference("none", "lfw", "auc", 16)[0]
    assert set(rows[32, "bicubic", "lfw"]["difference"]) == {"bilinear"}
    assert set(rows[16, "bicubic", "lfw"]["difference"]) == set()
    # Paired: the interval of the difference is narrower than that of two independent methods would be.
    metric = "dir_at_far_1e-1"
    own = [np.ptp(rows[32, each, "all_against_all"]["interval"][metric]) for each in ("bilinear", "bicubic")]
    _, low, high = difference("bilinear", "all_against_all", metric)
    assert high - low < 0.8 * np.hypot(*own)


def test_the_searchers_case(subjects: EvaluationSet, measurements: dict[Method, Measurement]) -> None:
    chosen = {method: measurements[method] for method in (HR, BICUBIC, GOOD)}
    found = comparison.judge(
        "sface",
        chosen.items(),
        subjects,
        resamples=50,
        seed=0,
        protocols=Protocols(("all_against_all", "lfw", "lfw_searcher", "searcher")),
    )
    rows = {(row["upscaler"], row["protocol"]): row for row in comparison.rows("sface", found, subjects)}
    # Of the originals it is all-against-all itself; a method's probes are searched for among the originals.
    assert rows["none", "searcher"]["metrics"] == rows["none", "all_against_all"]["metrics"]
    crossed = identification.probe_statistics(
        measurements[GOOD].templates[subjects.images], subjects.labels, measurements[HR].templates[subjects.images]
    )
    threshold = identification.threshold_at_far(crossed, 0.01)
    expected = identification.detection_and_identification_rate(crossed, threshold, 1)
    own = rows["srresnet", "searcher"]
    assert own["metrics"]["dir_at_far_1e-2"] == pytest.approx(expected)
    assert own["metrics"] != rows["srresnet", "all_against_all"]["metrics"]
    assert len(own["difference"]["bicubic"]["dir_at_far_1e-2"]) == 3
    # Of a pair only the second picture is small.
    assert rows["none", "lfw_searcher"]["metrics"] == rows["none", "lfw"]["metrics"]
    first, second = subjects.images[subjects.pairs].T
    scores = (measurements[HR].templates[first].astype(np.float64) * measurements[GOOD].templates[second]).sum(axis=1)
    pairs = rows["srresnet", "lfw_searcher"]
    expected_pairs = verification.evaluate_pairs(scores, subjects.same, subjects.folds)
    assert pairs["metrics"]["auc"] == pytest.approx(expected_pairs.auc)
    assert pairs["metrics"]["auc"] != rows["srresnet", "lfw"]["metrics"]["auc"]
    assert pairs["folds"] == rows["srresnet", "lfw"]["folds"]
    printed = print_table({"rows": list(rows.values())})
    assert "32 px, SFace: originals enrolled, small faces searched for" in printed
    assert mark(group_rows({"rows": list(rows.values())})[0], "srresnet", *SEARCHER) is not None


def test_a_recognizer_of_small_faces_beside_the_usual_one(
    subjects: EvaluationSet, measurements: dict[Method, Measurement]
) -> None:
    """Its templates are here those of the better method: it gains what that method gains."""
    usual = {method: measurements[method] for method in (HR, BICUBIC, GOOD)}
    small = {HR: measurements[HR], BICUBIC: measurements[GOOD], GOOD: measurements[GOOD]}
    protocols = Protocols(("searcher",))
    judged = {
        name: comparison.judge(name, each.items(), subjects, resamples=50, seed=0, protocols=protocols)
        for name, each in (("usual", usual), ("small", small))
    }
    of_usual = comparison.rows("usual", judged["usual"], subjects)
    of_small = comparison.rows("small", judged["small"], subjects, beside=("usual", judged["usual"]))
    gained, same = (
        next(row for row in of_small if (row["upscaler"], row["protocol"]) == (name, "searcher"))
        for name in ("bicubic", "srresnet")
    )
    expected = next(row for row in of_usual if (row["upscaler"], row["protocol"]) == ("srresnet", "searcher"))
    name = "dir_at_far_1e-2"
    assert gained["difference"]["usual"][name] == expected["difference"]["bicubic"][name]
    assert gained["difference"]["usual"][name][0] > 0.1
    assert same["difference"]["usual"][name] == [0.0, 0.0, 0.0]
    assert not any("usual" in row["difference"] for row in of_usual)


def test_counts_and_the_table(rows: dict[tuple, dict]) -> None:
    row = rows[32, "srresnet", "lfw"]
    assert (row["images"], row["folds"], row["undetected"]) == (268, 8, 3)
    assert rows[32, "srresnet", "all_against_all"]["folds"] is None
    groups = group_rows({"rows": list(rows.values())})
    assert [(group.lr_size, group.everyone) for group in groups] == [
        (32, ["none", "srresnet", "bicubic", "bilinear", "raw"]),
        (16, ["none", "bicubic"]),
    ]
    assert "▲" in print_table({"rows": list(rows.values())})


def test_curves_meet_the_metrics(judged: dict[Method, comparison.Judged], rows: dict[tuple, dict]) -> None:
    far, found = judged[BICUBIC].curve.dir_at_far
    expected = rows[32, "bicubic", "all_against_all"]["metrics"]
    at_one_per_cent = np.flatnonzero(far <= 0.01)[-1]
    # The largest threshold with FAR <= 1 % lies behind the curve's last such point and before the next.
    assert found[at_one_per_cent] <= expected["dir_at_far_1e-2"] <= found[at_one_per_cent + 1]
    assert judged[BICUBIC].curve.cmc[1][0] == pytest.approx(expected["rank1"])
    assert judged[HR].curve.lr_size is None


def test_a_subset_has_every_image_of_its_people(subjects: EvaluationSet) -> None:
    subset = subjects.only([2, 5])
    people = set(subjects.labels[subjects.pairs[np.isin(subjects.folds, [2, 5])].ravel()])
    assert set(subset.labels) == people
    assert len(subset.images) == sum(subjects.labels[i] in people for i in range(268)) == 6 * len(people)
    np.testing.assert_array_equal(subjects.labels[subset.images], subset.labels)
    assert set(subset.folds) == {2, 5}
    kept = np.isin(subjects.folds, [2, 5])
    np.testing.assert_array_equal(subset.images[subset.pairs], subjects.pairs[kept])
    assert ((subset.labels[subset.pairs[:, 0]] == subset.labels[subset.pairs[:, 1]]) == subset.same).all()
    assert subset.undetected == (~subjects.detected[subset.images]).sum()
    assert subjects.only([]) is subjects


def test_a_subset_is_judged_on_its_own_images(subjects: EvaluationSet, measurements: dict[Method, Measurement]) -> None:
    subset = subjects.only([1, 2, 3])
    chosen = {method: measurements[method] for method in (HR, BICUBIC, GOOD)}
    found = comparison.judge("sface", chosen.items(), subset, resamples=50, seed=0, protocols=Protocols())
    rows = {(row["upscaler"], row["protocol"]): row for row in comparison.rows("sface", found, subset)}
    statistics = identification.probe_statistics(measurements[GOOD].templates[subset.images], subset.labels)
    row = rows["srresnet", "all_against_all"]
    assert row["metrics"]["rank1"] == pytest.approx(
        identification.detection_and_identification_rate(statistics, np.inf, 1)
    )
    assert (row["images"], row["folds"]) == (len(subset.images), 3)
    # Three folds carry no interval; people do.
    assert rows["srresnet", "lfw"]["interval"] == {}
    assert "dir_at_far_1e-2" in row["difference"]["bicubic"]
    config = ConfigDict({"resamples": 50, "seed": 0, "flip_sum": False, "images_per_person": 0})
    notes = " ".join(comparison_report.notes(subset, config, made_pairs=True))
    assert "folds 1, 2 and 3" in notes
    assert "too few to carry an interval" in notes
    allowed = len(subset.images) // 100
    assert (
        f"FAR 1 % allows {allowed or 'none'} of the {len(subset.images)} searches to be false: DIR there rests" in notes
    )


def test_the_first_images_of_each_person() -> None:
    labels = np.asarray([3, 1, 3, 1, 3, 2, 1, 2, 4, 4])
    names, detected = labels.astype(str), np.ones(10, bool)
    found = EvaluationSet.paired(labels, names, detected, 2, number_of_folds=2, pairs_per_fold=2, seed=0)
    assert found.images.tolist() == [0, 1, 2, 3, 5, 7, 8, 9]
    assert found.labels.tolist() == [3, 1, 3, 1, 2, 2, 4, 4]
    assert ((found.labels[found.pairs[:, 0]] == found.labels[found.pairs[:, 1]]) == found.same).all()
    assert len(EvaluationSet.paired(labels, names, detected, 0, 2, 2, 0).images) == 10
    with pytest.raises(ValueError, match="too few"):
        EvaluationSet.paired(labels, names, detected, 0, 3, 2, 0)


@pytest.mark.parametrize(
    ("folds", "message"), [([9], "no fold 9, only 1 to 8"), ([0, 1], "no fold 0"), ([3], "one fold is too few")]
)
def test_folds_that_cannot_be(subjects: EvaluationSet, folds: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        subjects.only(folds)
