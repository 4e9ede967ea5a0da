"""Photographs of a data set, encoded, each with whose it is."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Photograph:
    """An encoded picture of one person.

    Attributes:
      name: name of the person; the identity.
      source: path relative to the data set, as "Aaron_Eckhart/Aaron_Eckhart_0001.jpg".
      content: the encoded picture.
      aligned: true if it is a crop on the ArcFace template already, which no detector has to find.
      margin: pixels to add on every side, repeating the outermost, before a face is looked for.
    """

    name: str
    source: str
    content: bytes
    aligned: bool = False
    margin: int = 0


@dataclass(frozen=True)
class Photographs:
    """A set of N photographs, or a part of one; it can be sent to another process.

    Attributes:
      names: the person on each, in the order of reading.
      sources: kind of each `Photograph.source`.
      places: place of each, in the terms of `contents`.
      contents: yields the encoded pictures at some places, in their order; a function of a module, or a partial of one.
      aligned: see `Photograph`.
      margin: see `Photograph`.
      companions: files that go with the set, to be copied beside its records: credits, pairs.
      remarks: files that were skipped, a line each.
    """

    names: list[str]
    sources: list[str]
    places: Sequence[Any]
    contents: Callable[[Sequence[Any]], Iterable[bytes]]
    aligned: bool = False
    margin: int = 0
    companions: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def read(self) -> Iterator[Photograph]:
        """Reads the photographs; every call reads them again."""
        for name, source, content in zip(self.names, self.sources, self.contents(self.places), strict=True):
            yield Photograph(name, source, content, self.aligned, self.margin)

    def part(self, start: int, stop: int) -> "Photographs":
        """Those from `start` to before `stop`, without what belongs to the whole set."""
        names, sources = self.names[start:stop], self.sources[start:stop]
        return Photographs(names, sources, self.places[start:stop], self.contents, self.aligned, self.margin)


def read_files(files: Sequence[Path]) -> Iterator[bytes]:
    """The files' contents; none of one that cannot be read, which is counted as unreadable when it is decoded."""
    for file in files:
        try:
            yield file.read_bytes()
        except OSError:
            yield b""


def natural_order(name: str) -> tuple[tuple[tuple[int, int | str], ...], str]:
    """A sort key by which "s2" comes before "s10"; names that are equal as numbers ("1", "01") follow their letters."""
    parts = (part for part in re.split(r"(\d+)", name) if part)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts), name
