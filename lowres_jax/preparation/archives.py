"""Photographs within archives: tar, compressed or not, and zip; they give what the unpacked folder gives."""

import contextlib
import functools
import io
import posixpath
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from lowres_jax.data import people, picture_files
from lowres_jax.data.picture_files import PictureFiles
from lowres_jax.errors import UserError
from lowres_jax.preparation.photographs import Photographs
from lowres_jax.utils import filenames

# Name, where it leads if it is a link, and what reads it.
File = tuple[str, str, Callable[[], bytes]]
# Longer chains of links lead round in a circle.
_MAX_LINKS = 40


def open_archive(path: Path) -> Photographs:
    """Opens a .zip, or a tar archive of any compression.

    Args:
      path: path of the archive.

    Raises:
      UserError: the file is no archive, damaged, encrypted, or has no pictures.
    """
    places: Sequence[Any]
    contents: Callable[[Sequence[Any]], Iterator[bytes]]
    if zipfile.is_zipfile(path):
        with _zip_damage(path), zipfile.ZipFile(path) as archive:
            pictures, places, _ = pictures_among(_zip_files(archive))
        contents = functools.partial(_zip_contents, path)
    elif is_compressed_tar(path):
        with tar_damage(path), tarfile.open(path, "r|*") as archive:
            pictures, places, disordered = pictures_among(_tar_files(archive, {}))
        contents = functools.partial(_tar_contents, path, not disordered)
    else:
        offsets: dict[str, tuple[int, int]] = {}
        with tar_damage(path), tarfile.open(path, "r:") as archive:
            pictures, targets, _ = pictures_among(_tar_files(archive, offsets))
        places, contents = [offsets[target] for target in targets], functools.partial(_slices, path)
    if not pictures.paths:
        ignored = "; ".join(pictures.remarks(path)) or "it is empty"
        raise UserError(f"{path}: no pictures in the archive ({ignored})")
    relatives = people.without_wrapper([PurePosixPath(str(each)) for each in pictures.paths])
    names = people.person_names(relatives, path)
    sources = [filenames.printable(str(relative)) for relative in relatives]
    return Photographs(names, sources, places, contents, remarks=pictures.remarks(path))


def is_compressed_tar(path: Path) -> bool:
    """True if an archive is a tar that can only be read from its beginning on."""
    if zipfile.is_zipfile(path):
        return False
    try:
        with tarfile.open(path, "r:"):
            return False
    except (tarfile.TarError, OSError):
        return True


def pictures_among(all_files: Iterator[File]) -> tuple[PictureFiles, list[str], bool]:
    """The pictures by name, the name of the file that has the content of each, and whether the order is another.

    It is where a picture is behind a link, or a name comes twice.

    Args:
      all_files: name of each file, the name that a link leads to (else empty), and the reader of its content.
    """
    files: dict[str, bool] = {}  # name -> whether it is a picture
    links: dict[str, str] = {}
    several = False
    for name, link, content in all_files:
        if link:
            links[name] = link
        else:
            several |= name in files  # the last one counts, as where it is unpacked
            files[name] = _is_picture(name, content)
    behind = list(_behind_links(list(files), links)) if links else []
    found = [(name, name) for name in files] + behind
    paths, targets, ignored, hidden = [], [], Counter[str](), set()
    for name, target in found:
        file = PurePosixPath(name)
        folders = [place for place, part in enumerate(file.parts[:-1]) if picture_files.is_hidden(part)]
        if folders:
            hidden.add(file.parts[: folders[0] + 1])
        elif picture_files.is_hidden(file.name):
            continue
        elif files[target]:
            paths.append(Path(name))
            targets.append(target)
        else:
            ignored[file.suffix.lower() or "without ending"] += 1
    return PictureFiles(paths, ignored, len(hidden)), targets, bool(behind) or several


def _is_picture(name: str, content: Callable[[], bytes]) -> bool:
    return picture_files.is_picture(PurePosixPath(name), lambda: io.BytesIO(content()))


def _behind_links(files: Sequence[str], links: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(name, file with the content) of all that links lead to: a file, or a folder and what lies in it."""
    known = set(files)
    for link, target in links.items():
        for _ in range(_MAX_LINKS):
            if target not in links:
                break
            target = links[target]
        if target in known:
            yield link, target
        elif not f"{link}/".startswith(f"{target}/"):  # a folder that holds the link itself would never end
            yield from ((link + name[len(target) :], name) for name in files if name.startswith(f"{target}/"))


def _normal(name: str) -> str:
    return posixpath.normpath(name)


def _tar_files(archive: tarfile.TarFile, offsets: dict[str, tuple[int, int]]) -> Iterator[File]:
    """The files of a tar archive; where each begins, and its size, is noted in `offsets` by its name."""
    for member in archive:
        name, content = _normal(member.name), functools.partial(_content, archive, member)
        if member.issym():
            yield name, _normal(posixpath.join(posixpath.dirname(name), member.linkname)), content
        elif member.islnk():
            yield name, _normal(member.linkname), content
        elif member.isfile():
            offsets[name] = member.offset_data, member.size
            yield name, "", content


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return b"" if file is None else file.read()


def _tar_contents(path: Path, in_order: bool, targets: Sequence[str]) -> Iterator[bytes]:
    """Files of a compressed tar archive; out of order they are decompressed again for each."""
    with tar_damage(path), tarfile.open(path, "r|*" if in_order else "r:*") as archive:
        if not in_order:
            by_name = {_normal(member.name): member for member in archive}
            yield from (_content(archive, by_name[target]) for target in targets)
            return
        wanted = set(targets)
        for member in archive:
            if member.isfile() and _normal(member.name) in wanted:
                yield _content(archive, member)


def _slices(path: Path, places: Sequence[tuple[int, int]]) -> Iterator[bytes]:
    """A range of bytes of a file: of an uncompressed tar archive, one of its files."""
    with tar_damage(path), path.open("rb") as file:
        for offset, size in places:
            file.seek(offset)
            yield file.read(size)


@contextlib.contextmanager
def tar_damage(path: Path) -> Iterator[None]:
    """Makes an archive's damage one clear line."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        raise UserError(
            f"{path}: not a readable archive, tar or zip ({error}); if it should be one, it is damaged: get it again"
        ) from error


def _zip_files(archive: zipfile.ZipFile) -> Iterator[File]:
    for member in archive.infolist():
        name, content = _normal(member.filename), functools.partial(archive.read, member)
        if (member.external_attr >> 28) == 0o12:  # a symbolic link, whose content is where it leads
            link = content().decode(errors="surrogateescape")
            yield name, _normal(posixpath.join(posixpath.dirname(name), link)), content
        elif not member.is_dir():
            yield name, "", content


def _zip_contents(path: Path, targets: Sequence[str]) -> Iterator[bytes]:
    with _zip_damage(path):
        status = path.stat()
        archive, by_name = _opened_zip(path, status.st_size, status.st_mtime_ns)
        yield from (archive.read(by_name[target]) for target in targets)


@functools.lru_cache(1)
def _opened_zip(path: Path, *state: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """A zip archive and its members by name: opening lists them all, which a worker does once for all its parts."""
    del state
    archive = zipfile.ZipFile(path)
    return archive, {_normal(member.filename): member for member in archive.infolist()}


@contextlib.contextmanager
def _zip_damage(path: Path) -> Iterator[None]:
    """Makes an archive's damage one clear line."""
    try:
        yield
    except RuntimeError as error:  # Python's word for a password
        raise UserError(f"{path}: {error}; unpack it first") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise UserError(f"{path}: a damaged zip archive ({error}); get it again") from error
