"""Where a data set's photographs come from: folders, archives, InsightFace's RecordIO files."""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from lowres_jax.data.picture_files import find_pictures
from lowres_jax.errors import UserError
from lowres_jax.utils import filenames

_ARCHIVES = (".tgz", ".tar.gz", ".tar", ".zip")
_RECORD_MAGIC = 0xCED7230A
_PICTURE_HEADER = 24  # flag, label, two ids; `flag` further labels follow


@dataclass(frozen=True)
class Photograph:
    """An encoded picture of one person.

    Attributes:
      name: of the person; the identity.
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


def open_photographs(path: Path) -> Photographs:
    """Opens a set whose pictures lie in one folder a person, unpacked or in a tar archive, or InsightFace's RecordIO.

    Args:
      path: a folder `person/picture.jpg` at any depth; a .tar, .tgz, .tar.gz or .zip of one; a folder with `train.rec`
        and `train.idx`, or the .rec file itself.

    Raises:
      UserError: there is nothing at the path, or no pictures in it, or the archive is damaged.
    """
    from lowres_jax.preparation import archives

    path = Path(path).expanduser()
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give the data set's own with --config.source=PATH")
    if path.suffix == ".rec" or (path / "train.rec").is_file():
        return _record_io(path if path.is_file() else path / "train.rec")
    return _folder(path) if path.is_dir() else archives.open_archive(path)


def read_bytes(file: Path) -> bytes:
    """A file's content; none if it cannot be read, which is counted as unreadable when it is decoded."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def person(relative: PurePosixPath) -> str:
    """Whose picture it is: the name of its folder."""
    return filenames.of_person(relative.parent.name or relative.stem)


def _folder(folder: Path) -> Photographs:
    try:
        found = find_pictures(folder)
    except UserError as error:
        archives = sorted(file for file in folder.glob("*") if file.name.endswith(_ARCHIVES))
        if not archives:
            raise
        raise UserError(f"{error}; an archive is given itself: --config.source={archives[0]}") from error
    relatives = [PurePosixPath(file.relative_to(folder).as_posix()) for file in found.paths]
    sources = [filenames.printable(str(relative)) for relative in relatives]

    def read() -> Iterator[Photograph]:
        for file, relative, source in zip(found.paths, relatives, sources, strict=True):
            yield Photograph(person(relative), source, read_bytes(file))

    return Photographs([person(relative) for relative in relatives], read, sources, remarks=found.remarks(folder))


def _record_io(path: Path) -> Photographs:
    """InsightFace's sets: MXNet's RecordIO with 112 x 112 crops that are aligned to the ArcFace template."""
    index_path = path.with_suffix(".idx")
    try:
        content = np.memmap(path, np.uint8, "r")
        lines = index_path.read_text().split("\n")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read with its index {index_path.name} ({error})") from error
    try:
        offsets = {int(key): int(offset) for key, offset in (line.split("\t") for line in lines if line)}
        # With further labels, record 0 says which numbers are pictures: 1 ... labels[0] - 1; the others are lists of
        # people. Without, it is a picture itself, as in MXNet's plain sets; an index may also begin at a later one.
        head = _record(content, offsets[0]) if 0 in offsets else b""
        flag = struct.unpack_from("<I", head)[0] if head else 0
        last = int(struct.unpack_from("<f", head, _PICTURE_HEADER)[0]) if flag > 0 else max(offsets) + 1
        # Labels first, so that they are numbered before any picture is read.
        keys = [key for key in sorted(offsets) if (1 if flag > 0 else 0) <= key < last]
        labels = {key: _record_label(content, offsets[key]) for key in keys}
    except (KeyError, ValueError, struct.error) as error:
        raise UserError(f"{path}: not InsightFace's RecordIO, or truncated ({error!r}); get it again") from error

    def read() -> Iterator[Photograph]:
        for key, label in labels.items():
            record = _record(content, offsets[key])
            flag = struct.unpack_from("<I", record)[0]
            picture = record[_PICTURE_HEADER + 4 * flag :]
            yield Photograph(f"{label:07d}", f"{path.name}#{key}", picture, aligned=True)

    return Photographs([f"{label:07d}" for label in labels.values()], read, [f"{path.name}#{key}" for key in labels])


def _part(content: np.ndarray, offset: int) -> tuple[int, int]:
    """How a record's part continues (0 whole, 1 first, 2 middle, 3 last) and its length: upper 3 and lower 29 bits."""
    magic, word = struct.unpack("<II", content[offset : offset + 8].tobytes())
    length = word & ((1 << 29) - 1)
    if magic != _RECORD_MAGIC or offset + 8 + length > len(content):
        raise ValueError(f"no whole record at byte {offset}")
    return word >> 29, length


def _record(content: np.ndarray, offset: int) -> bytes:
    """The payload of one record. MXNet splits it wherever it holds the magic number, and leaves that out."""
    parts = []
    while True:
        continues, length = _part(content, offset)
        parts.append(content[offset + 8 : offset + 8 + length].tobytes())
        if continues in (0, 3):
            return struct.pack("<I", _RECORD_MAGIC).join(parts)
        offset += 8 + (length + 3) // 4 * 4


def _record_label(content: np.ndarray, offset: int) -> int:
    """The identity, without reading the picture."""
    _part(content, offset)
    flag, label, _, _, first = struct.unpack("<IfQQf", content[offset + 8 : offset + 12 + _PICTURE_HEADER].tobytes())
    return int(first if flag > 0 else label)


def natural_order(name: str) -> tuple[tuple[tuple[int, int | str], ...], str]:
    """A sort key by which "s2" comes before "s10"; names that are equal as numbers ("1", "01") follow their letters."""
    parts = (part for part in re.split(r"(\d+)", name) if part)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts), name
