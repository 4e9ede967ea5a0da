"""PSNR and SSIM against scikit-image; the luma of known colors."""

import numpy as np
import pytest
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from lowres_jax.evaluation import image_quality


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    picture = data.astronaut().astype(np.float32) / 255
    originals = np.stack([picture[20:148, 120:248], picture[100:228, 200:328]])
    noise = np.random.default_rng(0).normal(scale=0.05, size=originals.shape)
    return np.clip(originals + noise, 0, 1).astype(np.float32), originals


def test_equals_scikit_image(images: tuple[np.ndarray, np.ndarray]) -> None:
    noisy, originals = images
    for index in range(2):
        assert image_quality.psnr(noisy, originals)[index] == pytest.approx(
            peak_signal_noise_ratio(originals[index], noisy[index], data_range=1.0), abs=1e-4
        )
        expected = structural_similarity(
            originals[index].astype(np.float64),
            noisy[index].astype(np.float64),
            data_range=1.0,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert image_quality.ssim(noisy, originals)[index] == pytest.approx(expected, abs=2e-5)


def test_luma_and_border(images: tuple[np.ndarray, np.ndarray]) -> None:
    colors = np.asarray([[[[0, 0, 0], [1, 1, 1], [1, 0, 0]]]], np.float32)
    np.testing.assert_allclose(image_quality.to_luma(colors)[0, 0, :, 0] * 255, [16, 235, 16 + 65.481], rtol=1e-5)
    noisy, originals = images
    cut = image_quality.psnr(noisy[:, 4:-4, 4:-4], originals[:, 4:-4, 4:-4], luma=True)
    np.testing.assert_allclose(image_quality.psnr(noisy, originals, luma=True, border=4), cut)


def test_extremes(images: tuple[np.ndarray, np.ndarray]) -> None:
    _, originals = images
    assert np.isinf(image_quality.psnr(originals, originals)).all()
    np.testing.assert_allclose(image_quality.ssim(originals, originals), 1.0, atol=1e-6)
    black, gray = np.zeros((1, 16, 16, 3), np.float32), np.full((1, 16, 16, 3), 0.1, np.float32)
    np.testing.assert_allclose(image_quality.psnr(black, gray), [20.0], rtol=1e-6)
    # Flat images: variances vanish, c1 / (.1^2 + c1) is left.
    np.testing.assert_allclose(image_quality.ssim(black, gray), [1e-4 / (0.01 + 1e-4)], rtol=1e-4)


def test_identity_cosine() -> None:
    a = np.asarray([[1.0, 0.0], [0.6, 0.8]])
    np.testing.assert_allclose(image_quality.identity_cosine(a, a[::-1]), [0.6, 0.6])
