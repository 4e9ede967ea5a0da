"""One pass of one method over a set of aligned crops: enlarge, recognize, measure image quality.

Passes stream: crops are decoded in the background, a batch at a time, and only templates and per-image figures stay.
These are kept in files, image by image, so that a stopped comparison resumes, and a comparison of a subset
is read from the files of the whole set.
"""

import contextlib
import hashlib
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Shaped

from lowres_jax.data.degradations import Degradation
from lowres_jax.evaluation import image_quality
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.recognition.recognizer import Recognizer, enrolling
from lowres_jax.runtime import signals
from lowres_jax.super_resolution.upscaler import Upscaler, enlarge_to
from lowres_jax.utils.files import write_atomically

# The two inputs that are no enlargement: the high-resolution crop (ceiling) and the low-resolution one (floor).
NONE, RAW = "none", "raw"
PLAIN = Degradation()

# An enlargement without error (of a black picture) has infinite PSNR, and so would the mean of all images.
_HIGHEST_PSNR = 100.0
# A run that is killed, not interrupted, loses at most so much.
_SECONDS_BETWEEN_SAVES = 60.0


class Source(Protocol):
    """Records by position; `data.records.RecordSource` is one."""

    def __getitem__(self, index: int, /) -> Mapping[str, Any]: ...


class MeasuredSet(Source, Protocol):
    """Records of which measurements are kept: how many there are, and a digest of their content."""

    def __len__(self) -> int: ...

    def digest(self) -> str:
        """Names the content."""


@dataclass(frozen=True, order=True)
class Method:
    """The way of a crop before it is recognized: reduced to `lr_size`, then enlarged by `upscaler`."""

    lr_size: int
    upscaler: str

    def __str__(self) -> str:
        return "HR" if self.upscaler == NONE else f"{self.upscaler} at {self.lr_size} px"


class Measurement:
    """Measurements so far of one method under one recognizer, of a set of N images, and their file.

    Attributes:
      done: (N,) bool, true for measured images; the other arrays hold nothing elsewhere.
      templates: (N, D) float32 unit vectors.
      psnr: (N,) decibels, at most 100, RGB, no border crop; NaN for `none` and `raw`, where nothing was enlarged.
      ssim: (N,), RGB, no border crop; NaN where `psnr` is.
      seconds: duration of the enlargement of `timed` images, without compilation.
      timed: number of these images.
    """

    def __init__(self, path: Path, fingerprint: str, count: int, dimension: int):
        """Reads what is kept.

        Args:
          path: an .npz file; one that is damaged, or was made from other input, counts as none.
          fingerprint: names everything that the measurement depends on.
          count: N.
          dimension: D.
        """
        self.path = path
        self._fingerprint = fingerprint
        self.done = np.zeros(count, bool)
        self.templates = np.zeros((count, dimension), np.float32)
        self.psnr, self.ssim = np.full((2, count), np.nan, np.float32)
        self.seconds, self.timed = 0.0, 0
        damaged = (FileNotFoundError, zipfile.BadZipFile, KeyError, ValueError, EOFError)
        with contextlib.suppress(*damaged), path.open("rb") as file, np.load(file) as kept:
            if str(kept["fingerprint"]) == fingerprint:
                arrays = {name: kept[name] for name in ("done", "templates", "psnr", "ssim")}
                self.seconds, self.timed = float(kept["seconds"]), int(kept["timed"])
                self.__dict__.update(arrays)

    @property
    def images_per_second(self) -> float:
        """Speed of the enlargement alone; NaN where nothing was enlarged."""
        return self.timed / self.seconds if self.seconds else float("nan")

    def save(self) -> None:
        """Writes everything to the file, whole or not at all."""
        with write_atomically(self.path) as file:
            np.savez(
                file,
                fingerprint=self._fingerprint,
                done=self.done,
                templates=self.templates,
                psnr=self.psnr,
                ssim=self.ssim,
                seconds=self.seconds,
                timed=self.timed,
            )


def load_crop(source: Source, index: int) -> Shaped[np.ndarray, "128 128 3"]:
    """The crop of one record as float32 (128, 128, 3) in [0, 1]."""
    return source[index]["image"].astype(np.float32) / np.float32(255.0)


def crop_batches(source: Source, batches: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields each batch of positions as float32 crops (B, 128, 128, 3) in [0, 1], decoded ahead in two threads."""

    def load(indices: Shaped[np.ndarray, " n"]) -> np.ndarray:
        return np.stack([load_crop(source, int(index)) for index in indices])

    with ThreadPoolExecutor(max_workers=2) as pool:
        ahead = [pool.submit(load, indices) for indices in batches[:2]]
        for indices in batches[2:]:
            yield ahead.pop(0).result()
            ahead.append(pool.submit(load, indices))
        for future in ahead:
            yield future.result()


def measure(
    method: Method,
    source: Source,
    indices: Shaped[np.ndarray, " n"],
    upscaler: Upscaler | None,
    recognizers: Mapping[str, Recognizer],
    measurements: Mapping[str, Measurement],
    batch_size: int,
    progress: Callable[[int], object],
    degradation: Degradation = PLAIN,
) -> None:
    """Runs one method over the images at `indices` and adds what it finds to the measurements, and to their files.

    What was done when an error or an interruption ends the pass is kept.

    Args:
      method: reduction and enlargement.
      source: prepared crops of 128x128.
      indices: (n,) which records.
      upscaler: enlarges the LR images; None exactly for "none" and "raw".
      recognizers: recognizers by name.
      measurements: measurements by the recognizer's name.
      batch_size: images per call; the ragged last batch is padded by upscaler and recognizer.
      progress: told how many images each batch had.
      degradation: degradation of a crop on its way to low resolution.
    """
    batches = [indices[start : start + batch_size] for start in range(0, len(indices), batch_size)]
    saved = time.monotonic()
    try:
        with signals.at_forced_end(lambda: _save(measurements)):
            for number, (batch, crops) in enumerate(zip(batches, crop_batches(source, batches), strict=True)):
                signals.check()
                images = crops if method.upscaler == NONE else degradation.reduced(crops, method.lr_size, batch)
                quality = None
                if upscaler is not None:
                    begin = time.perf_counter()
                    images = enlarge_to(upscaler, images, CROP_SIZE)
                    # The first batch compiles, and the ragged last one may.
                    seconds = time.perf_counter() - begin if number > 0 and len(batch) == batch_size else 0.0
                    psnr = np.minimum(image_quality.psnr(images, crops), _HIGHEST_PSNR)
                    quality = psnr, image_quality.ssim(images, crops)
                    for each in measurements.values():
                        each.seconds += seconds
                        each.timed += len(batch) if seconds else 0
                for name, recognizer in recognizers.items():
                    each = measurements[name]
                    reads = enrolling(recognizer) if method.upscaler == NONE else recognizer
                    each.templates[batch] = reads.templates(images)
                    if quality is not None:
                        each.psnr[batch], each.ssim[batch] = quality
                    each.done[batch] = True
                progress(len(batch))
                if time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                    saved = time.monotonic()
                    _save(measurements)
    finally:
        _save(measurements)


def _save(measurements: Mapping[str, Measurement]) -> None:
    for measurement in measurements.values():
        measurement.save()


def fingerprint(*parts: object) -> str:
    """A digest of whatever a measurement depends on, given as values with a stable `repr`."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
