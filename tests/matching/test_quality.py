"""Quality of a face: what it is made of, by hand."""

import numpy as np
import pytest

from lowres_jax.localization.detector import Face
from lowres_jax.matching.quality import features, quality, templates_and_lengths
from lowres_jax.recognition.recognizer import load_recognizer

FRONTAL = np.asarray([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


def face(nose: float = 50.0) -> Face:
    landmarks = FRONTAL.copy()
    landmarks[2, 0] = nose
    return Face(np.asarray([10, 10, 90, 90], np.float32), 0.99, landmarks)


def test_features_by_hand() -> None:
    flat = np.full((64, 64, 3), 128, np.uint8)
    np.testing.assert_allclose(features(face(), 64, flat, 9.5), [6.0, 0.0, 0.0, 9.5])
    # The nose a quarter of the eyes' distance aside; sizes over 128 px add nothing.
    np.testing.assert_allclose(features(face(60.0), 500, flat, 1.0), [7.0, 0.0, 0.25, 1.0])
    # A ramp of two levels a pixel at 32 px: (2^2 + 0) in the mean of both directions' squares.
    ramp = np.broadcast_to((2 * np.arange(32))[None, :, None], (32, 32, 3)).astype(np.uint8)
    assert features(face(), 32, ramp, 1.0)[1] == pytest.approx(np.log(5.0))
    assert features(Face(np.zeros(4, np.float32), 1.0), 32, ramp, 1.0)[2] == 0.0


def test_what_a_network_sees_well_is_better() -> None:
    sharp = np.random.default_rng(0).integers(60, 200, (64, 64, 3), np.uint8)
    assert 0.0 <= quality(face(), 64, sharp, 4.0) < quality(face(), 64, sharp, 12.0) <= 1.0


def test_lengths_are_those_of_the_embeddings_and_templates_the_same() -> None:
    crops = np.random.default_rng(0).random((2, 112, 112, 3), np.float32)
    recognizer = load_recognizer("sface")
    templates, lengths = templates_and_lengths(recognizer, crops)
    np.testing.assert_allclose(templates, recognizer.templates(crops), atol=1e-6)
    assert lengths is not None
    np.testing.assert_allclose(templates * lengths[:, None], recognizer.embeddings(crops), atol=1e-5)  # type: ignore[attr-defined]

    class Other:
        name = "other"

        def templates(self, images: np.ndarray) -> np.ndarray:
            return np.ones((len(images), 1), np.float32)

    assert templates_and_lengths(Other(), crops)[1] is None  # type: ignore[arg-type]
