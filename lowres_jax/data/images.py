"""Reading and writing pictures: the one place where files become arrays.

Everywhere else in the package an image is float32 RGB in [0, 1], height x width x 3.
"""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lowres_jax.errors import UserError
from lowres_jax.files import write_atomically

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})

# A picture of 178 million pixels takes 2.1 GB as float32. Pillow's own limit is the same number.
MAX_PIXELS = 178_956_970


class UnreadableImageError(UserError):
    """A file that is no readable picture. Jobs over many files count these and go on."""


def read_image(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads a picture of any common format, upright by its EXIF orientation.

    Grey pictures are repeated over three channels, 16-bit ones keep their range, transparent ones are laid on white.

    Args:
      path: file to read.

    Returns:
      float32 RGB in [0, 1], height x width x 3.

    Raises:
      UnreadableImageError: the file is missing, empty, truncated, too large, or not a picture.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableImageError(f"{path}: cannot be read ({error.strerror})") from error
    return decode_image(content, str(path))


def decode_image(content: bytes, name: str) -> np.ndarray:
    """Decodes an encoded picture; `name` is what error messages call it. See `read_image`."""
    import io

    if not content:
        raise UnreadableImageError(f"{name}: the file is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata that does not touch the pixels.
            with Image.open(io.BytesIO(content)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise UnreadableImageError(
                        f"{name}: {image.width}x{image.height} is over {MAX_PIXELS:,} pixels; cut or shrink it first"
                    )
                return _to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError as error:
        raise UnreadableImageError(f"{name}: not a picture of a known format") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(f"{name}: more than {MAX_PIXELS:,} pixels; cut or shrink it first") from error
    # Pillow's decoders raise OSError for truncated data, and each plugin its own kind for damaged headers.
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError) as error:
        raise UnreadableImageError(f"{name}: damaged or truncated picture ({error})") from error


def _to_rgb(image: Image.Image) -> np.ndarray:
    """Converts a Pillow image of any mode to float32 RGB in [0, 1]."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image, dtype=np.float32)
        # Pillow opens 16-bit greyscale as I;16 (or I); F comes from floating-point TIFF, taken as [0, 1].
        grey = grey / 65535.0 if image.mode.startswith("I") else grey
        return np.repeat(np.clip(grey, 0.0, 1.0)[..., None], 3, axis=-1)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    return np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255.0)


def to_uint8(image: Any) -> np.ndarray:
    """Rounds values in [0, 1] to uint8 in [0, 255]; values outside are clipped."""
    return np.round(np.clip(np.asarray(image), 0.0, 1.0) * 255.0).astype(np.uint8)


def write_image(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Writes a float32 RGB image in [0, 1] by the path's suffix, whole or not at all.

    Raises:
      UserError: the folder cannot be written, the disk is full, or the suffix names no picture format.
    """
    path = Path(path)
    image_format = Image.registered_extensions().get(path.suffix.lower())
    if image_format is None:
        raise UserError(f"{path}: {path.suffix or 'no suffix'} names no picture format; use .png")
    with write_atomically(path) as file:
        Image.fromarray(to_uint8(image)).save(file, format=image_format)


def list_images(path: str | os.PathLike[str]) -> list[Path]:
    """Lists the picture files at a path, by name: the file itself, or all in the folder and below.

    Raises:
      UserError: there is nothing at the path, or no picture in the folder.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder")
    found = sorted(_walk(path))
    if not found:
        raise UserError(f"{path}: no pictures in this folder (looked for {', '.join(sorted(IMAGE_SUFFIXES))})")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        for name in names:
            if Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
                yield Path(root) / name
