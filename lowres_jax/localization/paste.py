"""The way back: an enlarged aligned crop into the enlarged photograph, with a soft edge."""

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8

from lowres_jax.localization.align import crop_transform, warp
from lowres_jax.localization.detector import Face

# The mask is a rounded square: one within this part of the crop's half side, zero from the second on.
_OPAQUE, _TRANSPARENT = 0.65, 0.97
_ROUNDNESS = 4  # 2 is an ellipse, infinity the square itself
# Colors are matched over neighborhoods of this part of the crop's side.
_COLOR_REACH = 0.08
_SMALLEST_CROP = 8
# OpenCV's warp addresses pixels by 16-bit numbers.
_LARGEST_SIDE = 32_000


def native_size(face: Face, image_shape: tuple[int, ...]) -> int:
    """Side of the aligned crop that has as many pixels as the photograph has there, at least 8."""
    unit = 128
    matrix = crop_transform(face, image_shape, unit)
    return max(round(unit / float(np.hypot(matrix[0, 0], matrix[1, 0]))), _SMALLEST_CROP)


def cut_face(image: Float[np.ndarray, "H W 3"], face: Face, size: int) -> Float[np.ndarray, "size size 3"]:
    """`align.crop_face` for photographs of any size: only the part around the face is read.

    Args:
      image: (H, W, 3) float32 RGB in [0, 1].
      face: face in the photograph.
      size: side of the crop in pixels.

    Returns:
      (size, size, 3) float32 RGB in [0, 1].
    """
    matrix = crop_transform(face, image.shape, size)
    if max(image.shape[:2]) <= _LARGEST_SIDE:
        return warp(image, matrix, size)
    x0, y0, x1, y1 = _bounds(cv2.invertAffineTransform(matrix), size, image.shape, margin=4)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ [x0, y0]
    return warp(image[y0:y1, x0:x1], moved, size)


def enlarged_transform(matrix: Shaped[np.ndarray, "2 3"], scale: int) -> Float[np.ndarray, "2 3"]:
    """The same similarity between a photograph and a crop that are both enlarged.

    Pixel p of an image becomes pixels scale * p ... scale * p + scale - 1, so that centers go to
    scale * (p + 1/2) - 1/2.

    Args:
      matrix: (2, 3), photograph -> crop.
      scale: enlargement of both.

    Returns:
      (2, 3) float64, enlarged photograph -> enlarged crop.
    """
    matrix = np.asarray(matrix, np.float64)
    half = np.full(2, 0.5)
    shift = scale * (matrix[:, 2] + half - matrix[:, :2] @ half) + matrix[:, :2] @ half - half
    return np.column_stack([matrix[:, :2], shift])


def soft_mask(size: int) -> Float[np.ndarray, "size size"]:
    """Opacity of a crop: 1 in the middle, smoothly to 0 before its border; (size, size) float32."""
    axis = np.abs((np.arange(size) + 0.5) / size * 2 - 1) ** _ROUNDNESS
    distance = (axis[:, None] + axis) ** (1 / _ROUNDNESS)
    ramp = np.clip((_TRANSPARENT - distance) / (_TRANSPARENT - _OPAQUE), 0.0, 1.0)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def paste(
    photograph: UInt8[np.ndarray, "H W 3"], crop: Float[np.ndarray, "S S 3"], matrix: Shaped[np.ndarray, "2 3"]
) -> None:
    """Lays a crop softly over the photograph it was cut from; nothing beyond the crop's square is touched.

    Only detail is taken from the crop. Its colors, averaged over a neighborhood, are set to the photograph's:
    adversarially trained networks shift them by several levels of 255, which would show as a patch.

    Args:
      photograph: (H, W, 3) uint8 RGB, changed in place.
      crop: (S, S, 3) float32 RGB in [0, 1].
      matrix: (2, 3) similarity, photograph -> crop.
    """
    size = len(crop)
    x0, y0, x1, y1 = _bounds(cv2.invertAffineTransform(matrix), size, photograph.shape, margin=0)
    if x0 >= x1 or y0 >= y1:
        return
    moved = np.asarray(matrix, np.float64).copy()
    moved[:, 2] += moved[:, :2] @ [x0, y0]
    place = x1 - x0, y1 - y0
    # A reduced crop may be much finer than its place: then it is averaged first, against aliasing.
    scale = float(np.hypot(moved[0, 0], moved[1, 0]))
    if scale > 1.5:
        smaller = max(round(size / scale), 1)
        ratio = smaller / size
        moved = np.column_stack([moved[:, :2] * ratio, (moved[:, 2] + 0.5) * ratio - 0.5])
        crop, size = cv2.resize(crop, (smaller, smaller), interpolation=cv2.INTER_AREA), smaller
    # WARP_INVERSE_MAP: the matrix leads from the pixels that are written to those that are read.
    cubic, linear = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    colors = cv2.warpAffine(crop, moved, place, flags=cubic, borderMode=cv2.BORDER_REPLICATE)
    opacity = cv2.warpAffine(soft_mask(size), moved, place, flags=linear)[..., None]
    under = photograph[y0:y1, x0:x1]
    change = colors * np.float32(255.0) - under
    change -= _blur(change, _COLOR_REACH * size / float(np.hypot(moved[0, 0], moved[1, 0])))
    blended = under + opacity * change
    under[...] = np.round(np.clip(blended, 0.0, 255.0)).astype(np.uint8)


def _blur(values: np.ndarray, deviation: float) -> np.ndarray:
    """Gaussian blur, a wide one of a reduced copy: its time does not grow with the deviation."""
    height, width = values.shape[:2]
    step = max(int(deviation / 4), 1)
    reduced = max(width // step, 1), max(height // step, 1)
    blurred = cv2.GaussianBlur(cv2.resize(values, reduced, interpolation=cv2.INTER_AREA), (0, 0), deviation / step)
    return cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)


def _bounds(
    to_photograph: np.ndarray, size: int, photograph_shape: tuple[int, ...], margin: int
) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the photograph's pixels that a crop covers (the upper bounds excluded)."""
    corners = np.asarray([[-0.5, -0.5], [size, -0.5], [-0.5, size], [size, size]]) @ to_photograph[:, :2].T
    corners += to_photograph[:, 2]
    height, width = photograph_shape[:2]
    x0, y0 = np.clip(np.floor(corners.min(axis=0)) - margin, 0, [width, height]).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)) + 1 + margin, 0, [width, height]).astype(int)
    return x0, y0, x1, y1
