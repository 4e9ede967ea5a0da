"""Reading and writing pictures: the one place where files become arrays.

Everywhere else in the package an image is float32 RGB in [0, 1], height x width x 3.
"""

import functools
import io
import os
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8
from PIL import Image, ImageCms, UnidentifiedImageError

from lowres_jax.data import metadata as metadata_of_files
from lowres_jax.data.metadata import Metadata
from lowres_jax.errors import UserError
from lowres_jax.utils.files import write_atomically

# What Pillow decodes into pixels by itself. Left out are what other programs would have to run for (EPS), stubs that
# only know a header (MPEG, HDF5), icons, and formats of games and of single instruments.
FORMATS = (
    *("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF", "JPEG2000", "BMP", "DIB"),
    *("PPM", "TGA", "PCX", "SGI", "SUN", "QOI", "PSD"),
)

# A picture of 178 million pixels takes 2.1 GB as float32. Pillow's own limit is the same number.
MAX_PIXELS = 178_956_970

_ORIENTATION = 0x0112
# EXIF orientation -> what makes the picture upright (https://exiv2.org/tags.html, Exif.Image.Orientation).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# TIFF's tags for the value that is white: MaxSampleValue and, for any sample format, SMaxSampleValue.
_WHITE_TAGS = (341, 281)
_WHOLE_NUMBER_WHITES = (255, 1023, 4095, 65535)
# A resampled picture in [0, 1] passes 1 by a little; one in [0, 255] that stays below this would be black.
_OVERSHOOT = 1.5


class UnreadableImageError(UserError):
    """A file that is no readable picture. Jobs over many files count these and continue."""


@dataclass(frozen=True)
class DecodedImage:
    """A picture with what an RGB array alone does not say.

    Attributes:
      rgb: (H, W, 3) float32 in [0, 1], the colors as if nothing were transparent.
      alpha: (H, W) float32 opacity in [0, 1]; None where everything is opaque.
      metadata: metadata of the file.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)

    @functools.cached_property
    def gray(self) -> bool:
        """True if the picture has no color anywhere."""
        return is_gray(self.rgb)

    def on_white(self) -> Float[np.ndarray, "H W 3"]:
        """(H, W, 3) float32: transparent parts lie on white."""
        if self.alpha is None:
            return self.rgb
        opacity = self.alpha[..., None]
        return self.rgb * opacity + (np.float32(1.0) - opacity)


def read_image(path: str | os.PathLike[str]) -> Float[np.ndarray, "H W 3"]:
    """Reads a picture of any common format, upright by its EXIF orientation, in sRGB by its color profile.

    Gray pictures are repeated over three channels, 16-bit ones keep their range, transparent ones are laid on white.

    Args:
      path: file to read.

    Returns:
      float32 RGB in [0, 1], height x width x 3.

    Raises:
      UnreadableImageError: the file is missing, empty, truncated, too large, or not a picture.
    """
    return read_picture(path).on_white()


def read_picture(path: str | os.PathLike[str]) -> DecodedImage:
    """`read_image` with the picture's transparency."""
    return decode_picture(read_content(path), str(path))


def read_content(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a picture's file.

    Raises:
      UnreadableImageError: the file is missing, or may not be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnreadableImageError(f"{path}: cannot be read ({error.strerror})") from error


def decode_image(content: bytes, name: str) -> Float[np.ndarray, "H W 3"]:
    """Decodes an encoded picture; `name` is what error messages call it. See `read_image`."""
    return decode_picture(content, name).on_white()


def decode_picture(content: bytes, name: str) -> DecodedImage:
    """`decode_image` with the picture's transparency."""
    if not content:
        raise UnreadableImageError(f"{name}: the file is empty (0 bytes)")
    try:
        with opened(content) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableImageError(
                    f"{name}: {image.width}x{image.height} is over {MAX_PIXELS:,} pixels; cut or shrink it first"
                )
            found = _decoded(image, content)
            return replace(found, metadata=metadata_of_files.of(image))
    except UnidentifiedImageError as error:
        if content[:4] in (b"II*\0", b"MM\0*"):
            raise UnreadableImageError(
                f"{name}: a TIFF of a kind that is not read (colors in floating point, or damaged); "
                "save it with 8 or 16 bits"
            ) from error
        raise UnreadableImageError(f"{name}: not a picture of a known format") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(f"{name}: more than {MAX_PIXELS:,} pixels; cut or shrink it first") from error
    except UnreadableImageError:
        raise
    except _UnknownRangeError as error:
        raise UnreadableImageError(f"{name}: {error}; save it with 8 or 16 bits") from error
    # Every plugin, and every library below it, has kinds of its own for damaged files: one of them is one picture less.
    except Exception as error:
        raise UnreadableImageError(f"{name}: damaged or truncated picture ({_one_line(error)})") from error


@contextmanager
def opened(content: bytes) -> Iterator[Image.Image]:
    """Pillow's image of an encoded picture; nothing but its header is decoded yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata that does not touch the pixels.
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            yield image


def pixel_count(content: bytes) -> int:
    """The pixels that a picture's header announces; 0 if it is none, or one that is not decoded anyway."""
    try:
        with opened(content) as image:
            return image.width * image.height
    # As in `decode_picture`, which names what is wrong.
    except Exception:
        return 0


class _UnknownRangeError(Exception):
    """Nothing says which of a picture's values is white."""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _decoded(image: Image.Image, content: bytes) -> DecodedImage:
    """Converts a Pillow image of any mode."""
    image.load()
    upright = _UPRIGHT.get(_orientation(image))
    if image.format == "TIFF" and len(image.getbands()) > 1 and max(_bits(image), default=8) == 16:
        # Pillow keeps the upper eight bits, of which 12-bit colors use four.
        return _deep_colors(content, image)
    profile = image.info.get("icc_profile")
    white = _stated_white(image)
    deep = image.mode.startswith("I") or image.mode == "F"
    is_tiff = image.format == "TIFF"
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    if upright is not None:
        image = image.transpose(upright)
    if deep:
        gray = np.asarray(image)
        # 16 bits of other formats span the whole range; TIFF has several habits.
        ranged = image.mode == "F" or is_tiff
        gray = _in_range(gray, white) if ranged else np.asarray(gray, np.float32) / np.float32(65535.0)
        return DecodedImage(np.repeat(np.clip(gray, 0.0, 1.0)[..., None], 3, axis=-1))
    alpha = None
    if transparent:
        rgba = image.convert("RGBA")
        opacity = np.asarray(rgba.getchannel("A"))
        alpha = None if opacity.min() == 255 else opacity.astype(np.float32) / np.float32(255.0)
        image = rgba.convert("RGB")
    image = _to_srgb(image, profile)
    rgb = np.array(image, np.float32)
    rgb /= np.float32(255.0)  # in place: a second copy of a large photograph takes 300 MB
    return DecodedImage(rgb, alpha)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; other tags are not looked at, and damaged ones are not the pixels'."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1


def _bits(image: Image.Image) -> tuple[int, ...]:
    """Bits of a TIFF's channels."""
    found = getattr(image, "tag_v2", {}).get(258, ())
    return found if isinstance(found, tuple) else (found,)


def _stated_white(image: Image.Image) -> float:
    """The value that a TIFF says is white; 0 where it does not."""
    for tag in _WHITE_TAGS:
        value = getattr(image, "tag_v2", {}).get(tag, 0)
        value = max(value) if isinstance(value, tuple) and value else value
        if isinstance(value, int | float) and value > 0:
            return float(value)
    return 0.0


def _in_range(values: np.ndarray, white: float) -> np.ndarray:
    """A TIFF's values in [0, 1]: by the white it states, else by the least usual white that holds its largest value.

    Raises:
      _UnknownRangeError: there is none, as in measurements of other things than light.
    """
    values = np.asarray(values)
    largest, least = float(values.max()), float(values.min())
    if not np.isfinite([least, largest]).all() or least < -_OVERSHOOT:
        raise _UnknownRangeError(f"its values go from {least:g} to {largest:g}: nothing says which is black and white")
    if white < largest or white == 0:
        whites = _WHOLE_NUMBER_WHITES if values.dtype.kind in "ui" else (_OVERSHOOT, *_WHOLE_NUMBER_WHITES)
        found = [each for each in whites if largest <= each]
        if not found:
            raise _UnknownRangeError(f"its values go up to {largest:g}: nothing says which is white")
        white = 1.0 if found[0] == _OVERSHOOT else found[0]
    return values.astype(np.float32) / np.float32(white)


def _deep_colors(content: bytes, image: Image.Image) -> DecodedImage:
    """A TIFF of 16-bit colors, by OpenCV."""
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise _UnknownRangeError(f"a TIFF of {len(image.getbands())} channels of 16 bits")
    # OpenCV turns the picture upright itself, and has BGR.
    rgb = np.clip(_in_range(pixels[..., 2::-1], _stated_white(image)), 0.0, 1.0)
    alpha = pixels[..., 3].astype(np.float32) / np.float32(65535.0) if pixels.shape[2] == 4 else None
    return DecodedImage(np.ascontiguousarray(rgb), alpha)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in sRGB: a wide-gamut picture taken for sRGB is pale."""
    if profile and image.mode in ("L", "RGB", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                converted = ImageCms.profileToProfile(
                    image,
                    source,
                    ImageCms.createProfile("sRGB"),
                    renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                    outputMode="RGB",
                    flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
                )
                assert converted is not None
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # A damaged profile, or one of other channels: the pixels are sound, and most likely sRGB.
    return image.convert("RGB")


def is_gray(image: Shaped[np.ndarray, "H W 3"]) -> bool:
    """True if the three channels of an image, (H, W, 3), are equal everywhere."""
    return bool(np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 0], image[..., 2]))


def to_gray(image: Shaped[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """(H, W, 3) RGB -> its luma (ITU-R BT.601) in all three channels."""
    luma = np.asarray(image) @ np.asarray([0.299, 0.587, 0.114], np.float32)
    return np.repeat(luma[..., None], 3, axis=-1)


def to_uint8(image: Any) -> UInt8[np.ndarray, "..."]:
    """Rounds values in [0, 1] to uint8 in [0, 255]; values outside are clipped."""
    pixels = np.clip(np.asarray(image), 0.0, 1.0)
    if not isinstance(pixels, np.ndarray) or not np.issubdtype(pixels.dtype, np.floating):
        return np.round(pixels * 255.0).astype(np.uint8)
    # In place: an enlarged photograph has 400 million values.
    np.multiply(pixels, 255.0, out=pixels)
    return np.rint(pixels, out=pixels).astype(np.uint8)


def write_image(
    path: str | os.PathLike[str],
    image: Shaped[np.ndarray, "H W 3"],
    alpha: Float[np.ndarray, "H W"] | None = None,
    metadata: Metadata | None = None,
    place: bool = False,
    marked: Mapping[str, str] | None = None,
) -> list[str]:
    """Writes a picture by the path's suffix, whole or not at all; one without color as a gray file.

    Args:
      path: path of the file.
      image: (H, W, 3) RGB, float32 in [0, 1] or uint8.
      alpha: (H, W) float32 opacity in [0, 1]; None: opaque. JPEG knows none, and is laid on white.
      metadata: metadata to write, for PNG, JPEG, TIFF and WebP; None: none.
      place: true if the place, where it was taken, is to go with it too.
      marked: see `xmp.mark`; None for no mark.

    Returns:
      What of the metadata could not go along, a line each.

    Raises:
      UserError: the folder cannot be written, the disk is full, or the suffix names no picture format.
    """
    path = Path(path)
    image_format = Image.registered_extensions().get(path.suffix.lower())
    if image_format is None:
        raise UserError(f"{path}: {path.suffix or 'no suffix'} names no picture format; use .png")
    pixels = image if image.dtype == np.uint8 else to_uint8(image)
    if alpha is not None and image_format == "JPEG":
        opacity = np.asarray(alpha, np.float32)[..., None]
        pixels, alpha = to_uint8(pixels / np.float32(255.0) * opacity + (1.0 - opacity)), None
    if is_gray(pixels):
        pixels = pixels[..., :1]
    try:
        options, remarks = metadata_of_files.options(
            metadata or Metadata(), place, marked or {}, image_format, pixels.shape[-1] == 1
        )
    # Whatever is odd about a description, the picture is worth more.
    except Exception as error:
        options, remarks = {}, [f"its metadata is not kept ({_one_line(error)})"]
    if alpha is not None:
        pixels = np.concatenate([pixels, to_uint8(alpha)[..., None]], axis=-1)
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    with write_atomically(path) as file:
        try:
            picture.save(file, format=image_format, **options)
        except (ValueError, TypeError, KeyError, struct.error) as error:
            file.seek(0)
            file.truncate()
            picture.save(file, format=image_format, **metadata_of_files.coding(image_format))
            remarks.append(f"its metadata is not kept ({_one_line(error)})")
    return [f"{path}: {remark}" for remark in remarks]
