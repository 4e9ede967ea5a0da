"""Photographs of a data set, encoded, each with whose it is."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lowres_jax.utils import filenames


@dataclass(frozen=True)
class Photograph:
    """An encoded picture of one person.

    Attributes:
      name: name of the person; the identity.
      source: where it came from, relative to the data set, as "Aaron_Eckhart/Aaron_Eckhart_0001.jpg".
      content: the encoded picture.
      aligned: whether it is a crop on the ArcFace template already, which no detector has to find.
      margin: pixels to add on every side, repeating the outermost, before a face is looked for.
    """

    name: str
    source: str
    content: bytes
    aligned: bool = False
    margin: int = 0


@dataclass(frozen=True)
class Photographs:
    """A set of photographs, read anew by every call of `read`.

    Attributes:
      names: the person on each, in the order of reading.
      read: yields the photographs.
      sources: what each `Photograph.source` will be, where it is known before.
      companions: files that go with the set, to be copied beside its records: credits, pairs.
      remarks: what was passed over, a line each.
    """

    names: list[str]
    read: Callable[[], Iterator[Photograph]]
    sources: list[str] = field(default_factory=list)
    companions: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def read_bytes(file: Path) -> bytes:
    """A file's content; none if it cannot be read, which is counted as unreadable when it is decoded."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def person(relative: PurePosixPath) -> str:
    """Whose picture it is: the name of its folder."""
    return filenames.of_person(relative.parent.name or relative.stem)


def natural_order(name: str) -> tuple[tuple[tuple[int, int | str], ...], str]:
    """A sort key by which "s2" comes before "s10"; names that are equal as numbers ("1", "01") follow their letters."""
    parts = (part for part in re.split(r"(\d+)", name) if part)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts), name
