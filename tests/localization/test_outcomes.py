"""The kinds of outcome under two detectors, on constructed faces and on real ones.

Covers `report/detector_gallery.py` too.
"""

import cv2
import numpy as np
import pytest
import skimage.data

from lowres_jax.localization import align, outcomes
from lowres_jax.localization.detector import Face
from lowres_jax.report import detector_gallery as gallery

FRONTAL = align.TEMPLATE * 2 + 20
SQUARE = Face(np.asarray([20, 20, 244, 244], np.float32), 0.9, FRONTAL)
SHAPE = (300, 300, 3)


def haar_face(shift: float = 0.0, score: float = 5.0) -> Face:
    """A Haar box on the face of `SQUARE`: the crop is 224 pixels wide around (131.5, 131.5)."""
    side = 224 / align._BOX_SIDE
    left, top = 131.6 - side * align._BOX_CENTER[0] + shift, 131.6 - side * align._BOX_CENTER[1]
    return Face(np.asarray([left, top, left + side, top + side], np.float32), score)


def test_the_same_face_by_landmarks_and_by_box_overlaps_fully():
    assert outcomes.overlap(SQUARE, haar_face(), SHAPE) == pytest.approx(1, abs=0.01)
    # Half a face aside: 112 of 224 columns are shared, a third of the union.
    assert outcomes.overlap(SQUARE, haar_face(112), SHAPE) == pytest.approx(1 / 3, abs=0.01)


def test_a_turned_head_is_measured_by_the_nose():
    eyes_and_nose = np.asarray([[10, 10], [50, 10], [50, 30], [20, 50], [40, 50]], float)

    assert outcomes.turn(FRONTAL) == pytest.approx(0.003, abs=0.01)
    assert outcomes.turn(eyes_and_nose) == pytest.approx(0.5)
    turned = eyes_and_nose @ np.asarray([[0.6, 0.8], [-0.8, 0.6]])
    assert outcomes.turn(turned) == pytest.approx(0.5)


def test_every_outcome():
    plain = np.full(SHAPE, 0.5, np.float32)
    profile = FRONTAL.copy()
    profile[2] = FRONTAL[1]  # the nose below the right eye
    turned = Face(SQUARE.box, 0.9, profile)
    glasses = plain.copy()
    cv2.line(glasses, (90, 122), (180, 122), (0, 0, 0), 4)  # across both eyes and the bridge
    elsewhere = haar_face(150)

    def outcome(image, mtcnn, haar):
        return outcomes.classify(image, mtcnn, haar, low_confidence=2.0).outcome

    assert outcome(plain, SQUARE, haar_face()) == "agree"
    assert outcome(plain, SQUARE, haar_face(score=1.5)) == "lower_confidence"
    assert outcome(plain, turned, elsewhere) == outcome(plain, turned, None) == "profile"
    assert outcome(glasses, SQUARE, None) == "accessories"
    assert outcome(plain, SQUARE, elsewhere) == "normal"
    assert outcome(plain, None, elsewhere) == "only_haar"
    assert outcome(plain, None, None) == "none"


def test_a_face_without_glasses_has_no_edges_across_the_nose():
    # Landmarks that MTCNN finds on scikit-image's astronaut.
    landmarks = np.asarray([[203.5, 100.1], [245.4, 102.2], [224.2, 126.4], [201.8, 138.6], [244.4, 140.4]])
    crop = align.align(skimage.data.astronaut().astype(np.float32) / 255, landmarks)
    with_glasses = cv2.line(crop.copy(), (30, 60), (98, 60), (0.05, 0.05, 0.05), 3)

    assert outcomes.bridge_edges(crop) < 0.3
    assert outcomes.bridge_edges(with_glasses) > 0.6


def test_the_gallery_has_a_row_for_each_outcome_that_occurred():
    image = np.full((60, 40, 3), 0.5, np.float32)
    face = Face(np.asarray([10, 10, 30, 30], np.float32), 1.0, np.asarray([[12, 15]] * 5, np.float32))
    found = outcomes.Detection(face, None, "normal")

    picture = gallery.draw({"normal": [(image, found)], "agree": []}, {"normal": 1, "agree": 0}, columns=2)

    assert picture.shape == (26 + 26 + 150, 300, 3)
    scale = 146 / 60
    row, column = 52 + 2 + round(20 * scale), (150 - round(40 * scale)) // 2 + round(10 * scale)
    assert picture[row, column].tolist() == [0, 158, 115]  # the box's left side
    assert picture[52 + 75, 150 + 75].tolist() == [255, 255, 255]  # no second picture
