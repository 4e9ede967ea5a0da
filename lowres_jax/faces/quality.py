"""Quality of a face for recognition: from its size, and from the length of its embedding.

A network that was trained with a normalized softmax gives longer embeddings to faces that it sees well (Meng et al.,
MagFace, CVPR 2021, make use of it). The numbers below are fitted to whether a video's frame finds its person's still
among 5,749 people at a false accept rate of 1 %; sharpness, pose by the landmarks, and steadiness told nothing beside
these two (docs/clips.md).
"""

import numpy as np

from lowres_jax.recognition.recognizer import NetworkRecognizer, Recognizer
from lowres_jax.utils.shapes import Images

# Of other recognizers the lengths mean something else.
CALIBRATED_FOR = "sface"
# Weights of `features`, and the constant: the logarithm of the odds that a face finds its person.
_WEIGHTS, _CONSTANT = (0.368, 1.083), -14.586
# A larger face is reduced before it is recognized.
_LARGEST = 128


def features(native_size: int, length: float) -> tuple[float, float]:
    """Inputs of quality: logarithm to base 2 of the size, and the length.

    Args:
      native_size: side of the face's aligned crop in pixels of the picture.
      length: length of SFace's embedding, before normalization.
    """
    return float(np.log2(min(native_size, _LARGEST))), length


def quality(native_size: int, length: float) -> float:
    """From 0 to 1: how likely a face finds its person; see `features`."""
    odds = _CONSTANT + float(np.dot(_WEIGHTS, features(native_size, length)))
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
