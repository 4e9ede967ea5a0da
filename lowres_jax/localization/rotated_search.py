"""Second detection where nothing upright is found: with a border around the picture, and with the picture turned.

A face that fills the picture lacks the surroundings that detectors look for, and neither detector knows turned faces:
of 65 photographs MTCNN missed between 45 and 60 when they stood on their head or lay on a side, and what it found there
it was less sure of than of the same face upright, every time.
"""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from lowres_jax.localization import align
from lowres_jax.localization.detector import Detector, Face

# Of the shorter side (a face is not larger), on each side.
_BORDER = 0.3
# Pictures of more pixels are searched in a reduced copy, by a factor that no face of 40 pixels is lost by.
LARGE_PIXELS = 8_000_000
_SMALLEST_FACTOR = 0.55
# In another look, whose border makes a picture up to 2.6 times as large: there small faces of large pictures are lost.
_AGAIN_PIXELS = 1_500_000


def detect(detector: Detector, images: Sequence[np.ndarray], look_again: bool = True) -> list[list[Face]]:
    """Faces of each image, found upright or not, in the coordinates of the images as they are.

    Args:
      detector: any.
      images: (H, W, 3) float32 RGB in [0, 1] each.
      look_again: true if an image without a face that the detector is sure of gets another look; else this is
        `detector.detect_batch`.

    Returns:
      For each image its faces, highest score first. Turned ones have landmarks in any case, by which
      `align.crop_transform` makes their crops upright, and say in `turned` how the picture has to be turned.
    """
    found = detector.detect_batch(images)
    if not look_again:
        return found
    for number, faces in enumerate(found):
        if faces and faces[0].score >= detector.sure_score:
            continue
        image, factor = shrink_large(images[number], _AGAIN_PIXELS, 0.0)
        if not faces:
            border = round(_BORDER * min(image.shape[:2]))
            image = np.pad(image, [(border, border), (border, border), (0, 0)], mode="edge")
            faces = [_moved(face, -border) for face in detector.detect(image)]
        else:
            faces, border = [scaled(face, factor) for face in faces], 0
        for quarters in (1, 2, 3):
            turned = np.ascontiguousarray(np.rot90(image, -quarters))
            other = detector.detect(turned)
            # A false hit in a turned group picture must not take the place of all its faces.
            enough = 2 * len(other) >= len(faces)
            if other and enough and (not faces or other[0].score > faces[0].score):
                faces = [_moved(turned_back(face, image.shape, quarters), -border) for face in other]
        found[number] = [scaled(face, 1 / factor) for face in faces]
    return found


def shrink_large(
    image: Float[np.ndarray, "H W C"], pixels: int = LARGE_PIXELS, smallest: float = _SMALLEST_FACTOR
) -> tuple[np.ndarray, float]:
    """A picture of more than so many pixels reduced to them by area averaging, but by no less than a factor.

    Args:
      image: (H, W, C) float32.
      pixels: largest number of pixels.
      smallest: least factor.

    Returns:
      The picture, and the factor; 1 for pictures that stay.
    """
    height, width = image.shape[:2]
    if height * width <= pixels:
        return image, 1.0
    factor = max((pixels / (height * width)) ** 0.5, smallest)
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), factor


def scaled(face: Face, factor: float) -> Face:
    """The same face in a picture enlarged by a factor; landmarks are between pixel centers."""
    landmarks = None if face.landmarks is None else ((face.landmarks + 0.5) * factor - 0.5).astype(np.float32)
    return dataclasses.replace(face, box=(face.box * factor).astype(np.float32), landmarks=landmarks)


def _moved(face: Face, shift: float) -> Face:
    landmarks = None if face.landmarks is None else (face.landmarks + shift).astype(np.float32)
    return dataclasses.replace(face, box=(face.box + shift).astype(np.float32), landmarks=landmarks)


def turned_back(face: Face, shape: tuple[int, ...], quarters: int) -> Face:
    """A face of `np.rot90(image, -quarters)` in the coordinates of the image.

    Args:
      face: face in the picture turned clockwise.
      shape: shape of the image, height and width first.
      quarters: turns by 90 degrees, 0 to 3.
    """
    height, width = shape[:2]
    turned_shape = (width, height) if quarters % 2 else (height, width)
    landmarks = face.landmarks
    if landmarks is None:
        # Only landmarks can say which side of the box is up: those of the crop that an upright box gets.
        matrix = align.crop_transform(face, turned_shape, align.TEMPLATE_SIZE)
        landmarks = cv2.transform(align.TEMPLATE[None], cv2.invertAffineTransform(matrix))[0]
    corners = np.asarray(face.box, np.float64).reshape(2, 2)
    points = np.asarray(landmarks, np.float64)
    for _ in range(quarters):
        # What lies x from the left of the turned picture lies x from the bottom of the one before: the last turn's
        # picture is as high as the turned one is wide.
        side = turned_shape[1]
        corners = np.stack([corners[:, 1], side - corners[:, 0]], axis=1)
        points = np.stack([points[:, 1], side - 1 - points[:, 0]], axis=1)
        turned_shape = turned_shape[::-1]
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)]).astype(np.float32)
    return Face(box, face.score, points.astype(np.float32), turned=90 * quarters)
