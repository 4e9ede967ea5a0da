"""Turned pictures, faces that fill the picture, and large photographs."""

import tracemalloc
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import skimage.data

from lowres_jax.localization import align, rotated_search
from lowres_jax.localization.detector import Detector, Face, load_detector
from lowres_jax.localization.mtcnn import cascade as mtcnn

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector("mtcnn")


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """One person, upright, in 240 x 300 pixels; her face is 100 high."""
    return skimage.data.astronaut()[20:320, 100:340].astype(np.float32) / np.float32(255)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two crops at 16 x 16: detections differ by a pixel or two; turned crops have less than .5."""
    small = [cv2.resize(crop, (16, 16), interpolation=cv2.INTER_AREA).ravel() for crop in (one, other)]
    assert np.corrcoef(small[0], np.rot90(small[0].reshape(16, 16, 3)).ravel())[0, 1] < 0.5
    return float(np.corrcoef(*small)[0, 1])


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_turned_face_comes_back_to_where_it_was_by_hand(quarters: int) -> None:
    # A picture of 4 x 6 with a mark at x = 1, y = 2, and a box from there to x = 3, y = 4.
    picture = np.zeros((6, 4))
    picture[2, 1] = 1
    turned = np.rot90(picture, -quarters)
    y, x = np.argwhere(turned)[0]
    box = {0: [1, 2, 3, 4], 1: [2, 1, 4, 3], 2: [1, 2, 3, 4], 3: [2, 1, 4, 3]}[quarters]
    landmarks = np.repeat(np.asarray([[x, y]], np.float32), 5, 0)
    face = rotated_search.turned_back(Face(np.asarray(box, np.float32), 0.9, landmarks), picture.shape, quarters)
    np.testing.assert_array_equal(face.box, [1, 2, 3, 4])
    np.testing.assert_array_equal(face.landmarks, np.repeat([[1.0, 2.0]], 5, 0))
    assert face.turned == 90 * quarters


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_the_crop_of_a_turned_photograph_is_upright(detector: Detector, photograph: np.ndarray, quarters: int) -> None:
    upright = detector.detect(photograph)[0]
    turned = np.ascontiguousarray(np.rot90(photograph, quarters))
    ((face,),) = rotated_search.detect(detector, [turned])
    assert face.turned == 90 * quarters
    assert likeness(align.crop_face(turned, face), align.crop_face(photograph, upright)) > 0.98
    # Its box is where the face is in the picture as it lies.
    x, y = face.box.reshape(2, 2).mean(0)
    marked = np.zeros(photograph.shape[:2], np.float32)
    center = upright.box.reshape(2, 2).mean(0).astype(int)
    marked[center[1] - 4 : center[1] + 5, center[0] - 4 : center[0] + 5] = 1
    assert np.rot90(marked, quarters)[int(y), int(x)] == 1


def test_upright_pictures_are_not_touched_and_nothing_is_turned_unasked(
    detector: Detector, photograph: np.ndarray
) -> None:
    (found,) = rotated_search.detect(detector, [photograph])
    (plain,) = detector.detect_batch([photograph])
    np.testing.assert_array_equal(found[0].box, plain[0].box)
    assert found[0].turned == 0
    head = np.ascontiguousarray(np.rot90(photograph))
    assert rotated_search.detect(detector, [head], look_again=False) == detector.detect_batch([head]) == [[]]


def test_haar_gets_landmarks_that_turn_the_crop(photograph: np.ndarray) -> None:
    haar = load_detector("haar")
    upright = haar.detect(photograph)[0]
    turned = np.ascontiguousarray(np.rot90(photograph))
    assert haar.detect(turned) == []
    ((face, *_),) = rotated_search.detect(haar, [turned])
    assert face.turned == 90
    assert likeness(align.crop_face(turned, face), align.crop_face(photograph, upright)) > 0.9


class OnlyInside:
    """Finds a face in the middle of anything whose outermost pixels are all one color in each row and column."""

    name, sure_score = "mtcnn", 0.9

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def detect(self, image: np.ndarray) -> list[Face]:
        self.seen.append(image.shape[:2])
        if image.shape[:2] != (128, 144):
            return []
        return [Face(np.asarray([24, 40, 120, 88], np.float32), 0.95, np.full((5, 2), 50, np.float32))]

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        return [self.detect(image) for image in images]


def test_a_border_is_tried_once_and_coordinates_are_the_pictures() -> None:
    detector = OnlyInside()
    # 80 x 96: a border of 24 on each side.
    ((face,),) = rotated_search.detect(detector, [np.zeros((80, 96, 3), np.float32)])
    assert detector.seen[:2] == [(80, 96), (128, 144)]
    np.testing.assert_array_equal(face.box, [0, 16, 96, 64])
    np.testing.assert_array_equal(face.landmarks, np.full((5, 2), 26))
    assert face.turned == 0


@pytest.mark.whole
def test_a_large_photograph_is_reduced_and_keeps_its_small_faces(detector: Detector, photograph: np.ndarray) -> None:
    """25 megapixels with one face of 40 pixels."""
    large = np.full((4000, 6250, 3), 0.5, np.float32)
    (face,) = detector.detect(photograph)
    factor = 40 / (face.box[3] - face.box[1])
    small = cv2.resize(photograph, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    large[3000 : 3000 + height, 5000 : 5000 + width] = small
    reduced, by = rotated_search.shrink_large(large)
    assert by == pytest.approx((8 / 25) ** 0.5)
    assert reduced.shape == (2263, 3536, 3)
    tracemalloc.start()
    faces = detector.detect(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(faces) == 1
    np.testing.assert_allclose(faces[0].landmarks, face.landmarks * factor + [5000, 3000], atol=2.5)
    assert peak < 400e6


def test_factor_and_coordinates_by_hand() -> None:
    _, by = rotated_search.shrink_large(np.zeros((8000, 10000, 1), np.float32))
    assert by == 0.55
    assert rotated_search.shrink_large(np.zeros((2000, 4000, 1), np.float32))[1] == 1.0
    # The center of pixel 3 lies 3.5 from the border; doubled, 7, which is between pixels 6 and 7.
    face = rotated_search.scaled(Face(np.asarray([1, 2, 3, 4], np.float32), 0.5, np.full((5, 2), 3.0, np.float32)), 2.0)
    np.testing.assert_array_equal(face.box, [2, 4, 6, 8])
    np.testing.assert_array_equal(face.landmarks, np.full((5, 2), 6.5))


def test_bands_of_a_large_level_find_what_the_whole_finds(
    detector: Detector, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.tile(photograph, (2, 2, 1))[:501, :477]
    whole = detector.detect(picture)
    assert len(whole) >= 2
    monkeypatch.setattr(mtcnn, "_LARGE_LEVEL", 1 << 12)
    monkeypatch.setattr(mtcnn, "_BAND", 48)
    for one, other in zip(whole, detector.detect(picture), strict=True):
        np.testing.assert_array_equal(one.box, other.box)
        np.testing.assert_array_equal(one.landmarks, other.landmarks)


def test_a_false_hit_in_a_turned_group_picture_takes_nobodys_place() -> None:
    box = np.asarray([10, 10, 20, 20], np.float32)
    faces = [Face(box + 20 * number, 0.9 - number / 100, np.full((5, 2), 15, np.float32)) for number in range(3)]

    class Group:
        """Three faces it is not sure of in the upright picture, and better hits in the turned ones."""

        name, sure_score, hits = "mtcnn", 0.99, 1

        def detect(self, image: np.ndarray) -> list[Face]:
            return faces if image.shape[0] < image.shape[1] else [Face(box, 0.95, faces[0].landmarks)] * self.hits

        def detect_batch(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
            return [self.detect(image) for image in images]

    picture = np.zeros((80, 120, 3), np.float32)
    assert [face.turned for face in rotated_search.detect(Group(), [picture])[0]] == [0, 0, 0]
    Group.hits = 2
    assert [face.turned for face in rotated_search.detect(Group(), [picture])[0]] == [90, 90]
