"""InsightFace's sets as MXNet's RecordIO has them."""

import functools
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lowres_jax.errors import UserError
from lowres_jax.preparation.photographs import Photographs

_RECORD_MAGIC = 0xCED7230A
_PICTURE_HEADER = 24  # flag, label, two ids; `flag` further labels follow


def open_record_io(path: Path) -> Photographs:
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

    return Photographs(
        [f"{label:07d}" for label in labels.values()],
        [f"{path.name}#{key}" for key in labels],
        [offsets[key] for key in labels],
        functools.partial(_pictures, path),
        aligned=True,
    )


def _pictures(path: Path, offsets: Sequence[int]) -> Iterator[bytes]:
    """The pictures of the records at some bytes of the file."""
    content = np.memmap(path, np.uint8, "r")
    for offset in offsets:
        record = _record(content, offset)
        flag = struct.unpack_from("<I", record)[0]
        yield record[_PICTURE_HEADER + 4 * flag :]


def _part(content: np.ndarray, offset: int) -> tuple[int, int]:
    """The kind of a record's part (0 whole, 1 first, 2 middle, 3 last) and its length: upper 3 and lower 29 bits."""
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
