"""Resizing against hand-worked values and the other libraries' own."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from lowres_jax.data import resize


def ramp(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([rows / height, columns / width, (rows + columns) / (height + width)], -1)


def random_image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, 3), np.float32)


def test_area_downscale_is_the_mean_of_each_block() -> None:
    image = random_image(128, 128)
    expected = image.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize.downscale_area(image, 32, 32), expected, atol=1e-6)


def test_area_downscale_weights_partial_pixels() -> None:
    image = np.repeat(np.array([[0.0, 0.3, 0.9]], np.float32)[..., None], 3, -1)
    # Each of two outputs covers one and a half pixels.
    expected = [[(0.0 + 0.3 / 2) / 1.5, (0.3 / 2 + 0.9) / 1.5]]
    np.testing.assert_allclose(resize.downscale_area(image, 1, 2)[..., 0], expected, atol=1e-6)


def test_area_downscale_refuses_to_enlarge() -> None:
    with pytest.raises(ValueError, match="cannot enlarge"):
        resize.downscale_area(ramp(8, 8), 16, 4)


def test_bilinear_has_half_pixel_centers() -> None:
    image = np.repeat(np.array([[0.0, 1.0]], np.float32)[..., None], 3, -1)
    np.testing.assert_allclose(resize.upscale_bilinear(image, 1, 4)[0, :, 0], [0, 0.25, 0.75, 1], atol=1e-6)
    picture = random_image(9, 7)
    for channel in range(3):
        pillow = Image.fromarray(picture[..., channel]).resize((21, 27), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(resize.upscale_bilinear(picture, 27, 21)[..., channel], pillow, atol=1e-5)


def cubic_weight(distance: float) -> float:
    """Keys 1981, a = -0.75."""
    a, x = -0.75, abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def test_bicubic_is_keys_interpolation() -> None:
    line = np.array([0.2, 0.5, 0.4, 0.7, 0.3, 0.6], np.float32)
    expected = []
    for target in range(12):
        position = (target + 0.5) / 2 - 0.5
        base = int(np.floor(position))
        taps = range(base - 1, base + 3)
        expected.append(sum(cubic_weight(position - tap) * line[min(max(tap, 0), 5)] for tap in taps))
    image = np.repeat(np.repeat(line[None, :, None], 4, 0), 3, -1)
    np.testing.assert_allclose(resize.upscale_bicubic(image, 8, 12)[3, :, 1], expected, atol=1e-6)


def test_bicubic_overshoot_is_clipped() -> None:
    step = np.zeros((8, 8, 3), np.float32)
    step[:, 4:] = 1
    enlarged = resize.upscale_bicubic(step, 32, 32)
    assert enlarged.min() == 0.0
    assert enlarged.max() == 1.0


def test_nearest_repeats_pixels() -> None:
    image = random_image(8, 8)
    np.testing.assert_array_equal(resize.nearest(image, 32, 32), image.repeat(4, 0).repeat(4, 1))


def test_nearest_takes_the_pixel_that_the_center_lies_in() -> None:
    # 32 -> 112: the center of output pixel x is at (x + 1/2) 2/7.
    image = np.repeat(np.arange(32, dtype=np.float32)[None, :, None], 3, axis=2).repeat(32, 0)
    expected = np.floor((np.arange(112) + 0.5) * 2 / 7)
    np.testing.assert_array_equal(resize.nearest(image, 112, 112)[0, :, 0], expected)
    np.testing.assert_array_equal(resize.nearest(image.transpose(1, 0, 2), 112, 112)[:, 0, 0], expected)


def test_resize_chooses_by_direction() -> None:
    image = random_image(16, 16)
    np.testing.assert_array_equal(resize.resize(image, 8, 16), resize.downscale_area(image, 8, 16))
    np.testing.assert_array_equal(resize.resize(image, 32, 16), resize.upscale_bicubic(image, 32, 16))
    np.testing.assert_array_equal(resize.resize(image, 8, 32), resize.upscale_bicubic(image, 8, 32))
    np.testing.assert_array_equal(resize.resize(image, 16, 16), image)


@pytest.mark.parametrize(("length", "size"), [(128, 32), (128, 112), (126, 42), (128, 16), (128, 8), (112, 112)])
def test_area_on_the_device_is_opencvs(length: int, size: int) -> None:
    images = np.random.default_rng(0).random((2, length, length, 3)).astype(np.float32)
    expected = np.stack([resize.downscale_area(image, size, size) for image in images])

    np.testing.assert_allclose(resize.downscale_area_on_device(jnp.asarray(images), size, size), expected, atol=2e-6)


def test_area_weights_by_hand() -> None:
    np.testing.assert_allclose(resize.area_weights(3, 2), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], atol=1e-7)
    with pytest.raises(ValueError, match="cannot enlarge"):
        resize.area_weights(2, 3)
