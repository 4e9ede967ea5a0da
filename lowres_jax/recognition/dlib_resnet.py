"""dlib's face recognizer, the outside judge: no model of this project was ever trained against it.

A ResNet of 29 convolutions that Davis King trained on some three million faces, run by dlib itself (package `dlib-bin`,
the extra "judges") on the CPU: 15 to 30 faces a second. http://blog.dlib.net/2017/02/high-quality-face-recognition.html
"""

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8

from lowres_jax.data import resize
from lowres_jax.errors import UserError
from lowres_jax.localization.align import TEMPLATE, TEMPLATE_SIZE, similarity_transform
from lowres_jax.pretrained import cards
from lowres_jax.runtime.signals import interruptible

_CHIP = 150
# Where dlib's alignment (get_face_chip with padding .25) brings the eyes' centers, the nose's tip and the mouth's
# corners: from the mean face shape in dlib/image_transforms/interpolation.h.
_PADDING = 0.25
_MEAN_SHAPE = np.asarray(
    [[0.225492, 0.215990], [0.754761, 0.215990], [0.490127, 0.515625], [0.254149, 0.780233], [0.726104, 0.780233]]
)
CHIP_TEMPLATE = (_MEAN_SHAPE + _PADDING) / (1 + 2 * _PADDING) * _CHIP
_BATCH = 32


class DlibRecognizer:
    """A `Recognizer` by dlib.

    Attributes:
      name: "dlib".
      input_size: 128: of the aligned crops that it takes; dlib's own chips are cut out of them.
      dimension: 128.
    """

    input_size, dimension = 128, 128

    def __init__(self, card: cards.Card, weights: str | None = None):
        """Loads dlib and its network.

        Args:
          card: model card with the weight file.
          weights: another file of the same format.

        Raises:
          UserError: dlib is not installed, or the weights are missing or damaged.
        """
        self.name = card.name
        try:
            import dlib
        except ImportError as error:
            raise UserError(
                f"recognizer {card.name}: dlib is not installed; run: pip install 'lowres-jax[judges]'"
                f"{_fetching(card, weights)}"
            ) from error
        path = cards.weight_path(card, weights)
        try:
            self._network = dlib.face_recognition_model_v1(str(path))
        except RuntimeError as error:
            raise UserError(f"{path}: not dlib's face recognizer ({str(error).strip()})") from error

    def templates(self, images: Shaped[np.ndarray, "B H W C"]) -> Float[np.ndarray, "B D"]:
        """See `Recognizer.templates`; an image smaller than 128 is enlarged by nearest neighbor first."""
        found = np.zeros((len(images), self.dimension), np.float32)
        for start in interruptible(range(0, len(images), _BATCH)):
            chips = [chip(image) for image in images[start : start + _BATCH]]
            found[start : start + len(chips)] = np.asarray(self._network.compute_face_descriptor(chips))
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)


def chip(image: Float[np.ndarray, "s s 3"]) -> UInt8[np.ndarray, "150 150 3"]:
    """An aligned crop, (s, s, 3) float32 in [0, 1] -> dlib's chip of the same face, (150, 150, 3) uint8."""
    if len(image) < DlibRecognizer.input_size:
        image = resize.nearest(image, DlibRecognizer.input_size, DlibRecognizer.input_size)
    matrix = similarity_transform(TEMPLATE * (len(image) / TEMPLATE_SIZE), CHIP_TEMPLATE)
    moved = cv2.warpAffine(image, matrix, (_CHIP, _CHIP), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.round(np.clip(moved, 0.0, 1.0) * 255.0).astype(np.uint8)


def _fetching(card: cards.Card, weights: str | None) -> str:
    """The command that fetches the weights too, where they are missing besides; "" otherwise."""
    try:
        cards.weight_path(card, weights)
    except UserError:
        return f" && python -m lowres_jax.pretrained.fetch {card.weights['fetch']}"
    return ""
