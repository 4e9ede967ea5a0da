"""The files of a kept gallery: a database of people, and who may change it."""

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lowres_jax.errors import UserError
from lowres_jax.utils.files import locked

ENDING = ".gallery"
FORMAT = 2
PEOPLE, TEMPLATES = "people.sqlite", "templates.f32"
_OF_FORMAT_1 = "gallery.json"
# `look` tells names apart; `place` is the row of the template; `size` is the side that the smallest face was enlarged
# from (0: none was). `changes` counts, and `since` says which change a row is of: who has the gallery open sees by
# them that it changed, and where.
SCHEMA = """
CREATE TABLE gallery (format INT, made_by TEXT, made_by_words TEXT, dimension INT, changes INT);
CREATE TABLE people (
  place INTEGER PRIMARY KEY, name TEXT, look TEXT UNIQUE, pictures INT, size INT, poor INT, checksum INT, since INT
);
"""
_SECONDS_TO_WAIT = 60.0  # for another process's transaction
DAMAGED = "damaged; make it again with keep_gallery"


def is_kept(path: Path) -> bool:
    """True if a path is that of a kept gallery."""
    return path.suffix == ENDING


def is_begun(folder: Path) -> bool:
    """True if a folder has a gallery: an empty one, or one whose making was stopped, has none."""
    refuse_format_1(folder)
    file = folder / PEOPLE
    if not file.is_file():
        return False
    with contextlib.suppress(sqlite3.Error), connected(file) as people:
        return bool(people.execute("SELECT count(*) FROM sqlite_master WHERE name = 'gallery'").fetchone()[0])
    return True  # there is something, and it is damaged


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Keeps changes of a gallery to this process while the block runs; asked for before minutes of work.

    Raises:
      UserError: another process changes the gallery.
    """
    try:
        with locked(folder, work="changes this gallery", instead="gallery"):
            yield
    finally:
        with contextlib.suppress(OSError):  # there is something in it
            folder.rmdir()


@contextlib.contextmanager
def connected(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the people, without a transaction; what is deleted is overwritten."""
    # By its address, so that no file is made; writable where it may be written, to undo a stopped change.
    address = f"{file.resolve().as_uri()}?mode=rw"
    people = sqlite3.connect(address, uri=True, timeout=_SECONDS_TO_WAIT, isolation_level=None)
    with contextlib.closing(people):
        people.execute("PRAGMA secure_delete = ON")
        yield people


def refuse_format_1(folder: Path) -> None:
    """Raises a UserError for a gallery of the program's earlier version."""
    if (folder / _OF_FORMAT_1).exists():
        raise UserError(
            f"{folder}: is of an earlier version of the program; delete the folder, and make it again with keep_gallery"
        )


def checksum_of(template: Float[np.ndarray, " D"], name: str) -> int:
    """CRC-32 of a person's template (dimension,) and name."""
    return zlib.crc32(name.encode(), zlib.crc32(np.ascontiguousarray(template, "<f4").data))


def damage_in_words(error: sqlite3.Error) -> str:
    """The error of a gallery for an error of SQLite."""
    if isinstance(error, sqlite3.OperationalError) and "no such" not in str(error):
        return f"cannot be read or written ({error}); the gallery is as it was"
    return f"{DAMAGED} ({error})"
