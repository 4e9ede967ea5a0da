"""A gallery that is kept in files: many people, of whom only templates are known, searched where they lie.

A folder with the ending .gallery. `people.sqlite` says who is enrolled, and each person's row in `templates.f32`, which
is mapped into memory and compared whole, exactly: a million people are 512 MB. A change is one transaction of SQLite,
so that after whatever kind of stop the gallery is as it was before or as it was to be. A checksum of each name with its
template is compared when the gallery is opened, and again before a name is given. Templates are biometric data: names
and templates of who is removed or replaced are overwritten.
"""

import contextlib
import functools
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lowres_jax.data.people import told_apart
from lowres_jax.errors import UserError
from lowres_jax.faces.reader import FaceView
from lowres_jax.matching.enrollment import POOR
from lowres_jax.matching.gallery import Match, mean_template, most_similar
from lowres_jax.matching.kept_files import (
    DAMAGED,
    FORMAT,
    PEOPLE,
    SCHEMA,
    TEMPLATES,
    checksum_of,
    connected,
    damage_in_words,
    refuse_format_1,
)
from lowres_jax.matching.simulation import Recipe
from lowres_jax.utils import filenames

# Searches of a gallery that another process changes meanwhile.
_TRIES = 20


@dataclass
class KeptGallery:
    """The people of a folder; see `enrollment.Enrolled` and `gallery.Searchable`.

    Attributes:
      folder: path of the folder.
    """

    folder: Path
    _made_by: str
    _changes: int = -1
    _templates: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.float32), repr=False)
    _enrolled: np.ndarray = field(default_factory=lambda: np.zeros(0, bool), repr=False)
    missing: Sequence[str] = ()

    @classmethod
    def create(cls, folder: Path, made_by: str, made_by_words: str, dimension: int) -> "KeptGallery":
        """An empty gallery; a folder that is empty, or whose making was stopped, is begun again.

        Args:
          folder: path of the folder.
          made_by: names all that templates depend on but the pictures.
          made_by_words: the models and settings, for people.
          dimension: length of a template.

        Raises:
          UserError: the folder cannot be written, or is another version's gallery.
        """
        refuse_format_1(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in (PEOPLE, f"{PEOPLE}-journal"):
                (folder / name).unlink(missing_ok=True)
            (folder / TEMPLATES).write_bytes(b"")
            # SQLite makes a file that is missing, in a folder that is there.
            with contextlib.closing(sqlite3.connect(folder / PEOPLE, isolation_level=None)) as database:
                database.executescript(f"BEGIN; {SCHEMA}")
                database.execute(
                    "INSERT INTO gallery VALUES (?, ?, ?, ?, 0)", (FORMAT, made_by, made_by_words, dimension)
                )
                database.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            raise UserError(f"{folder}: cannot be written ({error})") from error
        return cls.open(folder, made_by)

    @classmethod
    def open(cls, folder: Path, made_by: str) -> "KeptGallery":
        """Maps the templates of a folder and compares all checksums.

        Args:
          folder: path of the folder.
          made_by: names what templates are compared with.

        Raises:
          UserError: the folder is no gallery, made by other models or settings, or damaged.
        """
        refuse_format_1(folder)
        found = cls(folder, made_by)
        found._refresh()
        return found

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        """The people, as they are at one moment.

        Raises:
          UserError: there are none, or they are damaged.
        """
        file = self.folder / PEOPLE
        if not file.is_file():
            raise UserError(f"{self.folder}: is no kept gallery (without {PEOPLE}); keep_gallery makes one")
        try:
            with connected(file) as people:
                people.execute("BEGIN")
                yield people
        except sqlite3.Error as error:
            raise UserError(f"{file}: {damage_in_words(error)}") from error

    def _refresh(self) -> None:
        """Reads who is enrolled, where that changed."""
        with self._read() as people:
            head = people.execute("SELECT format, made_by, made_by_words, dimension, changes FROM gallery").fetchone()
            if head is None or head[0] != FORMAT:
                raise UserError(f"{self.folder}: is of another version of the program; make it again with keep_gallery")
            _, made_by, words, dimension, changes = head
            if made_by != self._made_by:
                raise UserError(
                    f"{self.folder}: its templates were made by other models or settings ({words}), and cannot be "
                    "compared with those of this search"
                )
            if changes == self._changes:
                return
            self._templates = self._mapped(dimension)
            places = np.fromiter((row[0] for row in people.execute("SELECT place FROM people")), np.int64)
            if len(places) and not 0 <= places.min() <= places.max() < len(self._templates):
                raise UserError(f"{self.folder}: {TEMPLATES} is {DAMAGED}")
            new = people.execute("SELECT place, name, checksum FROM people WHERE since > ?", (self._changes,))
            for place, name, checksum in new:
                if self._checksum(place, name) != checksum:
                    raise UserError(f"{self.folder}: the template or the name of {name!r} is {DAMAGED}")
            self._enrolled = np.zeros(len(self._templates), bool)
            self._enrolled[places] = True
            self._changes = changes
        for known in ("recipe", "_counts"):
            self.__dict__.pop(known, None)

    def _mapped(self, dimension: int) -> np.ndarray:
        """The templates, mapped; an unfinished one at the end was never said to count."""
        path = self.folder / TEMPLATES
        try:
            rows = path.stat().st_size // (4 * dimension)
            # Nothing cannot be mapped.
            return np.memmap(path, "<f4", "r", shape=(rows, dimension)) if rows else np.zeros((0, dimension), "<f4")
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error

    def _checksum(self, place: int, name: str) -> int:
        return checksum_of(self._templates[place], name)

    def add(self, people: Mapping[str, Sequence[FaceView]]) -> None:
        """Enrolls people, within `changing`; who has the name of one that is enrolled takes the place of that one.

        Args:
          people: name -> the faces.

        Raises:
          UserError: the disk is full, or a name cannot be told apart from one that is enrolled; nothing is changed.
        """
        told_apart(list(people), self.folder)
        means = [mean_template(np.stack([view.template for view in own])) for own in people.values()]
        places = self._write(np.asarray(means, "<f4"))
        rows = []
        for place, mean, (name, own) in zip(places, means, people.items(), strict=True):
            size = min((view.cut_size for view in own if view.cut_size), default=0)
            poor = any(view.quality is not None and view.quality < POOR for view in own)
            checksum = checksum_of(np.asarray(mean, "<f4"), name)
            rows.append((int(place), name, filenames.appearance(name), len(own), size, poor, checksum))
        with self._read() as table:
            for appearance, name in ((row[2], row[1]) for row in rows):
                known = table.execute("SELECT name FROM people WHERE look = ?", (appearance,)).fetchone()
                if known is not None and known[0] != name:
                    raise UserError(
                        f"{self.folder}: {name!a} cannot be told apart from {known[0]!a}, who is enrolled; rename one"
                    )
            table.executemany("DELETE FROM people WHERE look = ?", [(row[2],) for row in rows])
            since = "(SELECT changes + 1 FROM gallery)"
            table.executemany(f"INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?, {since})", rows)
            self._commit(table)

    def has(self, name: str) -> bool:
        """True if somebody of a name, in any Unicode form, is enrolled."""
        with self._read() as table:
            return bool(table.execute("SELECT 1 FROM people WHERE look = ?", (filenames.appearance(name),)).fetchone())

    def remove(self, names: Iterable[str]) -> None:
        """Removes people, within `changing`: all of them, or nobody.

        Args:
          names: names in any Unicode form.

        Raises:
          UserError: nobody of a name is enrolled.
        """
        appearances = {filenames.appearance(name): name for name in names}
        with self._read() as table:
            for appearance, name in appearances.items():
                if table.execute("DELETE FROM people WHERE look = ?", (appearance,)).rowcount == 0:
                    raise UserError(
                        f"{self.folder}: nobody of the name {name!r} is enrolled; nobody was removed (a comma within a "
                        r"name is written \,)"
                    )
            self._commit(table)

    def _commit(self, table: sqlite3.Connection) -> None:
        """Makes a change count, then overwrites the templates of nobody."""
        table.execute("UPDATE gallery SET changes = changes + 1")
        table.execute("COMMIT")
        self._refresh()
        self._erase()

    def _write(self, templates: np.ndarray) -> np.ndarray:
        """Writes templates into rows of nobody, and at the end; returns the rows. They do not count yet."""
        self._erase()
        free = np.flatnonzero(~self._enrolled)[: len(templates)]
        count = len(self._enrolled)
        places = np.concatenate([free, np.arange(count, count + len(templates) - len(free))])
        self._put(places, templates)
        return places

    def _erase(self) -> None:
        """Overwrites templates of who was removed, and those of a stopped change."""
        free = np.flatnonzero(~self._enrolled)
        free = free[self._templates[free].any(axis=1)]
        self._put(free, np.zeros((len(free), self._templates.shape[1]), "<f4"))

    def _put(self, places: np.ndarray, templates: np.ndarray) -> None:
        if not len(places):
            return
        path, length = self.folder / TEMPLATES, templates.shape[1] * 4
        try:
            with path.open("r+b") as file:
                for place, template in zip(places.tolist(), templates, strict=True):
                    file.seek(place * length)
                    file.write(np.ascontiguousarray(template, "<f4").tobytes())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror or error}); nobody was enrolled") from error

    @functools.cached_property
    def _counts(self) -> list[tuple[int, int, int]]:
        """Pictures, size and how many people have these; those with most pictures first."""
        with self._read() as people:
            return people.execute(
                "SELECT pictures, size, count(*) FROM people GROUP BY pictures, size ORDER BY pictures DESC, size"
            ).fetchall()

    @property
    def people(self) -> int:
        """Number of enrolled people."""
        return int(np.count_nonzero(self._enrolled))

    @property
    def most_pictures(self) -> int:
        """Most pictures of one person."""
        return max((pictures for pictures, _, _ in self._counts), default=0)

    @functools.cached_property
    def recipe(self) -> Recipe:
        """Recipe of the gallery; see `simulation`."""
        found: list[tuple[int, ...]] = []
        for pictures, size, count in self._counts:
            found += [(size,) * pictures] * count
        return tuple(found)

    @property
    def poor(self) -> list[str]:
        """Names of people with a picture whose face is of poor quality, the first thousand."""
        with self._read() as people:
            return [name for (name,) in people.execute("SELECT name FROM people WHERE poor LIMIT 1000")]

    @property
    def enlarged(self) -> int:
        """Number of people who have a small face that was enlarged."""
        return sum(count for _, size, count in self._counts if size)

    @property
    def sizes(self) -> dict[int, list[str]]:
        """Sides from which enrolled faces were enlarged, without names: of pictures nothing is kept."""
        return {size: [] for _, size, _ in self._counts}

    @property
    def described(self) -> dict[str, Any]:
        """Description for the results, as JSON."""
        return {"kept": str(self.folder), "people": self.people}

    def gallery(self) -> "KeptGallery":
        """Itself."""
        return self

    def search(self, template: Float[np.ndarray, " D"], ranks: int, similarity: float) -> list[Match]:
        """See `gallery.Gallery.search`; exact, among who is enrolled now.

        Raises:
          UserError: the gallery is damaged, or was made again by other models.
        """
        for _ in range(_TRIES):
            self._refresh()
            # What this takes is reading all templates from memory: other ways, in blocks or threads, are slower.
            similarities = self._templates @ np.asarray(template, np.float32)
            similarities[~self._enrolled] = -np.inf
            order = most_similar(similarities, min(ranks, self.people), similarity)
            with self._read() as people:
                # Somebody else's template may lie in a row by now, whose likeness this is not.
                (changes,) = people.execute("SELECT changes FROM gallery").fetchone()
                if changes == self._changes:
                    return [self._match(people, int(place), float(similarities[place])) for place in order]
        raise UserError(f"{self.folder}: is changed all the time by another process; try again later")

    def _match(self, people: sqlite3.Connection, place: int, similarity: float) -> Match:
        """The person of a row, whose checksum is compared once more."""
        name, checksum = people.execute("SELECT name, checksum FROM people WHERE place = ?", (place,)).fetchone()
        if self._checksum(place, name) != checksum:
            raise UserError(f"{self.folder}: the template or the name of {name!r} is {DAMAGED}")
        return Match(name, similarity)

    def same_picture(self, template: Float[np.ndarray, " D"]) -> None:
        """None: no pictures are kept."""

    def nearest_picture(self, name: str, template: Float[np.ndarray, " D"]) -> None:
        """None: no pictures are kept."""
