"""dlib's recognizer: the geometry of its chips, what it says where it is missing, and real faces where it is there."""

import builtins
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.localization.align import TEMPLATE, crop_face, similarity_transform
from lowres_jax.localization.detector import load_detector
from lowres_jax.pretrained import weights
from lowres_jax.recognition import dlib_resnet
from lowres_jax.recognition.loss_networks import identity_networks
from lowres_jax.recognition.recognizer import load_network, load_recognizer

pytestmark = pytest.mark.slow


def test_chips_are_dlibs_alignment_of_the_same_landmarks() -> None:
    # A dot on each eye of the aligned crop comes to lie where the transform of the landmarks says, near dlib's own
    # place for it: by hand, the left eye's center at (.25 + .2255) / 1.5 of 150.
    np.testing.assert_allclose(dlib_resnet.CHIP_TEMPLATE[0], [47.55, 46.60], atol=0.01)
    crop = np.zeros((128, 128, 3), np.float32)
    for x, y in TEMPLATE[:2] * 128 / 112:
        crop[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2] = 1
    found = dlib_resnet.chip(crop)
    assert found.shape == (150, 150, 3)
    matrix = similarity_transform(TEMPLATE * 128 / 112, dlib_resnet.CHIP_TEMPLATE)
    for left, right, eye in ((0, 75, 0), (75, 150, 1)):
        rows, columns = np.nonzero(found[:, left:right, 0] > 100)
        center = np.asarray([columns.mean() + left, rows.mean()])
        np.testing.assert_allclose(center, matrix @ [*(TEMPLATE[eye] * 128 / 112), 1], atol=1)
        np.testing.assert_allclose(center, dlib_resnet.CHIP_TEMPLATE[eye], atol=5)


def test_what_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))
    original = builtins.__import__

    def without(name: str, *arguments: object, **named: object) -> object:
        if name == "dlib":
            raise ImportError("No module named 'dlib'")
        return original(name, *arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without)
        with pytest.raises(UserError, match=r"run: pip install 'lowres-jax\[judges\]' && python -m .*fetch dlib$"):
            load_recognizer("dlib")
    with pytest.raises(UserError, match="no sum over an image and its mirror"):
        load_recognizer("dlib", flip_sum=True)


@pytest.mark.skipif(importlib.util.find_spec("dlib") is None, reason="the extra 'judges' is not installed")
def test_real_faces(orl_faces: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "no.dat").write_bytes(b"no network")
    with pytest.raises(UserError, match=r"no\.dat: not dlib's face recognizer"):
        load_recognizer("dlib", str(tmp_path / "no.dat"))
    try:
        weights.find_fetched_file("dlib", "dlib_face_recognition_resnet_model_v1.dat")
    except UserError:
        pytest.skip("dlib's weights are not fetched: python -m lowres_jax.pretrained.fetch dlib")
    pictures, labels = orl_faces[:24], np.repeat(np.arange(8), 3)
    found = load_detector("mtcnn").detect_batch(list(pictures))
    crops = np.stack([crop_face(image, faces[0]) for image, faces in zip(pictures, found, strict=True) if faces])
    labels = labels[[bool(faces) for faces in found]]
    recognizer = load_recognizer("dlib")
    templates = recognizer.templates(crops)
    np.testing.assert_allclose(np.linalg.norm(templates, axis=1), 1, atol=1e-5)
    similarity = templates @ templates.T
    same = (labels[:, None] == labels) & ~np.eye(len(labels), dtype=bool)
    other = labels[:, None] != labels
    assert np.mean(similarity[same]) > np.quantile(similarity[other], 0.9)
    assert recognizer.templates(crops[:0]).shape == (0, 128)
    with pytest.raises(UserError, match="dlib"):
        identity_networks([recognizer], 0.1)


def test_nothing_is_trained_against_it() -> None:
    with pytest.raises(UserError, match=r"recognizer dlib: has no gradient, .* it judges only"):
        load_network("dlib")
