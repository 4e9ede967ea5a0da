"""Parts of the report beside its figures: pictures, the gallery, licenses.

Covers `report/comparison/comparison_report.py` too.
"""

from pathlib import Path

import numpy as np
import pytest
from comparisons import BICUBIC, BICUBIC_16, BILINEAR, GOOD

from lowres_jax.data import resize
from lowres_jax.evaluation import comparison
from lowres_jax.evaluation.evaluation_set import EvaluationSet
from lowres_jax.evaluation.measurement import Method
from lowres_jax.report.comparison import comparison_report, examples
from lowres_jax.super_resolution.upscaler import load_upscaler


def crop_of(number: int) -> np.ndarray:
    small = np.random.default_rng(number).random((8, 8, 3), np.float32)
    return resize.upscale_bicubic(small, 128, 128)


def test_turned_pairs_are_turned(subjects: EvaluationSet, judged: dict[Method, comparison.Judged]) -> None:
    upscalers = {name: load_upscaler(name) for name in ("bilinear", "bicubic")}
    # Bilinear stands in for the network: only its pictures are made here, its scores are the planted ones.
    upscalers["srresnet"] = upscalers["bilinear"]
    turned = examples.choose_turned("sface", judged, "bicubic", subjects, count=3)
    wanted = examples.wanted([], [BICUBIC, GOOD, BICUBIC_16], turned, "bicubic", subjects)
    assert set(wanted) == {BICUBIC, GOOD}
    pictures = examples.Pictures(crop_of, upscalers, wanted, subjects.images)
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


def test_nothing_is_turned_without_a_reference(
    subjects: EvaluationSet, judged: dict[Method, comparison.Judged]
) -> None:
    assert examples.choose_turned("sface", judged, "", subjects, count=3) == []


def test_the_grid_is_drawn_by_the_seed_alone(subjects: EvaluationSet) -> None:
    upscalers = {"bilinear": load_upscaler("bilinear")}
    methods = [BILINEAR, Method(16, "bilinear")]
    people = examples.choose_people(subjects.names, 2, seed=1)
    np.testing.assert_array_equal(people, examples.choose_people(subjects.names, 2, seed=1))
    pictures = examples.Pictures(
        crop_of, upscalers, examples.wanted(people, methods, [], "bicubic", subjects), subjects.images
    )
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


def test_licenses_come_from_the_set_and_the_cards(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text('{"description": "Faces of friends.", "citation": "Me, 2026"}')
    found = comparison_report.licenses(tmp_path, ["bicubic", "srgan"], ["sface"])
    assert list(found) == ["Faces", "SRGAN", "SFace"]
    assert found["Faces"] == "Faces of friends. Me, 2026"
    assert found["SRGAN"].startswith("Apache-2.0. Ledig et al.")


def test_a_model_that_was_trained_on_the_set_is_marked() -> None:
    names = (["bicubic", "srgan", "identity"], ["sface", "sface_small", "onnx"])
    assert comparison_report.trained_on(*names, "casia_webface/mtcnn") == [
        "Identity was trained on this very set: what is said of it here is no test.",
        "sface_small was trained on this very set: what is said of it here is no test.",
    ]
    assert comparison_report.trained_on(*names, "lfw/mtcnn") == []


def test_a_judge_that_a_model_was_trained_against_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (remark,) = comparison_report.trained_against(["bicubic", "srgan", "identity"], ["sface", "dlib"])
    assert remark.startswith("SFace was part of the training of Identity: what it says of that here is no independent")
    assert comparison_report.trained_against(["bicubic", "identity"], ["dlib", "onnx"]) == []
    # A student of SFace sees as SFace does.
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))
    (tmp_path / "cards").mkdir()
    card = 'summary = ""\nmodule = "recognition.resnet"\nlicense = ""\nsource = ""\n[training]\njudges = "sface"\n'
    (tmp_path / "cards" / "student.toml").write_text(card)
    (remark,) = comparison_report.trained_against(["identity"], ["dlib", "student"])
    assert remark.startswith("student was part of the training of Identity")
