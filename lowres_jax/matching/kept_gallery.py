"""A gallery that is kept in files: many people, of whom only templates are known, searched where they lie.

A folder with the ending .gallery. Files grow at their ends, and who is removed is marked, so that nothing is written
twice; what counts is said last, in gallery.json, whole or not at all, so that after whatever kind of stop the gallery
is as it was before. Templates are mapped into memory and compared all, exactly: a million people are 512 MB, of which
the operating system keeps in memory what there is room for. Templates are biometric data.
"""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lowres_jax.errors import UserError
from lowres_jax.faces.reader import FaceView
from lowres_jax.matching.enrolment import POOR
from lowres_jax.matching.gallery import Match, mean_template, most_similar
from lowres_jax.matching.simulation import Recipe
from lowres_jax.utils.files import locked, write_atomically

ENDING = ".gallery"
_FORMAT = 1
_HEAD, _TEMPLATES, _NAMES, _ROWS = "gallery.json", "templates.f32", "names.txt", "people.bin"
# Of each person: where the name ends, how many pictures, the side that the smallest was enlarged from (0: none was),
# whether one is of poor quality, whether removed.
_ROW = np.dtype([("name_end", "<u8"), ("pictures", "<u2"), ("size", "u1"), ("poor", "u1"), ("removed", "u1")])
_DAMAGED = "damaged or cut short; make it anew with keep_gallery"


@dataclass(frozen=True)
class _Head:
    """What gallery.json says.

    Attributes:
      made_by: names all that templates depend on but the pictures.
      made_by_words: the models, for people.
      dimension: length of a template.
      count: rows, those of the removed too.
      name_bytes: length of the names.
      format: of the files.
    """

    made_by: str
    made_by_words: str
    dimension: int
    count: int = 0
    name_bytes: int = 0
    format: int = _FORMAT


@dataclass
class KeptGallery:
    """The people of a folder; see `enrolment.Enrolled` and `gallery.Searchable`.

    Attributes:
      folder: the folder.
    """

    folder: Path
    _head: _Head
    _rows: np.ndarray = field(repr=False)
    _templates: np.ndarray = field(repr=False)
    missing: Sequence[str] = ()

    @classmethod
    def create(cls, folder: Path, made_by: str, made_by_words: str, dimension: int) -> "KeptGallery":
        """An empty one.

        Raises:
          UserError: the folder cannot be written.
        """
        head = _Head(made_by, made_by_words, dimension)
        for name in (_TEMPLATES, _NAMES, _ROWS):
            with write_atomically(folder / name):
                pass
        _write_head(folder, head)
        return cls.open(folder, made_by)

    @classmethod
    def open(cls, folder: Path, made_by: str) -> "KeptGallery":
        """Maps the files of a folder.

        Args:
          folder: the folder.
          made_by: what templates are compared with.

        Raises:
          UserError: it is no gallery, made by other models, or cut short.
        """
        try:
            head = _Head(**json.loads((folder / _HEAD).read_bytes()))
        except OSError as error:
            raise UserError(f"{folder}: is no kept gallery ({_HEAD}: {error.strerror or error})") from error
        except (ValueError, TypeError) as error:
            raise UserError(f"{folder / _HEAD}: {_DAMAGED}") from error
        if head.format != _FORMAT:
            raise UserError(f"{folder}: is of another version of the program; {_DAMAGED.partition('; ')[2]}")
        if head.made_by != made_by:
            raise UserError(
                f"{folder}: its templates were made by other models or settings ({head.made_by_words}), and cannot be "
                "compared with those of this search"
            )
        try:
            rows = _mapped(folder / _ROWS, _ROW, (head.count,))
            templates = _mapped(folder / _TEMPLATES, np.dtype("<f4"), (head.count, head.dimension))
            if (folder / _NAMES).stat().st_size < head.name_bytes or (
                head.count and int(rows["name_end"][-1]) != head.name_bytes
            ):
                raise ValueError
        except (OSError, ValueError) as error:
            raise UserError(f"{folder}: {_DAMAGED}") from error
        return cls(folder, head, rows, templates)

    def add(self, people: Mapping[str, Sequence[FaceView]]) -> "KeptGallery":
        """Enrolls people at the end; who has the name of one that is enrolled takes the place of that one.

        Args:
          people: name -> the faces.

        Returns:
          The gallery with them.

        Raises:
          UserError: the disk is full, or another process writes.
        """
        with locked(self.folder):
            self = KeptGallery.open(self.folder, self._head.made_by)
            before = self._rows_of(people)
            names = [_one_line(name).encode() for name in people]
            rows = np.zeros(len(people), _ROW)
            rows["name_end"] = self._head.name_bytes + np.cumsum([len(name) for name in names], dtype=np.uint64)
            views = list(people.values())
            rows["pictures"] = [min(len(own), 65_535) for own in views]
            rows["size"] = [min((view.cut_size for view in own if view.cut_size), default=0) for own in views]
            rows["poor"] = [any(view.quality is not None and view.quality < POOR for view in own) for own in views]
            templates = [mean_template(np.stack([view.template for view in own])) for own in views]
            head = self._head
            _append(self.folder / _TEMPLATES, head.count * head.dimension * 4, np.asarray(templates, "<f4").tobytes())
            _append(self.folder / _NAMES, head.name_bytes, b"".join(names))
            _append(self.folder / _ROWS, head.count * _ROW.itemsize, rows.tobytes())
            added = {"count": head.count + len(rows), "name_bytes": int(head.name_bytes + sum(map(len, names)))}
            _write_head(self.folder, _Head(**{**asdict(head), **added}))
            self._mark(before)
        return KeptGallery.open(self.folder, head.made_by)

    def remove(self, names: Iterable[str]) -> int:
        """Marks people as removed; how many there were."""
        with locked(self.folder):
            found = self._rows_of(names)
            self._mark(found)
        return len(found)

    def _mark(self, rows: np.ndarray) -> None:
        if len(rows):
            written = np.memmap(self.folder / _ROWS, _ROW, "r+", shape=(int(rows.max()) + 1,))
            written["removed"][rows] = 1
            written.flush()
            for known in ("_living", "_removed", "recipe"):
                self.__dict__.pop(known, None)

    def _rows_of(self, names: Iterable[str]) -> np.ndarray:
        wanted = {_one_line(name).encode() for name in names}
        ends = self._rows["name_end"].astype(np.int64)
        content = (self.folder / _NAMES).read_bytes()
        starts = np.concatenate([[0], ends[:-1]]).astype(np.int64) if len(ends) else ends
        living = np.flatnonzero(self._rows["removed"] == 0)
        return np.asarray([row for row in living if content[starts[row] : ends[row]] in wanted], np.int64)

    @functools.cached_property
    def _living(self) -> np.ndarray:
        """(N,) bool."""
        return self._rows["removed"] == 0

    @functools.cached_property
    def _removed(self) -> np.ndarray:
        """Rows of who was removed."""
        return np.flatnonzero(self._rows["removed"])

    @property
    def people(self) -> int:
        """How many are enrolled."""
        return len(self._rows) - len(self._removed)

    @property
    def most_pictures(self) -> int:
        """Of one of them."""
        return int(self._rows["pictures"][self._living].max(initial=0))

    @functools.cached_property
    def recipe(self) -> Recipe:
        """How the gallery is built; see `simulation`."""
        kinds, counts = np.unique(self._rows[["pictures", "size"]][self._living], return_counts=True)
        found: list[tuple[int, ...]] = []
        for (pictures, size), count in zip(kinds.tolist(), counts.tolist(), strict=True):
            found += [(size,) * pictures] * count
        return tuple(reversed(found))

    @property
    def poor(self) -> list[str]:
        """Names of people with a picture whose face is of poor quality."""
        return [self.name(int(row)) for row in np.flatnonzero(self._living & (self._rows["poor"] > 0))[:1000]]

    @property
    def enlarged(self) -> int:
        """How many people have a small face that was enlarged."""
        return int(np.count_nonzero(self._living & (self._rows["size"] > 0)))

    @property
    def sizes(self) -> dict[int, list[str]]:
        """Sides from which enrolled faces were enlarged, without names: of pictures nothing is kept."""
        return {int(size): [] for size in np.unique(self._rows["size"][self._living])}

    @property
    def described(self) -> dict[str, Any]:
        """What results say of it, as JSON."""
        return {"kept": str(self.folder), "people": self.people}

    def name(self, row: int) -> str:
        """The name of a row."""
        start = int(self._rows["name_end"][row - 1]) if row else 0
        with (self.folder / _NAMES).open("rb") as file:
            file.seek(start)
            return file.read(int(self._rows["name_end"][row]) - start).decode()

    def gallery(self) -> "KeptGallery":
        """Itself."""
        return self

    def search(self, template: np.ndarray, ranks: int, similarity: float) -> list[Match]:
        """See `gallery.Gallery.search`; exact."""
        # What this takes is reading all templates from memory: other ways, in blocks or threads, are slower.
        similarities = self._templates @ np.asarray(template, np.float32)
        similarities[self._removed] = -np.inf
        order = most_similar(similarities, min(ranks, self.people), similarity)
        return [Match(self.name(int(row)), float(similarities[row])) for row in order]

    def same_picture(self, template: np.ndarray) -> None:
        """Of pictures nothing is kept."""

    def nearest_picture(self, name: str, template: np.ndarray) -> None:
        """Of pictures nothing is kept."""


def is_kept(path: Path) -> bool:
    """Whether a path is that of a kept gallery."""
    return path.suffix == ENDING


def _mapped(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """A file's beginning, mapped; what lies behind it was never said to count.

    Raises:
      ValueError: the file is shorter.
    """
    if path.stat().st_size < int(np.prod(shape)) * dtype.itemsize:
        raise ValueError(path)
    # Nothing cannot be mapped.
    return np.memmap(path, dtype, "r", shape=shape) if shape[0] else np.zeros(shape, dtype)


def _append(path: Path, end: int, content: bytes) -> None:
    """Writes at the end of what counts.

    Raises:
      UserError: it cannot be written.
    """
    try:
        with path.open("r+b") as file:
            file.seek(end)
            file.write(content)
            file.truncate()
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); the gallery is as it was") from error


def _write_head(folder: Path, head: _Head) -> None:
    with write_atomically(folder / _HEAD) as file:
        file.write(json.dumps(asdict(head)).encode() + b"\n")


def _one_line(name: str) -> str:
    return " ".join(name.split())
