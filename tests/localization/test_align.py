"""Alignment: the similarity against scikit-image's, crops against hand-worked geometry."""

import numpy as np
import pytest
import skimage.data
from skimage.transform import SimilarityTransform

from lowres_jax.data import resize
from lowres_jax.localization import align
from lowres_jax.localization.detector import Face

TEMPLATE = np.asarray(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return skimage.data.astronaut().astype(np.float32) / 255


def test_similarity_equals_scikit_images_least_squares():
    generator = np.random.default_rng(0)
    for _ in range(20):
        source, target = generator.random((2, 5, 2)) * 100
        expected = SimilarityTransform.from_estimate(source, target)
        # With points this wild Umeyama's answer may mirror, which a face never is; such draws say nothing.
        if np.linalg.det(expected.params[:2, :2]) > 0:
            np.testing.assert_allclose(
                align.similarity_transform(source, target), expected.params[:2], rtol=1e-9, atol=1e-9
            )


def test_landmarks_come_to_lie_on_the_template():
    turned = np.asarray([[0.8, -0.6], [0.6, 0.8]])
    landmarks = (TEMPLATE * 1.7) @ turned.T + [30, -12]

    matrix = align.crop_transform(Face(np.zeros(4), 1.0, landmarks), (300, 300), 128)

    found = landmarks @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(found, TEMPLATE * 128 / 112, atol=1e-9)


def test_a_face_that_lies_on_the_template_is_cut_out_pixel_by_pixel(photograph):
    crop = align.align(photograph, TEMPLATE * 128 / 112 + [150, 30], 128)

    np.testing.assert_allclose(crop, photograph[30:158, 150:278], atol=2e-3)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_much_larger_face_is_reduced_by_area_and_not_aliased(photograph, factor):
    # The template's pixel p covers the photograph's pixels factor * p ... factor * p + factor - 1.
    landmarks = TEMPLATE * factor + (factor - 1) / 2

    crop = align.align(photograph, landmarks, 112)

    expected = resize.downscale_area(photograph[: 112 * factor, : 112 * factor], 112, 112)
    np.testing.assert_allclose(crop, expected, atol=2e-3)


def test_beyond_the_border_the_outermost_pixels_go_on():
    image = np.full((60, 60, 3), 0.25, np.float32)

    crop = align.align(image, TEMPLATE - 40, 112)

    np.testing.assert_allclose(crop, 0.25, atol=1e-6)


def test_no_face_gives_the_middle_square_of_the_picture(photograph):
    matrix = align.crop_transform(None, photograph.shape, 128)

    middle = np.asarray([255.5, 255.5 + 512 * (align._PICTURE_CENTER[1] - 0.5), 1])
    np.testing.assert_allclose(matrix @ middle, [63.5, 63.5])
    assert matrix[0, 0] == pytest.approx(128 / (512 * align._PICTURE_SIDE))
    assert align.crop_face(photograph, None, 128).shape == (128, 128, 3)


def test_a_box_without_landmarks_is_framed_upright_around_its_center():
    face = Face(np.asarray([100, 50, 200, 150], np.float32), 1.0)

    matrix = align.crop_transform(face, (300, 300), 128)

    center = np.asarray([100 + 100 * align._BOX_CENTER[0] - 0.5, 50 + 100 * align._BOX_CENTER[1] - 0.5, 1])
    np.testing.assert_allclose(matrix @ center, [63.5, 63.5])
    assert matrix[0, 0] == matrix[1, 1] == pytest.approx(128 / (100 * align._BOX_SIDE))
    assert matrix[0, 1] == matrix[1, 0] == 0


def test_a_picture_of_one_pixel_gives_a_crop_of_its_color():
    crop = align.crop_face(np.full((1, 1, 3), 0.5, np.float32), None, 128)

    np.testing.assert_allclose(crop, 0.5, atol=1e-6)
