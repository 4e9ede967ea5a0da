"""Photographs that are made small as a whole."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from small_photographs import Original, found, landmark_error, reduced

from lowres_jax.localization import align, paste
from lowres_jax.localization.detector import Face
from lowres_jax.super_resolution.upscaler import load_upscaler

# The template's own points in a picture of 200 x 160, moved by (20, 12).
LANDMARKS = (align.TEMPLATE + np.asarray([20.0, 12.0])).astype(np.float32)
FACE = Face(np.asarray([30.0, 20.0, 130.0, 120.0], np.float32), 1.0, LANDMARKS)


def photograph() -> np.ndarray:
    image = np.random.default_rng(0).random((160, 200, 3), np.float32)
    return cv2.GaussianBlur(image, (0, 0), 4.0)


def test_the_face_has_the_size_that_was_asked_for() -> None:
    original = Original(photograph(), FACE, 0)
    assert paste.native_size(FACE, original.image.shape) == 112
    image, face = reduced(original, 28)
    assert image.shape == (40, 50, 3)
    assert paste.native_size(face, image.shape) == 28
    # Between pixel centers: (x + .5) / 4 - .5.
    np.testing.assert_allclose(face.landmarks, (LANDMARKS + 0.5) / 4 - 0.5, rtol=1e-5)
    # Its crop is HR's, reduced, but for .375 pixels: templates of all sizes begin at the same pixel center.
    whole, small = align.crop_face(original.image, FACE, 112), align.crop_face(image, face, 28)
    block_means = whole.reshape(28, 4, 28, 4, 3).mean(axis=(1, 3))
    assert np.corrcoef(small.ravel(), block_means.ravel())[0, 1] > 0.9
    assert np.corrcoef(small.ravel(), np.roll(block_means, 2, axis=1).ravel())[0, 1] < 0.5
    # What is small already is not enlarged.
    assert reduced(original, 120)[0].shape == original.image.shape


class Marked:
    """Finds the landmarks that are asked for, at the scale of what it is shown; remembers shapes."""

    name, sure_score = "marked", 1.0

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, image: np.ndarray) -> list[Face]:
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        self.shapes += [image.shape for image in images]
        middle = Face(np.asarray([16.0, 16.0, 24.0, 24.0], np.float32), 0.5, np.full((5, 2), 19.5, np.float32))
        corner = Face(np.asarray([0.0, 0.0, 8.0, 8.0], np.float32), 0.9, np.full((5, 2), 3.5, np.float32))
        return [[corner, middle] if image.shape[0] == 64 else [] for image in images]


def test_a_face_is_found_in_the_enlarged_photograph_and_told_in_pixels_of_the_small_one() -> None:
    detector = Marked()
    small = [np.zeros((10, 10, 3), np.float32), np.zeros((8, 10, 3), np.float32)]
    faces = found(detector, small, load_upscaler("bicubic"))
    # Continued to multiples of 32, so that there are few shapes.
    assert detector.shapes == [(64, 64, 3), (32, 64, 3)]
    assert faces[1] is None
    assert faces[0] is not None
    # The one nearest the middle; (19.5 + .5) / 4 - .5 = 4.5.
    np.testing.assert_allclose(faces[0].landmarks, np.full((5, 2), 4.5))
    assert found(detector, small, None) == [None, None]


def test_landmark_error_by_hand() -> None:
    eyes = np.asarray([[0.0, 0.0], [4.0, 0.0], [2.0, 2.0], [1.0, 4.0], [3.0, 4.0]], np.float32)
    truth = Face(np.zeros(4), 1.0, eyes)
    assert landmark_error(truth, truth) == 0
    moved = eyes.copy()
    moved[0] += [3.0, 4.0]
    # One of five is 5 pixels off, the eyes are 4 apart.
    assert math.isclose(landmark_error(Face(np.zeros(4), 1.0, moved), truth), 5 / 5 / 4)
    assert landmark_error(None, truth) == landmark_error(Face(np.zeros(4), 1.0), truth) == math.inf
