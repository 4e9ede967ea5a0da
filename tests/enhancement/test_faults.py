"""Noise and compression of known strength."""

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from lowres_jax.data import images, resize
from lowres_jax.data.images import DecodedImage
from lowres_jax.data.metadata import Metadata
from lowres_jax.enhancement import faults


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A sharp photograph without visible noise: one that was reduced."""
    picture = skimage.data.astronaut().astype(np.float32) / np.float32(255)
    return resize.resize(picture, 256, 256)


@pytest.mark.parametrize("deviation", [4.0, 8.0, 16.0])
def test_noise_of_known_strength(photograph: np.ndarray, deviation: float) -> None:
    """The luma of three independent channels has sqrt(.299^2 + .587^2 + .114^2) = .669."""
    noise = np.random.default_rng(0).normal(0, deviation / 255, photograph.shape).astype(np.float32)
    found = faults.noise_level(photograph + noise)
    assert found == pytest.approx(0.669 * deviation, rel=0.2)
    flat = np.full((256, 256, 3), 0.5, np.float32) + noise
    assert faults.noise_level(flat) == pytest.approx(0.669 * deviation, rel=0.15)  # of the flattest parts


def test_texture_is_no_noise(photograph: np.ndarray) -> None:
    assert faults.noise_level(photograph) < faults.NOISY
    assert faults.noise_level(photograph[:100, :100]) == 0.0  # too small to tell
    dark = np.zeros((256, 256, 3), np.float32)
    assert faults.noise_level(dark) == 0.0


@pytest.mark.parametrize(
    ("quality", "noise", "said"),
    [
        (30, 0.0, "JPEG quality 30"),
        (30, 3.25, "noise of 3.2 of 255 and JPEG quality 30"),
        (0, 2.0, "noise of 2.0 of 255"),
        (61, 1.9, ""),
    ],
)
def test_faults_in_words(quality: int, noise: float, said: str) -> None:
    picture = DecodedImage(np.zeros((1, 1, 3), np.float32), metadata=Metadata(jpeg_quality=quality))
    assert faults.of_picture(picture, noise) == said


def test_the_quality_is_that_of_the_file(photograph: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(images.to_uint8(photograph)).save(buffer, "JPEG", quality=40)
    picture = images.decode_picture(buffer.getvalue(), "a.jpg")
    assert faults.of_picture(picture, 0.0) == "JPEG quality 40"
