"""How good a face is for recognition, from what is known of it: size, sharpness, pose, and how much a network saw.

A network that was trained with a normalized softmax gives longer embeddings to faces that it sees well (Meng et al.,
MagFace, CVPR 2021, make use of it): of what is known of a face that tells most. The numbers below are fitted to whether
a video's frame finds its person's still among 5,749 people at a false accept rate of 1 % (benchmarks/face_quality.py,
docs/clips.md).
"""

import cv2
import numpy as np

from lowres_jax.localization.detector import Face
from lowres_jax.recognition.recognizer import NetworkRecognizer, Recognizer
from lowres_jax.utils.shapes import Images

CALIBRATED_FOR = "sface"
# Weights of `features`, and the constant: the logarithm of the odds that a face finds its person.
_WEIGHTS = (0.3, 0.1, -0.5, 0.5)
_CONSTANT = -4.0
# Sharpness is told on a face reduced to so many pixels, so that it says how blurred a face is, not how large.
_SHARPNESS_SIDE = 32


def features(face: Face, native_size: int, cut: np.ndarray, length: float) -> np.ndarray:
    """What quality is made of.

    Args:
      face: as it was found.
      native_size: side of its aligned crop in pixels of the picture.
      cut: (s, s, 3) uint8, the crop before any network.
      length: of SFace's embedding, before it is brought to unit length.

    Returns:
      (4,) float64: logarithm to base 2 of the size, capped at 128 px; logarithm of the gradient's mean square at 32 px;
      how far the nose is from the middle of the eyes, in distances of the eyes (0: frontal); the length.
    """
    side = min(_SHARPNESS_SIDE, cut.shape[0])
    grey = cv2.cvtColor(cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    grey = grey.astype(np.float32)
    slopes = np.mean(np.diff(grey, axis=0) ** 2) + np.mean(np.diff(grey, axis=1) ** 2)
    aside = 0.0
    if face.landmarks is not None:
        left, right, nose = face.landmarks[:3].astype(np.float64)
        between = right - left
        aside = abs(float((nose - (left + right) / 2) @ between)) / max(float(between @ between), 1e-6)
    return np.asarray([np.log2(min(native_size, 128)), np.log(slopes + 1.0), aside, length], np.float64)


def quality(face: Face, native_size: int, cut: np.ndarray, length: float) -> float:
    """From 0 to 1: how likely a face finds its person; see `features`."""
    odds = _CONSTANT + float(np.dot(_WEIGHTS, features(face, native_size, cut, length)))
    return float(1.0 / (1.0 + np.exp(-odds)))


def templates_and_lengths(recognizer: Recognizer, crops: Images) -> tuple[np.ndarray, np.ndarray | None]:
    """Templates of crops, and the lengths of their embeddings by SFace, whose quality is known; None by others.

    Args:
      recognizer: any.
      crops: (B, H, W, 3) float32 RGB in [0, 1], B > 0.

    Returns:
      (B, D) float32 unit vectors, and (B,) lengths.
    """
    if recognizer.name != CALIBRATED_FOR or not isinstance(recognizer, NetworkRecognizer):
        return np.array(recognizer.templates(crops)), None
    embeddings = recognizer.embeddings(crops)
    lengths = np.linalg.norm(embeddings, axis=1)
    return embeddings / np.maximum(lengths, 1e-12)[:, None], lengths
