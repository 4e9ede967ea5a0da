"""Face detection as the other stages know it: a face, a detector, and the choice of one of several faces."""

import functools
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from jaxtyping import Float

from lowres_jax.errors import UserError
from lowres_jax.runtime import configuration

Rule = Literal["highest_score", "nearest_center", "largest"]


@dataclass(frozen=True)
class Face:
    """A face found in an image.

    Attributes:
      box: (4,) float32 x0, y0, x1, y1 in pixels of the image.
      score: the detector's own; comparable only between faces of one detector.
      landmarks: (5, 2) float32 x, y in pixels: the eye at the left of the image, the eye at its right, the nose, the
        left and the right corner of the mouth; None where the detector has none. Of a turned face: as in the upright
        picture.
      turned: degrees by which the picture has to be turned clockwise for the face to stand upright: 0, 90, 180, 270.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray | None = None
    turned: int = 0


class Detector(Protocol):
    """A face detector.

    Attributes:
      name: "haar" or "mtcnn".
      sure_score: a picture whose best face has this score or more stands upright beyond doubt.
    """

    name: str
    sure_score: float

    def detect(self, image: Float[np.ndarray, "H W 3"]) -> list[Face]:
        """Faces of an image, (H, W, 3) float32 RGB in [0, 1], highest score first."""

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """`detect` for each of several images of any sizes."""


@functools.cache
def load_detector(name: str) -> Detector:
    """Loads a detector, once a process: a module of this package with a class `Model`.

    Raises:
      UserError: there is no such detector.
    """
    valid = ["haar", "mtcnn"]
    if name not in valid:
        raise UserError(f"detector {name!r}: no such detector; {configuration.nearest(name, valid)}")
    return importlib.import_module(f"lowres_jax.localization.{name}").Model()


def choose(faces: Sequence[Face], image_shape: tuple[int, ...], rule: Rule = "highest_score") -> Face | None:
    """The face that is meant, where a picture is to give one.

    Args:
      faces: highest score first.
      image_shape: height and width first.
      rule: "highest_score", as Orsini and Rossi 2022; "nearest_center": the box whose center is nearest the picture's,
        measured in its own sizes, so that a large face a little aside wins over a tiny one in the middle; "largest".

    Returns:
      One of the faces, or None if there are none.

    Raises:
      UserError: there is no such rule.
    """
    if rule not in get_args(Rule):
        raise UserError(f"rule {rule!r}: no such rule; {configuration.nearest(rule, list(get_args(Rule)))}")
    if not faces:
        return None
    boxes = np.stack([face.box for face in faces]).astype(np.float64)
    sizes = np.sqrt(np.maximum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), 1e-6))
    if rule == "highest_score":
        return faces[int(np.argmax([face.score for face in faces]))]
    if rule == "largest":
        return faces[int(np.argmax(sizes))]
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    picture_center = np.asarray([image_shape[1], image_shape[0]]) / 2
    return faces[int(np.argmin(np.linalg.norm(centers - picture_center, axis=1) / sizes))]
