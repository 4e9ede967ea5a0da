"""Measurements: right figures, kept image by image, gone on with after an interruption, shared by subsets.

Covers `evaluation/passes.py` too.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lowres_jax.data.degradations import Degradation
from lowres_jax.evaluation import image_quality, measurement
from lowres_jax.evaluation.measurement import Measurement, Method
from lowres_jax.super_resolution.upscaler import load_upscaler


class Recognizer:
    """Takes the mean color of the four quarters as the template, and remembers how many images it saw."""

    name, input_size, dimension = "quarters", 128, 12

    def __init__(self, fails_at: int = -1):
        self.seen = 0
        self.fails_at = fails_at

    def templates(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        if 0 <= self.fails_at < self.seen:
            raise KeyboardInterrupt
        size = images.shape[1] // 2
        quarters = images.reshape(len(images), 2, size, 2, size, 3).mean(axis=(2, 4)).reshape(len(images), 12)
        return (quarters / np.linalg.norm(quarters, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def source() -> list[dict[str, np.ndarray]]:
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (11, 16, 16, 3), np.uint8)
    return [{"image": cv2.resize(image, (128, 128), interpolation=cv2.INTER_CUBIC)} for image in small]


def run(source, path: Path, method: Method, indices, recognizer: Recognizer, fingerprint: str = "a") -> Measurement:
    kept = Measurement(path / f"{method}.npz", fingerprint, len(source), 12)
    indices = np.asarray(indices)
    missing = indices[~kept.done[indices]]
    upscaler = None if method.upscaler in ("none", "raw") else load_upscaler(method.upscaler)
    recognizers, kept_by_name = {"quarters": recognizer}, {"quarters": kept}
    told: list[int] = []
    measurement.measure(method, source, missing, upscaler, recognizers, kept_by_name, 4, told.append)
    assert sum(told) == len(missing)
    return kept


@pytest.mark.parametrize("upscaler", ["none", "raw", "bilinear"])
def test_figures_are_those_of_each_image_alone(source, tmp_path: Path, upscaler: str) -> None:
    found = run(source, tmp_path, Method(16, upscaler), range(11), Recognizer())
    assert found.done.all()
    for index in (0, 5, 10):
        crop = source[index]["image"].astype(np.float32)[None] / np.float32(255)
        image = crop
        if upscaler != "none":
            image = cv2.resize(crop[0], (16, 16), interpolation=cv2.INTER_AREA)[None]
        if upscaler == "bilinear":
            image = cv2.resize(image[0], (128, 128), interpolation=cv2.INTER_LINEAR)[None]
            # x4 gives 64 px; the rest is bicubic by the protocol.
            image = cv2.resize(crop[0], (16, 16), interpolation=cv2.INTER_AREA)
            image = cv2.resize(image, (64, 64), interpolation=cv2.INTER_LINEAR)
            image = cv2.resize(image, (128, 128), interpolation=cv2.INTER_CUBIC)[None].clip(0, 1)
            assert found.psnr[index] == pytest.approx(image_quality.psnr(image, crop)[0], abs=1e-3)
            assert found.ssim[index] == pytest.approx(image_quality.ssim(image, crop)[0], abs=1e-4)
        np.testing.assert_allclose(found.templates[index], Recognizer().templates(image)[0], atol=1e-5)
    if upscaler == "bilinear":
        assert found.timed == 4  # The first batch compiles, the last is ragged.
        assert found.images_per_second > 0
    else:
        assert np.isnan([*found.psnr, *found.ssim, found.images_per_second]).all()


def test_an_interrupted_pass_goes_on_and_a_subset_is_read_from_the_whole(source, tmp_path: Path) -> None:
    method = Method(32, "bicubic")
    whole = run(source, tmp_path / "whole", method, range(11), Recognizer())
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path, method, range(11), Recognizer(fails_at=8))
    # Two batches of four were done.
    second = Recognizer()
    found = run(source, tmp_path, method, range(11), second)
    assert second.seen == 3
    np.testing.assert_array_equal(found.templates, whole.templates)
    np.testing.assert_array_equal(found.psnr, whole.psnr)
    third = Recognizer()
    subset = run(source, tmp_path, method, [2, 9], third)
    assert third.seen == 0
    np.testing.assert_array_equal(subset.templates[[2, 9]], whole.templates[[2, 9]])


def test_a_subset_grows(source, tmp_path: Path) -> None:
    method, recognizer = Method(32, "bilinear"), Recognizer()
    found = run(source, tmp_path, method, [1, 3], recognizer)
    assert found.done.tolist() == [index in (1, 3) for index in range(11)]
    found = run(source, tmp_path, method, range(5), recognizer)
    assert (recognizer.seen, found.done.sum()) == (5, 5)


def test_other_input_or_a_damaged_file_is_measured_anew(source, tmp_path: Path) -> None:
    method = Method(32, "bilinear")
    run(source, tmp_path, method, range(4), Recognizer(), fingerprint="a")
    again = Recognizer()
    run(source, tmp_path, method, range(4), again, fingerprint="b")
    assert again.seen == 4
    (path,) = tmp_path.glob("*.npz")
    for content in (b"", b"no archive", path.read_bytes()[:-900]):
        path.write_bytes(content)
        again = Recognizer()
        run(source, tmp_path, method, range(4), again, fingerprint="b")
        assert again.seen == 4


def test_a_degradation_is_that_of_each_image_alone(source, tmp_path: Path) -> None:
    """In whatever batch and order images come, everyone's blur, noise and compression are its own."""
    degradation = Degradation(blur=(0.3, 0.9), noise=(2.0, 8.0), jpeg=(40, 80))
    method, recognizer = Method(16, "raw"), Recognizer()
    kept = Measurement(tmp_path / "kept.npz", "a", len(source), 12)
    for indices in ([7, 2], [10, 0, 5]):
        by_name = {"quarters": kept}
        arguments = (method, source, np.asarray(indices), None, {"quarters": recognizer}, by_name, 2, lambda _: None)
        measurement.measure(*arguments, degradation=degradation)
    for index in (0, 2, 5, 7, 10):
        crop = source[index]["image"].astype(np.float32) / np.float32(255)
        image = degradation.apply(crop, 16, np.random.default_rng((16, index)))[None]
        np.testing.assert_allclose(kept.templates[index], Recognizer().templates(image)[0], atol=1e-6)
        plain = cv2.resize(crop, (16, 16), interpolation=cv2.INTER_AREA)[None]
        assert np.abs(kept.templates[index] - Recognizer().templates(plain)[0]).max() > 1e-3


def test_originals_are_read_by_what_enrolls(source, tmp_path: Path) -> None:
    """A recognizer of small faces is compared with templates that another one made of the originals."""
    plain, small = Recognizer(), Recognizer()
    small.enrolls = plain  # type: ignore[attr-defined]
    run(source, tmp_path, Method(128, "none"), range(11), small)
    assert (plain.seen, small.seen) == (11, 0)
    run(source, tmp_path, Method(16, "bilinear"), range(11), small)
    assert (plain.seen, small.seen) == (11, 11)
