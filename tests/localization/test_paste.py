"""The way back from a crop to its photograph."""

import cv2
import numpy as np
import pytest
import skimage.data

from lowres_jax.data import resize
from lowres_jax.localization import align, paste
from lowres_jax.localization.detector import Face

# The five points of insightface's template for 112 px.
ARCFACE = np.asarray(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


def face_of(scale: float, angle: float, shift: tuple[float, float]) -> Face:
    """A face whose landmarks are the template of a 128 px crop, turned, scaled and moved."""
    template = ARCFACE * (128 / 112)
    turn = np.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (scale * template @ turn.T + shift).astype(np.float32)
    return Face(np.zeros(4, np.float32), 1.0, landmarks)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return skimage.data.astronaut()[:240, 100:340].astype(np.float32) / 255.0


@pytest.mark.parametrize(("scale", "size"), [(1.0, 128), (0.25, 32), (2.0, 256), (0.01, 8)])
def test_native_size_is_that_of_the_face(scale: float, size: int) -> None:
    assert paste.native_size(face_of(scale, 0.3, (50, 60)), (500, 500, 3)) == size


def test_enlarged_transform_by_hand() -> None:
    # Crop pixel = photograph pixel - (10, 20). Enlarged by 4, the shift is 40 and 80.
    matrix = np.asarray([[1.0, 0.0, -10.0], [0.0, 1.0, -20.0]])
    np.testing.assert_allclose(paste.enlarged_transform(matrix, 4), [[1, 0, -40], [0, 1, -80]])
    # Half size: photograph pixels 0 and 1 make crop pixel 0, so that their common border, 0.5, is its center, 0.
    matrix = np.asarray([[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]])
    np.testing.assert_allclose(paste.enlarged_transform(matrix, 4), matrix)


def test_enlarged_transform_agrees_with_points() -> None:
    matrix = align.crop_transform(face_of(0.4, 0.2, (50, 60)), (240, 240, 3), 50)
    points = np.random.default_rng(0).uniform(40, 90, (20, 2))
    there = points @ matrix[:, :2].T + matrix[:, 2]
    enlarged = paste.enlarged_transform(matrix, 3)
    found = ((points + 0.5) * 3 - 0.5) @ enlarged[:, :2].T + enlarged[:, 2]
    np.testing.assert_allclose(found, (there + 0.5) * 3 - 0.5, atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 0.25])
def test_a_crop_pasted_back_is_where_it_was(picture: np.ndarray, angle: float) -> None:
    """Crop and photograph enlarged in the same way: pasting must not move anything, on the slope either."""
    face = face_of(0.6, angle, (80, 50))
    size = paste.native_size(face, picture.shape)
    matrix = align.crop_transform(face, picture.shape, size)
    crop = resize.upscale_bicubic(align.warp(picture, matrix, size), 4 * size, 4 * size)
    smooth = resize.upscale_bicubic(picture, 960, 960)
    photograph = np.round(smooth * 255).astype(np.uint8)
    before = photograph.copy()
    paste.paste(photograph, crop, paste.enlarged_transform(matrix, 4))
    difference = np.abs(photograph.astype(int) - before.astype(int))
    assert difference.max() > 0
    assert difference.mean() < 0.3
    moved = np.abs(np.roll(before, 2, axis=1).astype(int) - before.astype(int))[200:500, 320:640]
    assert difference[200:500, 320:640].mean() < 0.3 * moved.mean()


def checks(size: int, low: float, high: float) -> np.ndarray:
    """A chess board of single pixels."""
    board = np.indices((size, size)).sum(axis=0) % 2
    return np.repeat(np.where(board, high, low)[..., None], 3, axis=-1).astype(np.float32)


def test_only_the_crop_s_inside_is_touched() -> None:
    photograph = np.full((100, 100, 3), 128, np.uint8)
    matrix = np.asarray([[1.0, 0.0, -30.0], [0.0, 1.0, -40.0]])
    paste.paste(photograph, checks(20, 0.3, 0.7), matrix)
    rows, columns = np.nonzero(photograph[..., 0] != 128)
    assert rows.min() >= 40
    assert rows.max() < 60
    assert columns.min() >= 30
    assert columns.max() < 50
    # The board's contrast, 0.2 * 255 about its mean, in the middle; and falling towards the border.
    contrast = np.abs(photograph[50, 40:50, 0].astype(int) - 128)
    assert contrast[:5].tolist() == [51] * 5
    assert (np.diff(contrast) <= 0).all()
    assert contrast[-1] < 5


def test_detail_is_the_crop_s_and_color_the_photograph_s() -> None:
    """A crop that is too red by a tenth, on a photograph with a slope of brightness."""
    slope = np.repeat(np.linspace(0.3, 0.6, 80)[None, :], 80, axis=0)[..., None] * np.ones(3)
    photograph = np.round(slope * 255).astype(np.uint8)
    crop = (slope[20:60, 20:60] + checks(40, -0.1, 0.1) + np.asarray([0.1, 0.0, 0.0])).astype(np.float32)
    paste.paste(photograph, crop, np.asarray([[1.0, 0.0, -20.0], [0.0, 1.0, -20.0]]))
    found = photograph[32:48, 32:48] / 255.0
    np.testing.assert_allclose(found, (slope[20:60, 20:60] + checks(40, -0.1, 0.1))[12:28, 12:28], atol=0.012)


def test_a_crop_at_the_border_or_beyond_it() -> None:
    photograph = np.full((30, 30, 3), 128, np.uint8)
    crop = checks(20, 0.3, 0.7)
    paste.paste(photograph, crop, np.asarray([[1.0, 0.0, 10.0], [0.0, 1.0, 10.0]]))
    assert abs(int(photograph[1, 1, 0]) - 128) > 40
    assert (photograph[11:, 11:] == 128).all()
    before = photograph.copy()
    paste.paste(photograph, crop, np.asarray([[1.0, 0.0, 100.0], [0.0, 1.0, 100.0]]))
    np.testing.assert_array_equal(photograph, before)


def test_a_finer_crop_is_averaged() -> None:
    """A crop of 4 times the photograph's resolution with stripes of one pixel comes out gray, not striped."""
    crop = np.zeros((80, 80, 3), np.float32)
    crop[:, ::2] = 1.0
    photograph = np.full((40, 40, 3), 128, np.uint8)
    paste.paste(photograph, crop, np.asarray([[4.0, 0.0, -38.5], [0.0, 4.0, -38.5]]))
    assert np.abs(photograph.astype(int) - 128).max() <= 1


def test_a_face_in_a_very_wide_picture() -> None:
    """OpenCV's warp refuses more than 32,766 pixels a side; the part around the face is all it needs."""
    piece = skimage.data.astronaut()[:200, 150:350].astype(np.float32) / 255.0
    picture = np.full((200, 40_000, 3), 0.5, np.float32)
    picture[:, 35_000:35_200] = piece
    face, face_alone = face_of(0.5, 0.1, (35_060, 60)), face_of(0.5, 0.1, (60, 60))
    with pytest.raises(cv2.error):
        align.crop_face(picture, face, 64)
    np.testing.assert_allclose(paste.cut_face(picture, face, 64), align.crop_face(piece, face_alone, 64), atol=0.02)
