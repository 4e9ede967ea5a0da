"""Quality of a face: what it is made of, by hand."""

import numpy as np
import pytest

from lowres_jax.localization.detector import Face
from lowres_jax.matching.quality import features, quality

FRONTAL = np.asarray([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], np.float32)


def face(nose: float = 50.0) -> Face:
    landmarks = FRONTAL.copy()
    landmarks[2, 0] = nose
    return Face(np.asarray([10, 10, 90, 90], np.float32), 0.99, landmarks)


def test_features_by_hand() -> None:
    flat = np.full((64, 64, 3), 128, np.uint8)
    np.testing.assert_allclose(features(face(), 64, flat), [6.0, 0.0, 0.0])
    # The nose a quarter of the eyes' distance aside; sizes over 128 px add nothing.
    np.testing.assert_allclose(features(face(60.0), 500, flat), [7.0, 0.0, 0.25])
    # A ramp of two levels a pixel at 32 px: (2^2 + 0) in the mean of both directions' squares.
    ramp = np.broadcast_to((2 * np.arange(32))[None, :, None], (32, 32, 3)).astype(np.uint8)
    assert features(face(), 32, ramp)[1] == pytest.approx(np.log(5.0))
    assert features(Face(np.zeros(4, np.float32), 1.0), 32, ramp)[2] == 0.0


def test_larger_sharper_and_frontal_faces_are_better() -> None:
    generator = np.random.default_rng(0)
    sharp = generator.integers(60, 200, (64, 64, 3), np.uint8)
    flat = np.full((64, 64, 3), 128, np.uint8)
    best = quality(face(), 64, sharp)
    assert 0.0 <= quality(face(), 16, sharp) < best <= 1.0
    assert quality(face(), 64, flat) < best
    assert quality(face(68.0), 64, sharp) < best
