"""Names of people and files as programs and file systems want them."""

import errno
import hashlib
import os
import unicodedata
from pathlib import Path


def printable(name: str) -> str:
    r"""A file's name as text: bytes that are no UTF-8, which Python keeps as lone surrogates, become "\xff"."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def of_person(name: str) -> str:
    """A folder's name as a person's: the same for all Unicode forms of it ("é" as one character or as two)."""
    return unicodedata.normalize("NFC", printable(name))


def appearance(name: str) -> str:
    """The look of a name: people cannot tell apart two names of one look."""
    return " ".join(of_person(name).split())


def fitting(path: Path, reserve: int) -> Path:
    """A path whose parts the file system takes: too long ones are cut, and told apart by a digest of the whole.

    Args:
      path: path of the file, an ending still to be added to it.
      reserve: bytes of the longest ending.
    """
    # Not `Path.exists`, which raises for a name that is too long.
    folder = next((each for each in path.parents if os.path.exists(each)), Path())
    try:
        longest = os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
    except OSError:
        longest = 255
    parts = list(path.parts)
    first = len(folder.parts) if folder in path.parents else 0
    for number in range(first, len(parts)):
        room = longest - (reserve if number == len(parts) - 1 else 0)
        encoded = os.fsencode(parts[number])
        if len(encoded) > room:
            digest = hashlib.sha256(encoded).hexdigest()[:8]
            kept = encoded[: room - len(digest) - 1].decode("utf-8", "ignore")
            parts[number] = f"{kept}-{digest}"
    return Path(*parts)


def is_refused_name(error: OSError) -> bool:
    """True if a file system refuses a file for its name alone, so that another file may well be written."""
    return error.errno in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
