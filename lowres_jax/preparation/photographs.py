"""Where a data set's photographs come from: folders, tar archives, InsightFace's RecordIO files."""

import contextlib
import re
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from lowres_jax.data import images
from lowres_jax.errors import UserError

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
      companions: files that go with the set, to be copied beside its records: credits, pairs.
    """

    names: list[str]
    read: Callable[[], Iterator[Photograph]]
    companions: list[Path] = field(default_factory=list)


def open_photographs(path: Path) -> Photographs:
    """Opens a set whose pictures lie in one folder a person, unpacked or in a tar archive, or InsightFace's RecordIO.

    Args:
      path: a folder `person/picture.jpg` at any depth; a .tar, .tgz or .tar.gz of one; a folder with `train.rec` and
        `train.idx`, or the .rec file itself.

    Raises:
      UserError: there is nothing at the path, or no pictures in it, or the archive is damaged.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give the data set's own with --config.source=PATH")
    if path.suffix == ".rec" or (path / "train.rec").is_file():
        return _record_io(path if path.is_file() else path / "train.rec")
    return _folder(path) if path.is_dir() else _archive(path)


def read_bytes(file: Path) -> bytes:
    """A file's content; none if it cannot be read, which is counted as unreadable when it is decoded."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _person(relative: PurePosixPath) -> str:
    return relative.parent.name or relative.stem


def _folder(folder: Path) -> Photographs:
    files = images.list_images(folder)
    relatives = [PurePosixPath(file.relative_to(folder).as_posix()) for file in files]

    def read() -> Iterator[Photograph]:
        for file, relative in zip(files, relatives, strict=True):
            yield Photograph(_person(relative), str(relative), read_bytes(file))

    return Photographs([_person(relative) for relative in relatives], read)


def _archive(path: Path) -> Photographs:
    with _opened(path) as archive:
        members = [member for member in archive if member.isfile() and _is_picture(member.name)]
    if not members:
        raise UserError(f"{path}: no pictures ({', '.join(sorted(images.IMAGE_SUFFIXES))}) in the archive")

    def read() -> Iterator[Photograph]:
        with _opened(path) as archive:
            for member in archive:
                if member.isfile() and _is_picture(member.name):
                    file = archive.extractfile(member)
                    assert file is not None
                    relative = PurePosixPath(member.name)
                    yield Photograph(_person(relative), "/".join(relative.parts[-2:]), file.read())

    return Photographs([_person(PurePosixPath(member.name)) for member in members], read)


def _is_picture(name: str) -> bool:
    # "._" files are what macOS adds beside real ones.
    path = PurePosixPath(name)
    return path.suffix.lower() in images.IMAGE_SUFFIXES and not path.name.startswith("._")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar archive, read front to back, whose damage is one clear line."""
    try:
        with tarfile.open(path, "r|*") as archive:
            yield archive
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{path}: not a readable tar archive ({error}); download it again") from error


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
        head = _record(content, offsets[0])
        # With further labels, record 0 says which numbers are pictures: 1 ... labels[0] - 1; the others are lists of
        # people. Without, it is a picture itself, as in MXNet's plain sets.
        flag = struct.unpack_from("<I", head)[0]
        last = int(struct.unpack_from("<f", head, _PICTURE_HEADER)[0]) if flag > 0 else max(offsets) + 1
        # Labels first, so that they are numbered before any picture is read.
        keys = [key for key in range(1 if flag > 0 else 0, last) if key in offsets]
        labels = {key: _record_label(content, offsets[key]) for key in keys}
    except (KeyError, ValueError, struct.error) as error:
        raise UserError(f"{path}: not InsightFace's RecordIO, or truncated ({error!r}); get it again") from error

    def read() -> Iterator[Photograph]:
        for key, label in labels.items():
            record = _record(content, offsets[key])
            flag = struct.unpack_from("<I", record)[0]
            picture = record[_PICTURE_HEADER + 4 * flag :]
            yield Photograph(f"{label:07d}", f"{path.name}#{key}", picture, aligned=True)

    return Photographs([f"{label:07d}" for label in labels.values()], read)


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
