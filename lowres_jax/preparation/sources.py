"""Sources of photographs: a folder, an archive, RecordIO, or an address."""

import hashlib
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from lowres_jax.data import people
from lowres_jax.data.picture_files import find_pictures
from lowres_jax.errors import UserError
from lowres_jax.preparation import buckets
from lowres_jax.preparation.archives import is_compressed_tar, open_archive, tar_damage
from lowres_jax.preparation.photographs import Photographs, read_files
from lowres_jax.preparation.record_io import open_record_io
from lowres_jax.utils import filenames

_ARCHIVES = (".tgz", ".tar.gz", ".tar", ".zip")
_RECORDS = "train.rec"


def open_photographs(source: str | Path) -> Photographs:
    """Opens a set whose pictures lie in one folder a person, unpacked or in an archive, or InsightFace's RecordIO.

    Args:
      source: a folder `person/picture.jpg`, see `data.people`, or its address as gs://bucket/folder; a .tar, .tgz,
        .tar.gz or .zip of one; a folder with `train.rec` and `train.idx`, or the .rec file itself. Folders around all
        people are left out.

    Raises:
      UserError: there is nothing at the path, or no pictures in it, or the archive is damaged.
    """
    if buckets.is_address(str(source)):
        return buckets.open_bucket(str(source))
    path = Path(source).expanduser()
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give the data set's own with --config.source=PATH")
    if path.suffix == ".rec" or (path / _RECORDS).is_file():
        return open_record_io(path if path.is_file() else path / _RECORDS)
    return _folder(path) if path.is_dir() else open_archive(path)


def within_reach(source: str | None, folder: Path, in_parts: bool) -> str | None:
    """The place to read a source from: itself, or a copy in a folder, where it cannot be read as it is.

    An archive at an address is fetched; a compressed tar archive, of which every worker would have to read all that
    comes before its part, is decompressed once.

    Args:
      source: value of `config.source`.
      folder: folder for the copy; workers see it.
      in_parts: true if workers read the set, each a part of it.

    Raises:
      UserError: the source cannot be read, or the copy not be written.
    """
    if source is None:
        return None
    if buckets.is_address(source):
        if source.endswith(_ARCHIVES):
            source = str(buckets.fetch(source, folder))
        else:
            records = source if source.endswith(".rec") else f"{source.rstrip('/')}/{_RECORDS}"
            if not buckets.exists(records):
                return source
            buckets.fetch(records.removesuffix(".rec") + ".idx", folder)
            return str(buckets.fetch(records, folder))
    path = Path(source).expanduser()
    if not (in_parts and path.is_file() and path.suffix != ".rec" and is_compressed_tar(path)):
        return source
    plain = folder / "source.tar"
    try:
        with plain.open("wb") as file:
            for piece in _decompressed(path):
                file.write(piece)
    except OSError as error:
        raise UserError(f"{plain}: cannot be written ({error.strerror or error})") from error
    return str(plain)


def _decompressed(path: Path) -> Iterator[bytes]:
    """The content of a compressed tar archive without its compression, in pieces."""
    with tar_damage(path), tarfile.open(path, "r:*") as archive:
        decompressed: Any = archive.fileobj
        decompressed.seek(0)
        while piece := decompressed.read(1 << 20):
            yield piece


def _folder(folder: Path) -> Photographs:
    try:
        found = find_pictures(folder)
    except UserError as error:
        archives = sorted(file for file in folder.glob("*") if file.name.endswith(_ARCHIVES))
        if not archives:
            raise
        raise UserError(f"{error}; an archive is given itself: --config.source={archives[0]}") from error
    relatives = people.without_wrapper([PurePosixPath(file.relative_to(folder).as_posix()) for file in found.paths])
    names, sources = people.person_names(relatives, folder), [filenames.printable(str(each)) for each in relatives]
    return Photographs(names, sources, found.paths, read_files, remarks=found.remarks(folder))


def absolute(source: str | None) -> str:
    """A source's address, or its absolute path; "" for none."""
    if buckets.is_address(source):
        return str(source)
    return str(Path(source).expanduser().resolve()) if source else ""


def content_digest(source: str | None) -> str:
    """SHA-256 of a file's content, or of the names, sizes and times of a folder's files; "" where nothing is there.

    Times, as two pictures of one size may have changed places.
    """
    if buckets.is_address(source):
        return buckets.digest(str(source))
    path, digest = Path(source or "").expanduser(), hashlib.sha256()
    if not source or not path.exists():
        return ""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    for root, folders, names in os.walk(path, followlinks=False):
        folders.sort()
        for name in sorted(names):
            file_path = os.path.join(root, name)
            status = os.stat(file_path) if os.path.exists(file_path) else None
            told = (status.st_size, status.st_mtime_ns) if status else (-1, 0)
            digest.update(f"{os.path.relpath(file_path, path)!r} {told}\n".encode())
    return digest.hexdigest()
