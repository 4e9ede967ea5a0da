"""A comparison of methods whose templates are known: rows, differences, subsets of folds, examples for the report."""

from pathlib import Path

import numpy as np
import pytest
from ml_collections import ConfigDict

from lowres_jax.data import resize
from lowres_jax.errors import UserError
from lowres_jax.evaluation import comparison, comparison_report, examples, identification, verification
from lowres_jax.evaluation.measurement import Measurement, Method
from lowres_jax.evaluation.subjects import Subjects
from lowres_jax.evaluation.table import group_rows, print_table
from lowres_jax.super_resolution.upscaler import load_upscaler

HR, RAW = Method(128, "none"), Method(32, "raw")
BILINEAR, BICUBIC, BICUBIC_16 = Method(32, "bilinear"), Method(32, "bicubic"), Method(16, "bicubic")
GOOD = Method(32, "srresnet")
# The more noise, the worse the method. That of the originals is nothing beside the distance of two people.
NOISE = {HR: 0.2, GOOD: 0.5, BICUBIC: 1.0, BILINEAR: 1.05, RAW: 2.0, BICUBIC_16: 1.6}


@pytest.fixture(scope="module")
def subjects() -> Subjects:
    """48 people with six images each, the last four with one."""
    labels = np.concatenate([np.repeat(np.arange(44), 6), np.arange(44, 48)])
    pairs, same, folds = verification.make_pairs(labels[:264], 8, 60, seed=0)
    names = np.asarray([f"person_{label}" for label in labels])
    return Subjects(np.arange(268), labels, names, np.arange(268) % 100 != 0, pairs, same, folds)


@pytest.fixture(scope="module")
def measurements(subjects: Subjects) -> dict[Method, Measurement]:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(48, 24))
    noise = generator.normal(size=(268, 24))
    found = {}
    for method, share in NOISE.items():
        # One noise for all methods, so that they differ by its amount and little else: paired differences are narrow.
        own = noise + 0.1 * generator.normal(size=(268, 24))
        templates = centres[subjects.labels] + share * own
        measurement = Measurement(Path("nowhere.npz"), "", 268, 24)
        measurement.templates = (templates / np.linalg.norm(templates, axis=1, keepdims=True)).astype(np.float32)
        if method.upscaler not in ("none", "raw"):
            measurement.psnr = 30.0 - share + generator.normal(size=268).astype(np.float32)
            measurement.ssim = np.full(268, 0.9, np.float32)
            measurement.seconds, measurement.timed = 2.0, 268
        found[method] = measurement
    return found


@pytest.fixture(scope="module")
def judged(subjects: Subjects, measurements: dict[Method, Measurement]) -> dict[Method, comparison.Judged]:
    return comparison.judge("sface", measurements.items(), subjects, resamples=400, seed=0)


@pytest.fixture(scope="module")
def rows(subjects: Subjects, judged: dict[Method, comparison.Judged]) -> dict[tuple, dict]:
    found = comparison.rows("sface", judged, subjects)
    return {(row["lr_size"], row["upscaler"], row["protocol"]): row for row in found}


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
    subjects: Subjects, measurements: dict[Method, Measurement], rows: dict[tuple, dict]
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


def test_a_subset_has_every_image_of_its_people(subjects: Subjects) -> None:
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


def test_a_subset_is_judged_on_its_own_images(subjects: Subjects, measurements: dict[Method, Measurement]) -> None:
    subset = subjects.only([1, 2, 3])
    chosen = {method: measurements[method] for method in (HR, BICUBIC, GOOD)}
    found = comparison.judge("sface", chosen.items(), subset, resamples=50, seed=0)
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


def test_the_first_images_of_each_person() -> None:
    labels = np.asarray([3, 1, 3, 1, 3, 2, 1, 2, 4, 4])
    names, detected = labels.astype(str), np.ones(10, bool)
    found = Subjects.paired(labels, names, detected, 2, number_of_folds=2, pairs_per_fold=2, seed=0)
    assert found.images.tolist() == [0, 1, 2, 3, 5, 7, 8, 9]
    assert found.labels.tolist() == [3, 1, 3, 1, 2, 2, 4, 4]
    assert ((found.labels[found.pairs[:, 0]] == found.labels[found.pairs[:, 1]]) == found.same).all()
    assert len(Subjects.paired(labels, names, detected, 0, 2, 2, 0).images) == 10
    with pytest.raises(ValueError, match="too few"):
        Subjects.paired(labels, names, detected, 0, 3, 2, 0)


@pytest.mark.parametrize(
    ("folds", "message"), [([9], "no fold 9, only 1 to 8"), ([0, 1], "no fold 0"), ([3], "one fold is too few")]
)
def test_folds_that_cannot_be(subjects: Subjects, folds: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        subjects.only(folds)


def crop_of(number: int) -> np.ndarray:
    small = np.random.default_rng(number).random((8, 8, 3), np.float32)
    return resize.upscale_bicubic(small, 128, 128)


def test_turned_pairs_are_turned(subjects: Subjects, judged: dict[Method, comparison.Judged]) -> None:
    upscalers = {name: load_upscaler(name) for name in ("bilinear", "bicubic")}
    # Bilinear stands in for the network: only its pictures are made here, its scores are the planted ones.
    upscalers["srresnet"] = upscalers["bilinear"]
    turned = examples.choose_turned("sface", judged, "bicubic", subjects, count=3)
    wanted = examples.wanted([], [BICUBIC, GOOD, BICUBIC_16], turned, "bicubic", subjects)
    assert set(wanted) == {BICUBIC, GOOD}
    pictures = examples.Pictures(crop_of, upscalers, wanted)
    found = [examples.turned_pair(each, judged, "bicubic", subjects, pictures) for each in turned]
    assert [pair.outcome for pair in found] == ["right"] * 3 + ["wrong"] * sum(p.outcome == "wrong" for p in found)
    for pair in found:
        said, reference_said = pair.score > pair.threshold, pair.reference_score > pair.reference_threshold
        assert (said == pair.same, reference_said == pair.same) == (pair.outcome == "right", pair.outcome == "wrong")
        assert (pair.names[0] == pair.names[1]) == pair.same
        assert (pair.upscaler, pair.reference, pair.lr_size) == ("srresnet", "bicubic", 32)
    changes = [abs((p.score - p.threshold) - (p.reference_score - p.reference_threshold)) for p in found[:3]]
    assert changes == sorted(changes, reverse=True)
    original = found[0].original_images
    assert original is not None
    for side in (0, 1):
        np.testing.assert_array_equal(original[side], crop_of(int(subjects.pairs[turned[0].pair, side])))
        reduced = resize.downscale_area(original[side], 32, 32)
        expected = resize.upscale_bicubic(reduced, 128, 128)
        np.testing.assert_allclose(found[0].reference_images[side], expected, atol=1e-6)
        expected = resize.upscale_bilinear(reduced, 128, 128)
        np.testing.assert_allclose(found[0].images[side], expected, atol=1e-6)


def test_nothing_is_turned_without_a_reference(subjects: Subjects, judged: dict[Method, comparison.Judged]) -> None:
    assert examples.choose_turned("sface", judged, "", subjects, count=3) == []


def test_the_grid_is_drawn_by_the_seed_alone(subjects: Subjects) -> None:
    upscalers = {"bilinear": load_upscaler("bilinear")}
    methods = [BILINEAR, Method(16, "bilinear")]
    people = examples.choose_people(subjects.names, 2, seed=1)
    np.testing.assert_array_equal(people, examples.choose_people(subjects.names, 2, seed=1))
    pictures = examples.Pictures(crop_of, upscalers, examples.wanted(people, methods, [], "bicubic", subjects))
    faces = examples.grid_faces(people, methods, subjects.names.tolist(), pictures)
    assert [face.lr_size for face in faces] == [32, 32, 16, 16]
    assert faces[0].name != faces[1].name == faces[3].name
    np.testing.assert_array_equal(faces[1].high_resolution, crop_of(int(people[1])))
    reduced = resize.downscale_area(faces[0].high_resolution, 32, 32)
    np.testing.assert_allclose(faces[0].low_resolution, reduced)
    np.testing.assert_allclose(faces[0].upscaled["bilinear"], resize.upscale_bilinear(reduced, 128, 128))
    assert len(examples.choose_people(subjects.names, 0, seed=1)) == 0
    assert len(examples.choose_people(subjects.names, 99, seed=1)) == 48


def test_the_gallery_of_detectors_is_picked_up(tmp_path: Path) -> None:
    assert comparison_report.detectors(tmp_path) == (None, "")
    (tmp_path / "gallery.png").write_bytes(b"png")
    figures = (
        '{"images": 407, "found": {"mtcnn": 407, "haar": 369}, "images_per_second": {"mtcnn": 24.2, "haar": 18.5}}'
    )
    (tmp_path / "detectors.json").write_text(figures)
    gallery, caption = comparison_report.detectors(tmp_path)
    assert gallery == b"png"
    assert caption.startswith("MTCNN finds a face in 407 of 407 pictures (24 images/s), Haar in 369 (18 images/s).")


def test_licences_come_from_the_set_and_the_cards(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text('{"description": "Faces of friends.", "citation": "Me, 2026"}')
    found = comparison_report.licences(tmp_path, ["bicubic", "srgan"], ["sface"])
    assert list(found) == ["Faces", "SRGAN", "SFace"]
    assert found["Faces"] == "Faces of friends. Me, 2026"
    assert found["SRGAN"].startswith("Apache-2.0. Ledig et al.")
