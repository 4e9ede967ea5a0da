"""What becomes of a face when the photograph, and not a crop that was cut from it, is small."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lowres_jax.data import resize
from lowres_jax.localization import paste
from lowres_jax.localization.detector import Detector, Face, choose
from lowres_jax.localization.rotated_search import scaled
from lowres_jax.super_resolution.tiling import upscale_each
from lowres_jax.super_resolution.upscaler import Upscaler

# A face is found where its landmarks lie, on the average, within this share of the distance between the eyes.
FOUND_WITHIN = 0.5


@dataclass(frozen=True)
class Original:
    """A photograph and its face.

    Attributes:
      image: (H, W, 3) float32 RGB in [0, 1].
      face: with landmarks.
      person: number of the person.
    """

    image: np.ndarray
    face: Face
    person: int


def reduced(original: Original, size: int) -> tuple[np.ndarray, Face]:
    """The photograph reduced by area until its face's aligned crop has `size` pixels a side, and the face there.

    A photograph whose face is smaller already stays as it is.
    """
    image = original.image
    factor = min(1.0, size / paste.native_size(original.face, image.shape))
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    # Sides are whole numbers, so that both directions may differ by a hair.
    return resize.resize(image, height, width), scaled(original.face, width / image.shape[1])


def found(detector: Detector, photographs: Sequence[np.ndarray], upscaler: Upscaler | None) -> list[Face | None]:
    """The face nearest the middle of each small photograph, in its pixels; None where none is found.

    Args:
      detector: any with landmarks.
      photographs: small ones.
      upscaler: what enlarges the whole photograph before; None: nothing.
    """
    shown = list(photographs) if upscaler is None else upscale_each(upscaler, photographs)
    scale = 1 if upscaler is None else upscaler.scale
    found_in = detector.detect_batch([_padded(image) for image in shown])
    faces = [choose(each, image.shape, "nearest_centre") for each, image in zip(found_in, shown, strict=True)]
    return [None if face is None else scaled(face, 1 / scale) for face in faces]


def _padded(image: np.ndarray) -> np.ndarray:
    """Continued by its outermost pixels, to the right and below, to sides that are multiples of 32.

    Each photograph is reduced by a factor of its own, and detectors compile a program for each shape.
    """
    (height, width), multiple = image.shape[:2], 32
    return np.pad(image, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="edge")


def landmark_error(face: Face | None, truth: Face) -> float:
    """Mean distance of the five landmarks to the true ones, in distances between the eyes; infinite without a face."""
    if face is None or face.landmarks is None or truth.landmarks is None:
        return float("inf")
    eyes = float(np.linalg.norm(truth.landmarks[0] - truth.landmarks[1]))
    return float(np.linalg.norm(face.landmarks - truth.landmarks, axis=1).mean() / eyes)
