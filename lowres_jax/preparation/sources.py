"""Where photographs come from: a folder, an archive, or RecordIO."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lowres_jax.data.picture_files import find_pictures
from lowres_jax.errors import UserError
from lowres_jax.preparation.archives import open_archive
from lowres_jax.preparation.photographs import Photograph, Photographs, person, read_bytes
from lowres_jax.preparation.record_io import open_record_io
from lowres_jax.utils import filenames

_ARCHIVES = (".tgz", ".tar.gz", ".tar", ".zip")


def open_photographs(path: Path, parts: int = 2) -> Photographs:
    """Opens a set whose pictures lie in one folder a person, unpacked or in a tar archive, or InsightFace's RecordIO.

    Args:
      path: a folder `person/picture.jpg` at any depth; a .tar, .tgz, .tar.gz or .zip of one; a folder with `train.rec`
        and `train.idx`, or the .rec file itself.
      parts: see `archives.open_archive`.

    Raises:
      UserError: there is nothing at the path, or no pictures in it, or the archive is damaged.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give the data set's own with --config.source=PATH")
    if path.suffix == ".rec" or (path / "train.rec").is_file():
        return open_record_io(path if path.is_file() else path / "train.rec")
    return _folder(path) if path.is_dir() else open_archive(path, parts)


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
