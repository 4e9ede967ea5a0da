"""Degradations of real footage, each against what it should do to a picture of which one knows the answer."""

import cv2
import numpy as np
import pytest

from lowres_jax.data import resize
from lowres_jax.data.degradations import Degradation, gaussian_kernel, low_resolution
from lowres_jax.errors import UserError

GRAY = np.full((128, 128, 3), 0.5, np.float32)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_protocol_reduces_by_area() -> None:
    crop = np.random.default_rng(0).random((1, 8, 8, 3)).astype(np.float32)
    expected = crop.reshape(1, 2, 4, 2, 4, 3).mean(axis=(2, 4))

    np.testing.assert_allclose(low_resolution(crop, 2), expected, atol=1e-6)
    np.testing.assert_allclose(Degradation().apply(crop[0], 2, generator()), expected[0], atol=1e-6)
    assert Degradation().plain


def test_blur_spreads_a_point_by_its_standard_deviation() -> None:
    crop = np.zeros((128, 128, 3), np.float32)
    crop[64, 64] = 1.0
    blurred = Degradation(blur=(0.5, 0.5)).apply(crop, 128, generator())
    # At scale 1 half an LR pixel is half a pixel; at scale 4 two pixels.
    distribution = blurred[..., 0].sum(axis=0)
    assert distribution.sum() == pytest.approx(1.0, abs=1e-5)
    variance = (distribution * (np.arange(128) - 64) ** 2).sum()
    assert variance == pytest.approx(0.25, rel=0.15)
    wide = Degradation(blur=(2.0, 2.0)).apply(crop, 32, generator())[..., 0].sum(axis=0)
    places = np.arange(32)
    center = (wide * places).sum() / wide.sum()
    assert (wide * (places - center) ** 2).sum() / wide.sum() == pytest.approx(4.0, rel=0.1)


def test_a_kernel_lies_along_its_angle() -> None:
    kernel = gaussian_kernel(3.0, 1.0, np.pi / 2)
    y, x = np.mgrid[-9:10, -9:10]
    assert kernel.shape == (19, 19)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    assert (kernel * y**2).sum() == pytest.approx(9.0, rel=0.03)
    assert (kernel * x**2).sum() == pytest.approx(1.0, rel=0.01)


def test_anisotropic_kernels_differ_by_direction() -> None:
    crop = np.zeros((128, 128, 3), np.float32)
    crop[64, 64] = 1.0
    ratios = []
    for seed in range(8):
        spread = Degradation(blur=(0.5, 4.0), anisotropic=True).apply(crop, 128, generator(seed))[..., 0]
        y, x = np.mgrid[0:128, 0:128] - 64
        moments = np.asarray([[(spread * a * b).sum() for a in (x, y)] for b in (x, y)])
        small, large = np.linalg.eigvalsh(moments)
        ratios.append(large / small)
    assert max(ratios) > 2.0


def test_noise_has_its_standard_deviation() -> None:
    made = Degradation(noise=(10.0, 10.0)).apply(GRAY, 128, generator())
    assert (made * 255).std() == pytest.approx(10.0, rel=0.02)
    # Each channel for itself.
    assert abs(np.corrcoef(made[..., 0].ravel(), made[..., 1].ravel())[0, 1]) < 0.03


def test_jpeg_is_that_of_opencv() -> None:
    crop = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    reduced = np.rint(resize.downscale_area(crop, 16, 16)[..., ::-1] * 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", reduced, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    expected = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1] / 255.0

    np.testing.assert_allclose(Degradation(jpeg=(40, 40)).apply(crop, 16, generator()), expected, atol=1e-6)


def test_blur_reduction_noise_and_compression_come_in_this_order() -> None:
    crop = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    luck = generator(3)
    angle = [luck.uniform() for _ in range(5)][2] * np.pi  # of two widths, the angle, the noise and the quality

    image = cv2.filter2D(crop, -1, gaussian_kernel(2.0, 2.0, angle), borderType=cv2.BORDER_REPLICATE)
    image = resize.downscale_area(image, 16, 16)
    image = np.clip(image + luck.normal(0.0, 10.0 / 255, image.shape).astype(np.float32), 0, 1)
    encoded = cv2.imencode(".jpg", np.rint(image[..., ::-1] * 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 50])[1]
    expected = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1] / 255.0

    degradation = Degradation(blur=(0.5, 0.5), noise=(10.0, 10.0), jpeg=(50, 50))
    np.testing.assert_allclose(degradation.apply(crop, 16, generator(3)), expected, atol=1e-6)


def test_one_seed_one_result_and_strengths_are_drawn_apart() -> None:
    crop = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    footage = Degradation(blur=(0.2, 1.0), anisotropic=True, noise=(1.0, 10.0), jpeg=(40, 95))
    one = footage.apply(crop, 16, generator(3))

    np.testing.assert_array_equal(footage.apply(crop, 16, generator(3)), one)
    assert np.abs(footage.apply(crop, 16, generator(4)) - one).max() > 0.01
    # Without noise the same seed draws the same blur.
    quiet, blurred = Degradation(blur=(0.2, 1.0)), Degradation(blur=(0.2, 1.0), noise=(1e-6, 1e-6))
    np.testing.assert_allclose(quiet.apply(crop, 16, generator(3)), blurred.apply(crop, 16, generator(3)), atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"blur": (2.0, 1.0)}, {"noise": (-1.0, 1.0)}, {"jpeg": (0, 90)}, {"jpeg": (50, 101)}], ids=str
)
def test_bounds_that_cannot_be(wrong: dict) -> None:
    with pytest.raises(UserError, match=r"config\.degradation\."):
        Degradation(**wrong)


def test_numbered_crops_have_luck_of_their_own() -> None:
    crops = np.random.default_rng(0).random((3, 64, 64, 3)).astype(np.float32)
    degradation = Degradation(noise=(20.0, 20.0))
    together = degradation.reduced(crops, 16, [4, 9, 2])
    np.testing.assert_array_equal(degradation.reduced(crops[1:2], 16, [9])[0], together[1])
    same = degradation.reduced(crops[[0, 0]], 16, [4, 5])
    assert np.abs(same[0] - same[1]).max() > 0.05
    np.testing.assert_array_equal(Degradation().reduced(crops, 16, [4, 9, 2]), low_resolution(crops, 16))


def test_degradations_in_words() -> None:
    assert Degradation().described == ""
    footage = Degradation(blur=(0.3, 0.9), anisotropic=True, noise=(2.0, 8.0), jpeg=(60, 60))
    assert footage.described == "blur 0.3-0.9 px along each axis, noise 2-8 of 255, JPEG 60"
