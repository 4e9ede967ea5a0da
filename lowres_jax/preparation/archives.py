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

from lowres_jax.data import picture_files
from lowres_jax.data.picture_files import PictureFiles
from lowres_jax.errors import UserError
from lowres_jax.preparation.photographs import Photograph, Photographs, person
from lowres_jax.utils import filenames

# Name, where it leads if it is a link, and what reads it.
File = tuple[str, str, Callable[[], bytes]]
# Longer chains of links lead round in a circle.
_MAX_LINKS = 40


def open_archive(path: Path, parts: int = 2) -> Photographs:
    """Opens a .zip, or a tar archive of any compression.

    Args:
      path: path of the archive.
      parts: how many of a name's last parts a photograph's source has, as person/picture.

    Raises:
      UserError: it is neither, damaged, encrypted, or has no pictures.
    """
    is_zip = zipfile.is_zipfile(path)
    with (_zip if is_zip else _tar)(path) as members:
        pictures, targets, disordered = members.pictures()
    if not pictures.paths:
        ignored = "; ".join(pictures.remarks(path)) or "it is empty"
        raise UserError(f"{path}: no pictures in the archive ({ignored})")
    relatives = [PurePosixPath(*member.parts[-parts:]) for member in map(PurePosixPath, map(str, pictures.paths))]

    def read() -> Iterator[Photograph]:
        # Only then does the archive have to be read out of order.
        with (_zip if is_zip else _tar)(path, in_order=not disordered) as members:
            for relative, content in zip(relatives, members.read(targets), strict=True):
                yield Photograph(person(relative), filenames.printable(str(relative)), content)

    sources = [filenames.printable(str(relative)) for relative in relatives]
    return Photographs([person(relative) for relative in relatives], read, sources, remarks=pictures.remarks(path))


class _Members:
    """The files of an opened archive, and how their contents come."""

    def __init__(self, files: Iterator[File], read: Callable[[Sequence[str]], Iterator[bytes]]):
        """Notes both.

        Args:
          files: of each its name; of a link the name that it leads to, else empty; and what reads it, before the next.
          read: names of files -> their contents, in that order.
        """
        self._files = files
        self.read = read

    def pictures(self) -> tuple[PictureFiles, list[str], bool]:
        """The pictures by name, the file that has the content of each, and whether they come in another order.

        They do where one is behind a link, or a name comes twice.
        """
        files: dict[str, bool] = {}  # name -> whether it is a picture
        links: dict[str, str] = {}
        several = False
        for name, link, content in self._files:
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


@contextlib.contextmanager
def _tar(path: Path, in_order: bool = True) -> Iterator[_Members]:
    """A tar archive whose damage is one clear line; read front to back, or at any place, which decompresses anew."""
    try:
        with tarfile.open(path, "r|*" if in_order else "r:*") as archive:

            def files() -> Iterator[File]:
                for member in archive:
                    name, content = _normal(member.name), functools.partial(_content, archive, member)
                    if member.issym():
                        yield name, _normal(posixpath.join(posixpath.dirname(name), member.linkname)), content
                    elif member.islnk():
                        yield name, _normal(member.linkname), content
                    elif member.isfile():
                        yield name, "", content

            def read(targets: Sequence[str]) -> Iterator[bytes]:
                if not in_order:
                    by_name = {_normal(member.name): member for member in archive}
                    yield from (_content(archive, by_name[target]) for target in targets)
                    return
                wanted = set(targets)
                for member in archive:
                    if member.isfile() and _normal(member.name) in wanted:
                        yield _content(archive, member)

            yield _Members(files(), read)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        raise UserError(
            f"{path}: not a readable archive, tar or zip ({error}); if it should be one, it is damaged: get it again"
        ) from error


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return b"" if file is None else file.read()


@contextlib.contextmanager
def _zip(path: Path, in_order: bool = True) -> Iterator[_Members]:
    """A zip archive; `in_order` makes no difference."""
    del in_order
    try:
        with zipfile.ZipFile(path) as archive:

            def files() -> Iterator[File]:
                for member in archive.infolist():
                    name, content = _normal(member.filename), functools.partial(archive.read, member)
                    if (member.external_attr >> 28) == 0o12:  # a symbolic link, whose content is where it leads
                        link = content().decode(errors="surrogateescape")
                        yield name, _normal(posixpath.join(posixpath.dirname(name), link)), content
                    elif not member.is_dir():
                        yield name, "", content

            def read(targets: Sequence[str]) -> Iterator[bytes]:
                by_name = {_normal(member.filename): member for member in archive.infolist()}
                yield from (archive.read(by_name[target]) for target in targets)

            yield _Members(files(), read)
    except RuntimeError as error:  # Python's word for a password
        raise UserError(f"{path}: {error}; unpack it first") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise UserError(f"{path}: a damaged zip archive ({error}); get it again") from error
