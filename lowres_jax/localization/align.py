"""Photograph -> aligned crop: the ArcFace five-point template, and what stands in for it without landmarks.

One framing serves preparation, training, evaluation, `identify` and `enhance`: the template of ArcFace (Deng et al.,
https://arxiv.org/abs/1801.07698), made for 112 x 112 pixels, times size / 112.
"""

import math

import cv2
import numpy as np
from jaxtyping import Float, Shaped

from lowres_jax.localization.detector import Face

CROP_SIZE = 128
TEMPLATE_SIZE = 112
# Eye at the left, eye at the right, nose, corners of the mouth; x, y.
TEMPLATE = np.asarray(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
# The crop's square in units of the box, where a detector gives no landmarks: where the crop that MTCNN's landmarks give
# lies in the box of the Haar cascade, medians over every eleventh image of LFW (the side varies by 8 %).
_BOX_CENTER = (0.5, 0.43)
_BOX_SIDE = 1.14
# The same in units of the picture's shorter side, where no face was found.
_PICTURE_CENTER = (0.5, 0.466)
_PICTURE_SIDE = 0.524
# Bicubic interpolation looks at four pixels a direction: a reduction by more than this would skip some (aliasing).
_SMALLEST_SCALE = 0.75
_LARGEST_FACTOR = 32  # of the finer crop: 4096 pixels, 200 MB


def similarity_transform(
    source: Shaped[np.ndarray, "n 2"], target: Shaped[np.ndarray, "n 2"]
) -> Float[np.ndarray, "2 3"]:
    """The rotation, uniform scale and shift that bring points nearest to others (least squares; Umeyama, PAMI 1991).

    Args:
      source: (n, 2) x, y, not all equal.
      target: (n, 2).

    Returns:
      (2, 3) float64: `matrix @ [x, y, 1]`.
    """
    source_complex = np.asarray(source, np.float64) @ [1, 1j]
    target_complex = np.asarray(target, np.float64) @ [1, 1j]
    centered = source_complex - source_complex.mean()
    factor = np.vdot(centered, target_complex - target_complex.mean()) / np.vdot(centered, centered)
    shift = target_complex.mean() - factor * source_complex.mean()
    return np.asarray([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def crop_transform(face: Face | None, image_shape: tuple[int, ...], size: int = CROP_SIZE) -> Float[np.ndarray, "2 3"]:
    """The similarity that maps pixels of a photograph to pixels of the aligned crop.

    By the landmarks where there are some; by the box (Haar) upright, on the same framing; a face that was not found
    (None) is taken to be where LFW has it, in the middle of the picture.

    Args:
      face: face in the photograph.
      image_shape: shape of the photograph, height and width first.
      size: side of the crop in pixels.

    Returns:
      (2, 3) float64 matrix between pixel centers, as `cv2.warpAffine` takes it.
    """
    if face is not None and face.landmarks is not None:
        return similarity_transform(face.landmarks, TEMPLATE * (size / TEMPLATE_SIZE))
    if face is not None:
        x0, y0, x1, y1 = (float(value) for value in face.box)
        width, height = x1 - x0, y1 - y0
        center = x0 + width * _BOX_CENTER[0], y0 + height * _BOX_CENTER[1]
        side = max(width, height) * _BOX_SIDE
    else:
        height, width = image_shape[:2]
        center = width * _PICTURE_CENTER[0], height * _PICTURE_CENTER[1]
        side = min(height, width) * _PICTURE_SIDE
    scale = size / max(side, 1.0)
    # Pixel centers: the crop's left edge, -0.5, lies on the square's left edge.
    left, top = center[0] - side / 2 - 0.5, center[1] - side / 2 - 0.5
    return np.asarray([[scale, 0.0, -0.5 - scale * left], [0.0, scale, -0.5 - scale * top]])


def warp(
    image: Float[np.ndarray, "H W 3"], matrix: Shaped[np.ndarray, "2 3"], size: int = CROP_SIZE
) -> Float[np.ndarray, "size size 3"]:
    """Cuts a crop out of a photograph by bicubic interpolation; of a larger face a finer crop, reduced by area.

    Args:
      image: (H, W, 3) float32 RGB in [0, 1].
      matrix: (2, 3) similarity, photograph -> crop (`crop_transform`).
      size: side of the crop in pixels.

    Returns:
      (size, size, 3) float32 RGB in [0, 1]; beyond its border the outermost pixels are repeated.
    """
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    factor = 1 if scale >= _SMALLEST_SCALE else min(math.ceil(1 / scale - 1e-9), _LARGEST_FACTOR)
    # Pixel p of the crop covers pixels factor * p ... factor * p + factor - 1 of the finer crop.
    finer = factor * np.asarray(matrix, np.float64)
    finer[:, 2] += (factor - 1) / 2
    crop = cv2.warpAffine(
        image, finer, (size * factor, size * factor), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    if factor > 1:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return np.clip(crop, 0.0, 1.0)


def align(
    image: Float[np.ndarray, "H W 3"], landmarks: Shaped[np.ndarray, "5 2"], size: int = CROP_SIZE
) -> Float[np.ndarray, "size size 3"]:
    """The crop in which a face's five landmarks lie nearest the ArcFace template.

    Args:
      image: (H, W, 3) float32 RGB in [0, 1].
      landmarks: (5, 2) x, y in pixels, in the order of `Face.landmarks`.
      size: side of the crop in pixels.

    Returns:
      (size, size, 3) float32 RGB in [0, 1].
    """
    face = Face(box=np.zeros(4, np.float32), score=1.0, landmarks=landmarks)
    return crop_face(image, face, size)


def crop_face(
    image: Shaped[np.ndarray, "H W 3"], face: Face | None, size: int = CROP_SIZE
) -> Shaped[np.ndarray, "size size 3"]:
    """The aligned crop of a face, or the picture's middle if there is none; see `crop_transform` and `warp`."""
    return warp(image, crop_transform(face, image.shape, size), size)
