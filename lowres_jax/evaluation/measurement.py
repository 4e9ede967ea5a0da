"""One pass of one method over a set of aligned crops: enlarge, recognise, measure image quality.

Passes stream: crops are decoded in the background, a batch at a time, and only templates and per-image figures stay.
A finished pass is kept in the workdir, so that a stopped comparison goes on where it was.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lowres_jax.data import resize
from lowres_jax.data.records import RecordSource
from lowres_jax.evaluation import image_quality
from lowres_jax.files import write_atomically
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.super_resolution.upscaler import Upscaler, enlarge_to

# The two inputs that are no enlargement: the high-resolution crop (ceiling) and the low-resolution one (floor).
NONE, RAW = "none", "raw"
CROP_SIZE = 128


@dataclass(frozen=True, order=True)
class Method:
    """What is done to a crop before it is recognised: reduced to `lr_size`, then enlarged by `upscaler`."""

    lr_size: int
    upscaler: str

    def __str__(self) -> str:
        return "HR" if self.upscaler == NONE else f"{self.upscaler} at {self.lr_size} px"


@dataclass(frozen=True)
class Measurement:
    """Everything one pass leaves, in the order of the images.

    Attributes:
      templates: recogniser name -> (N, D) float32 unit vectors.
      psnr: (N,) decibels, RGB, no border crop; NaN for `none` and `raw`, which have no enlarged image to compare.
      ssim: (N,), RGB, no border crop; NaN likewise.
      images_per_second: of the enlargement alone, compilation excluded; NaN likewise.
    """

    templates: dict[str, np.ndarray]
    psnr: np.ndarray
    ssim: np.ndarray
    images_per_second: float


def low_resolution(crops: np.ndarray, size: int) -> np.ndarray:
    """The LR images of the protocol: antialiased area downscale of (B, 128, 128, 3) crops to (B, size, size, 3)."""
    return np.stack([resize.downscale_area(crop, size, size) for crop in crops])


def crop_batches(source: RecordSource, indices: Sequence[int], batch_size: int) -> Iterator[np.ndarray]:
    """Yields the crops at `indices` as float32 (B, 128, 128, 3) in [0, 1], decoded ahead in two threads."""
    starts = range(0, len(indices), batch_size)

    def load(start: int) -> np.ndarray:
        images = [source[int(index)]["image"] for index in indices[start : start + batch_size]]
        return np.stack(images).astype(np.float32) / np.float32(255.0)

    with ThreadPoolExecutor(max_workers=2) as pool:
        ahead = [pool.submit(load, start) for start in starts[:2]]
        for start in starts[2:]:
            yield ahead.pop(0).result()
            ahead.append(pool.submit(load, start))
        for future in ahead:
            yield future.result()


def measure(
    method: Method,
    source: RecordSource,
    indices: Sequence[int],
    upscaler: Upscaler | None,
    recognizers: Mapping[str, Recognizer],
    batch_size: int,
) -> Measurement:
    """Runs one method over the images at `indices`.

    Args:
      method: what to do; `upscaler` must be None exactly for "none" and "raw".
      source: prepared crops of 128x128.
      indices: which records, in which order.
      upscaler: enlarges the LR images.
      recognizers: by name.
      batch_size: images per compiled call; the ragged last batch is padded by upscaler and recogniser.
    """
    templates: dict[str, list[np.ndarray]] = {name: [] for name in recognizers}
    psnr, ssim = [], []
    seconds, timed_images = 0.0, 0
    with tqdm(total=len(indices), desc=str(method), unit="image", dynamic_ncols=True) as progress:
        for number, crops in enumerate(crop_batches(source, indices, batch_size)):
            images = crops if method.upscaler == NONE else low_resolution(crops, method.lr_size)
            if upscaler is not None:
                begin = time.perf_counter()
                images = enlarge_to(upscaler, images, CROP_SIZE)
                if number > 0 or len(indices) <= batch_size:  # the first batch compiles
                    seconds += time.perf_counter() - begin
                    timed_images += len(crops)
                psnr.append(image_quality.psnr(images, crops))
                ssim.append(image_quality.ssim(images, crops))
            for name, recognizer in recognizers.items():
                templates[name].append(recognizer.templates(images))
            progress.update(len(crops))
    missing = np.full(len(indices), np.nan, np.float32)
    return Measurement(
        templates={name: np.concatenate(parts) for name, parts in templates.items()},
        psnr=np.concatenate(psnr) if psnr else missing,
        ssim=np.concatenate(ssim) if ssim else missing,
        images_per_second=timed_images / seconds if seconds else float("nan"),
    )


def kept(path: Path, fingerprint: str, compute: Callable[[], Measurement]) -> Measurement:
    """The measurement kept at `path` if it was made from the same input, else a new one, kept there for next time.

    Args:
      path: an .npz file in the workdir.
      fingerprint: names everything the measurement depends on; a kept one with another fingerprint is made anew.
      compute: makes the measurement.
    """
    if path.exists():
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays["fingerprint"]) == fingerprint:
                names = [name.removeprefix("templates_") for name in arrays.files if name.startswith("templates_")]
                return Measurement(
                    templates={name: arrays[f"templates_{name}"] for name in names},
                    psnr=arrays["psnr"],
                    ssim=arrays["ssim"],
                    images_per_second=float(arrays["images_per_second"]),
                )
    measurement = compute()
    arrays = {f"templates_{name}": value for name, value in measurement.templates.items()}
    with write_atomically(path) as file:
        np.savez(
            file,
            fingerprint=fingerprint,
            psnr=measurement.psnr,
            ssim=measurement.ssim,
            images_per_second=measurement.images_per_second,
            **arrays,
        )
    return measurement


def fingerprint(*parts: object) -> str:
    """A digest of whatever a measurement depends on, given as values with a stable `repr`."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
