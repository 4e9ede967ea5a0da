"""Pictures of a folder: recognized by their content, not by their names alone."""

import collections
import functools
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import IO

from PIL import Image

from lowres_jax.data import images
from lowres_jax.errors import UserError

# Formats that no first bytes tell: only their endings do.
_WITHOUT_MAGIC = frozenset({"TGA"})
_BY_CONTENT = tuple(name for name in images.FORMATS if name not in _WITHOUT_MAGIC)
# What systems and programs keep beside people's own folders: Synology's thumbnails, macOS's archives, recycle bins.
_SYSTEM_FOLDERS = frozenset({"@eadir", "__macosx", "$recycle.bin", "#recycle", "system volume information"})
_NAMED_ENDINGS = 5
_ENDINGS_WITH_PAGES = frozenset({".gif", ".png", ".apng", ".tif", ".tiff", ".webp", ".avif"})


def _picture_endings() -> frozenset[str]:
    return frozenset(ending for ending, name in Image.registered_extensions().items() if name in images.FORMATS)


ENDINGS = _picture_endings()


@dataclass(frozen=True)
class PictureFiles:
    """Content of a folder.

    Attributes:
      paths: the pictures' paths, by name.
      ignored: ending -> how many files are no pictures, or of a format that is not read.
      hidden: hidden and system folders that were left out.
      with_pages: pictures of several pages or frames, of which the first one counts.
    """

    paths: list[Path]
    ignored: collections.Counter[str] = field(default_factory=collections.Counter)
    hidden: int = 0
    with_pages: list[Path] = field(default_factory=list)

    def remarks(self, where: Path | str) -> list[str]:
        """Files that were skipped, in a line each."""
        found = []
        if self.ignored:
            total = sum(self.ignored.values())
            most = sorted(self.ignored.items(), key=lambda item: (-item[1], item[0]))[:_NAMED_ENDINGS]
            named = [f"{count} {ending}" for ending, count in most]
            more = ", ..." if len(self.ignored) > _NAMED_ENDINGS else ""
            files = "file is no picture" if total == 1 else "files are no pictures"
            found.append(f"{where}: {total} {files} that can be read, ignored: {', '.join(named)}{more}")
        if self.hidden:
            found.append(
                f"{where}: {self.hidden} hidden or system folder{'s' if self.hidden > 1 else ''} left out "
                "(as .thumbnails, @eaDir)"
            )
        if self.with_pages:
            named = [each.name for each in self.with_pages[:_NAMED_ENDINGS]]
            more = ", ..." if len(self.with_pages) > _NAMED_ENDINGS else ""
            found.append(f"{where}: of several pages or frames only the first is read: {', '.join(named)}{more}")
        return found


def find_pictures(path: str | os.PathLike[str]) -> PictureFiles:
    """The picture files at a path, by name: the file itself, or all in the folder and below.

    Links are followed; one that leads back to a folder above it is not. Hidden files are left out.

    Raises:
      UserError: there is nothing at the path, or no picture in the folder.
    """
    path = Path(path)
    if path.is_file():
        return PictureFiles([path], with_pages=[path] if _has_pages(path) else [])
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder")
    found = PictureFiles([])
    hidden = 0
    for file in _walk(path, frozenset()):
        if file is None:
            hidden += 1
        elif _is_special(file):
            # Opening a pipe waits for whoever writes into it, for ever.
            found.ignored["pipe or device"] += 1
        elif is_picture(file, functools.partial(_open, file)):
            found.paths.append(file)
        else:
            found.ignored[file.suffix.lower() or "without ending"] += 1
    paths = sorted(found.paths)
    found = PictureFiles(paths, found.ignored, hidden, [each for each in paths if _has_pages(each)])
    if not found.paths:
        ignored = "; ".join(found.remarks(path)) or "it is empty"
        raise UserError(f"{path}: no pictures in this folder ({ignored})")
    return found


def is_picture(file: PurePath, opened: Callable[[], IO[bytes]]) -> bool:
    """True if a file is meant to be a picture that can be read: by its ending, else by what it holds.

    Args:
      file: name of the file.
      opened: opens it.
    """
    if file.suffix.lower() in ENDINGS:
        return True
    try:
        with opened() as content, Image.open(content, formats=_BY_CONTENT):
            return True
    # A plugin that stumbles over a file of another kind says so in its own way.
    except Exception:
        return False


def _has_pages(file: Path) -> bool:
    """True if a picture is animated, or has several pages; what a camera puts beside a photograph is neither."""
    if file.suffix.lower() not in _ENDINGS_WITH_PAGES:
        return False
    try:
        with file.open("rb") as content, Image.open(content, formats=_BY_CONTENT) as image:
            return bool(getattr(image, "is_animated", False))
    # As in `is_picture`; who reads it says what is wrong.
    except Exception:
        return False


def _is_special(file: Path) -> bool:
    """True if a file, or what a link leads to, is neither on a disk nor missing."""
    try:
        return not stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return False


def _open(file: Path) -> IO[bytes]:
    return file.open("rb")


def is_hidden(name: str) -> bool:
    """True if a folder or file of that name is hidden, or a system's own."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path | None]:
    """Files in a folder and below; None for each folder that is left out."""
    try:
        status = folder.stat()
        entries = list(os.scandir(folder))
    except OSError:
        return  # A link to nowhere, or a folder that may not be read: nothing there can be used.
    here = status.st_dev, status.st_ino
    if here in above:
        return
    for entry in entries:
        if entry.is_dir():
            if is_hidden(entry.name):
                yield None
            else:
                yield from _walk(folder / entry.name, above | {here})
        elif not is_hidden(entry.name):
            yield folder / entry.name
