"""Outcome of a picture under two detectors: the five kinds of Orsini and Rossi 2022, measured.

Nobody has marked the faces of a user's folder, so MTCNN, which finds more and has landmarks, is the reference, and the
landmarks say what kind of face it is. All of it is a rule of thumb that the gallery lets one judge by eye.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, Shaped

from lowres_jax.localization import align
from lowres_jax.localization.detector import Face

Outcome = Literal["agree", "lower_confidence", "profile", "accessories", "normal", "only_haar", "none"]

# In the order of the gallery.
DESCRIPTIONS: dict[Outcome, str] = {
    "agree": "both find the same face",
    "lower_confidence": "Haar finds the face, with low confidence",
    "profile": "Haar fails on a turned head",
    "accessories": "Haar fails with glasses",
    "normal": "Haar fails on a normal picture",
    "only_haar": "only Haar reports a face",
    "none": "neither finds a face",
}

# Intersection over union of the aligned squares: half a face aside is another face.
_SAME_FACE = 0.4
# How far the nose is from the middle of the eyes, in units of their distance: 0 frontal, .5 above an eye.
_TURNED = 0.25
# Edges across the bridge of the nose in units of the face's contrast. On 40 ORL people every pair of glasses lies above
# (.52 to 1.31), and one face of 28 without any (.63).
_GLASSES = 0.5


@dataclass(frozen=True)
class Detection:
    """Choice of both detectors in one picture, and the name of the outcome.

    Attributes:
      mtcnn: face by MTCNN, or None.
      haar: face by Haar, or None.
      outcome: see `DESCRIPTIONS`.
    """

    mtcnn: Face | None
    haar: Face | None
    outcome: Outcome


def classify(
    image: Float[np.ndarray, "H W 3"], mtcnn: Face | None, haar: Face | None, low_confidence: float
) -> Detection:
    """Names the outcome of one picture.

    Args:
      image: (H, W, 3) float32 RGB in [0, 1].
      mtcnn: chosen by MTCNN, with landmarks.
      haar: chosen by Haar.
      low_confidence: Haar's scores below this are low.
    """
    return Detection(mtcnn, haar, _outcome(image, mtcnn, haar, low_confidence))


def _outcome(image: np.ndarray, mtcnn: Face | None, haar: Face | None, low_confidence: float) -> Outcome:
    if mtcnn is None:
        return "none" if haar is None else "only_haar"
    if haar is not None and overlap(mtcnn, haar, image.shape) >= _SAME_FACE:
        return "lower_confidence" if haar.score < low_confidence else "agree"
    assert mtcnn.landmarks is not None
    if turn(mtcnn.landmarks) > _TURNED:
        return "profile"
    return "accessories" if bridge_edges(align.align(image, mtcnn.landmarks)) > _GLASSES else "normal"


def overlap(first: Face, second: Face, image_shape: tuple[int, ...]) -> float:
    """Intersection over union of two faces' aligned squares, whatever each detector's box means."""
    squares = [_square(face, image_shape) for face in (first, second)]
    sides = np.maximum(0, np.minimum(*[high for _, high in squares]) - np.maximum(*[low for low, _ in squares]))
    areas = [float(np.prod(high - low)) for low, high in squares]
    shared = float(np.prod(sides))
    return shared / (sum(areas) - shared)


def _square(face: Face, image_shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The upright square around a face's crop: its lower and upper corner in pixels."""
    matrix = align.crop_transform(face, image_shape)
    center = cv2.invertAffineTransform(matrix) @ [align.CROP_SIZE / 2 - 0.5, align.CROP_SIZE / 2 - 0.5, 1]
    half = align.CROP_SIZE / np.hypot(matrix[0, 0], matrix[1, 0]) / 2
    return center - half, center + half


def turn(landmarks: Shaped[np.ndarray, "5 2"]) -> float:
    """Distance of the nose from the middle between the eyes, along their line, in units of the eyes' distance.

    Args:
      landmarks: (5, 2) as in `Face`.
    """
    left, right, nose = landmarks[:3].astype(np.float64)
    along = right - left
    return abs(float((nose - left) @ along / max(float(along @ along), 1e-9)) - 0.5)


def bridge_edges(crop: Float[np.ndarray, "128 128 3"]) -> float:
    """Strength of horizontal edges across the bridge of the nose, which glasses have and noses do not.

    Args:
      crop: (128, 128, 3) float32 RGB in [0, 1], aligned.
    """
    gray = cv2.cvtColor(np.asarray(crop, np.float32), cv2.COLOR_RGB2GRAY)
    edges = np.abs(cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3)) / 8
    return float(edges[50:72, 57:71].max(axis=0).mean() / max(float(gray[40:110, 30:98].std()), 1e-6))
