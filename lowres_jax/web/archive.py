"""Unpacks an uploaded archive of faces, whatever it holds."""

import errno
import io
import zipfile
from pathlib import Path

from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.utils import filenames

_MOST_PICTURES = 5000
_FULL = (errno.ENOSPC, errno.EDQUOT)


def unpack(content: bytes, folder: Path, most_megapixels: int) -> None:
    """Writes the pictures of a zip archive into a folder, within the same subfolders.

    Args:
      content: the archive.
      folder: gets them; it must not exist.
      most_megapixels: largest picture; larger ones, and what is none, are left out.

    Raises:
      UserError: the file is no zip archive, damaged, has nothing usable, or unpacks to too much.
      OSError: the disk is full.
    """
    count = size = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                parts = [part for part in entry.filename.replace("\\", "/").split("/") if part]
                if entry.is_dir() or len(parts) < 2 or ".." in parts or any(part.startswith(".") for part in parts):
                    continue
                count, size = count + 1, size + entry.file_size
                # Pictures are compressed already.
                if count > _MOST_PICTURES or size > 2 * len(content) + 1_000_000:
                    raise UserError(f"the archive has more than {_MOST_PICTURES} pictures, or unpacks to too much")
                picture = archive.read(entry)
                if 0 < images.pixel_count(picture) <= most_megapixels * 1_000_000:
                    # Folders are named as in the archive, people by them; each is one part of a path below this one.
                    ending = Path(parts[-1]).suffix.lower()[:6]
                    path = filenames.fitting(folder.joinpath(*parts[:-1], f"{count}{ending}"), 0)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(picture)
    except UserError:
        raise
    # Each method of compression has its own errors for damage, and zipfile's own are of many kinds.
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        raise UserError(
            f"the archive cannot be read ({_one_line(error)}): give a zip file with a folder a person"
        ) from error
    if not folder.is_dir():
        raise UserError("the archive has no pictures in folders: it needs a folder a person")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
