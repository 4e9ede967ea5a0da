"""Parts of the page's answers: uploads and their names, pictures as data URLs."""

import base64
import io
import itertools
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from lowres_jax.data import images
from lowres_jax.localization import paste
from lowres_jax.localization.detector import Face
from lowres_jax.super_resolution.upscaler import LARGE_FACE
from lowres_jax.utils import filenames

# Side of the faces that the page shows; smaller results are shown larger by the browser.
SHOWN = 256


@dataclass(frozen=True)
class Upload:
    """A file that somebody sent.

    Attributes:
      name: name of the file there: for messages, never a path here.
      content: bytes of the file.
    """

    name: str
    content: bytes


def as_it_is(image: Shaped[np.ndarray, "H W 3"], face: Face, size: int, small_face: int) -> dict[str, Any]:
    """Row of the answer for a face that is not enlarged; one larger than the page's is shown smaller."""
    if size >= LARGE_FACE:
        remark = f"Large enough: faces of {LARGE_FACE} px and more are never enlarged."
    elif size >= small_face:
        remark = "Large enough as it is: it was not enlarged."
    else:
        remark = "Too many faces for one request: send a part of the photograph."
    return {
        "box": [round(float(each), 1) for each in face.box],
        "score": round(face.score, 4),
        "size": size,
        "quality": None,
        "model": None,
        "remark": remark,
        "can_be_enlarged": small_face <= size < LARGE_FACE,
        "pixels": data_url(paste.cut_face(image, face, min(size, SHOWN))),
    }


def told(upload: Upload) -> str:
    """An upload's name as messages show it."""
    text = filenames.printable(upload.name[-200:])
    return "".join(each if each.isprintable() else "?" for each in text) or "the upload"


def relative(name: str) -> PurePosixPath:
    """Path of a known picture below the folder that was sent; never a path of this machine."""
    parts = [part[:100] for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return PurePosixPath(*parts or ["?"])


def file_name(name: str) -> str:
    """File name of a picture while it is searched: letters and digits of its own name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name.replace("\\", "/").rpartition("/")[2])[-40:].lstrip(".") or "picture"


def distinct(stem: str, taken: set[str]) -> str:
    """A name that is not taken yet; it is then."""
    names = itertools.chain([stem], (f"{stem}_{number}" for number in itertools.count(2)))
    found = next(name for name in names if name not in taken)
    taken.add(found)
    return found


def png(image: Shaped[np.ndarray, "H W 3"]) -> bytes:
    """A picture, (H, W, 3) uint8 or float32 in [0, 1], as PNG."""
    file = io.BytesIO()
    pixels = image if image.dtype == np.uint8 else images.to_uint8(np.array(image))
    Image.fromarray(pixels).save(file, "PNG", compress_level=3)
    return file.getvalue()


def data_url(image: Shaped[np.ndarray, "H W 3"]) -> str:
    """A picture as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()
