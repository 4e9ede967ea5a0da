"""Colors and shape of a clip's frames: from what a file says of them to upright RGB of square pixels, and back.

A matrix turns brightness and two differences into RGB; BT.709's is that of HD, BT.601's that of smaller pictures, where
a file does not say (ITU-R BT.709-6, BT.601-7). Primaries and transfer are tags, which go along.
"""

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from jaxtyping import UInt8

# From so many lines, or pixels in a line, on a picture is HD.
_HD_LINES, _HD_PIXELS = 720, 1280
_UNSPECIFIED = 2
# Exact to one of 255. Planes of RGB take a third of the time of RGB that is interleaved.
_TO_RGB = Interpolation.BILINEAR | Interpolation.ACCURATE_RND
_FROM_RGB = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
# Tags of ISO/IEC 23091-4 -> matrices that swscale knows; 5 and 6 are the same one.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}


@dataclass(frozen=True)
class Tags:
    """Color description of a file, by the numbers of ISO/IEC 23091-4; 2 stands for none.

    Attributes:
      primaries: colors of red, green and blue.
      transfer: transfer function from light to values.
    """

    primaries: int = _UNSPECIFIED
    transfer: int = _UNSPECIFIED

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "Tags":
        """The tags of a decoded frame."""
        return cls(int(frame.color_primaries), int(frame.color_trc))


def _is_hd(height: int, width: int) -> bool:
    return height >= _HD_LINES or width >= _HD_PIXELS


def upright(frame: av.VideoFrame, aspect: float = 1.0) -> UInt8[np.ndarray, "H W 3"]:
    """A decoded frame as it is to be shown.

    Args:
      frame: the frame.
      aspect: width of a pixel by its height.

    Returns:
      (H, W, 3) uint8 RGB, of square pixels, turned and mirrored as the display matrix says.
    """
    matrix = _MATRICES.get(int(frame.colorspace))
    if matrix is None:
        matrix = Colorspace.ITU709 if _is_hd(frame.height, frame.width) else Colorspace.ITU601
    # The longer side of a pixel is stretched, so that none is lost.
    width = round(frame.width * aspect) if aspect > 1.0 else frame.width
    height = round(frame.height / aspect) if aspect < 1.0 else frame.height
    is_full = frame.format.name.startswith("yuvj") or int(frame.color_range) == ColorRange.JPEG
    converted = frame.reformat(
        width,
        height,
        "gbrp",
        src_colorspace=matrix,
        interpolation=_TO_RGB,
        src_color_range=ColorRange.JPEG if is_full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    )
    return np.ascontiguousarray(_displayed(converted.to_ndarray(), display_matrix(frame)))


def display_matrix(frame: av.VideoFrame) -> tuple[float, float, float, float] | None:
    """(a, b, c, d), by which (x, y) is shown at (a x + c y, b x + d y); None where the file has none."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    values = np.frombuffer(bytes(data)[:36], np.int32).astype(np.float64) / 65536.0
    return values[0], values[1], values[3], values[4]


def _displayed(pixels: np.ndarray, matrix: tuple[float, float, float, float] | None) -> np.ndarray:
    """Pixels turned by quarters and mirrored, as a display matrix says; oblique ones by the nearest quarter."""
    if matrix is None:
        return pixels
    a, b, c, d = matrix
    across, down = a, d
    if abs(b) > abs(a):  # lines become columns
        pixels = pixels.swapaxes(0, 1)
        across, down = c, b
    if across < 0:
        pixels = pixels[:, ::-1]
    if down < 0:
        pixels = pixels[::-1]
    return pixels


def encoded(pixels: UInt8[np.ndarray, "H W 3"]) -> av.VideoFrame:
    """A frame to be encoded: (H, W, 3) uint8 RGB of even sides -> 4:2:0, by the matrix that fits its size."""
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return picture.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709 if _is_hd(*pixels.shape[:2]) else Colorspace.ITU601,
        interpolation=_FROM_RGB,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )


def tag(context: Any, height: int, width: int, tags: Tags) -> None:
    """Says in a codec's context what colors `encoded` makes; primaries and transfer are the source's where it says."""
    usual = 1 if _is_hd(height, width) else 6
    context.colorspace = usual
    context.color_primaries = usual if tags.primaries == _UNSPECIFIED else tags.primaries
    context.color_trc = usual if tags.transfer == _UNSPECIFIED else tags.transfer
    context.color_range = int(ColorRange.MPEG)
