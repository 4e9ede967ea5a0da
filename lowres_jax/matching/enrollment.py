"""Enrolling a folder of known people; what was read from their pictures is kept for the next search.

Kept are, for each picture, its content's digest, the face's place and its template, in one file for each gallery
(.npz, read without pickle) in the cache folder. A picture that changed, and whatever other model, detector or setting,
is read again. Templates are biometric data: `config.keep_templates=false` keeps none.
"""

import contextlib
import functools
import hashlib
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from lowres_jax.faces.packed_views import packed, unpacked
from lowres_jax.faces.reader import FaceReader, FaceView
from lowres_jax.localization.detector import Rule
from lowres_jax.matching.gallery import Gallery, Searchable
from lowres_jax.matching.near_copies import near_copies
from lowres_jax.matching.simulation import Recipe, recipe_of
from lowres_jax.runtime import signals
from lowres_jax.utils.files import write_atomically

_SECONDS_BETWEEN_SAVES = 60.0
# Two pictures so similar are one and the same, saved twice perhaps; different photographs of a person stay below.
SAME_PICTURE = 0.99


@dataclass
class Skipped:
    """Pictures that gave no face.

    Attributes:
      without_face: pictures in which the detector finds no face.
      unreadable: problems of files that could not be read, each with its path.
      passed_over: clips whose faces were found in too few frames.
    """

    without_face: list[Path] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)

    def __str__(self) -> str:
        passed = f", {len(self.passed_over)} clips with faces in too few frames" if self.passed_over else ""
        return f"{len(self.without_face)} pictures without a face, {len(self.unreadable)} unreadable{passed}"

    @property
    def described(self) -> dict[str, Any]:
        """The same as JSON."""
        found: dict[str, Any] = {"without_face": [str(path) for path in self.without_face]}
        if self.passed_over:
            found["passed_over"] = [str(path) for path in self.passed_over]
        return found | {"unreadable": self.unreadable}

    def lines(self) -> list[str]:
        """One line for each, as the terminal shows them."""
        return [
            *(f"unreadable: {problem}" for problem in self.unreadable),
            *(f"no face: {path}" for path in self.without_face),
            *(
                f"skipped: {path}: its faces are in too few frames; config.least_sightings=1 searches them, a "
                "smaller config.every looks at more frames"
                for path in self.passed_over
            ),
        ]


# A face below this quality is poor: of video frames of such quality fewer find their person.
POOR = 0.3


class Enrolled(Protocol):
    """People who can be searched for: enrolled from pictures just now (`Enrollment`), or kept (`kept_gallery`)."""

    @property
    def people(self) -> int:
        """Number of enrolled people."""

    @property
    def missing(self) -> Sequence[str]:
        """People of whom nothing could be enrolled."""

    @property
    def most_pictures(self) -> int:
        """Largest number of pictures of one person."""

    @property
    def recipe(self) -> Recipe:
        """Recipe of the gallery; see `simulation`."""

    @property
    def poor(self) -> Sequence[str]:
        """Names of pictures whose faces are of poor quality."""

    @property
    def enlarged(self) -> int:
        """Number of enrolled faces that are small and were enlarged."""

    @property
    def sizes(self) -> Mapping[int, Sequence[str]]:
        """Side from which enrolled faces were enlarged, 0: not -> names of their pictures."""

    @property
    def described(self) -> dict[str, Any]:
        """Description for the results, as JSON."""

    def gallery(self) -> Searchable:
        """The templates that are searched; at least one person's."""

    def same_picture(self, template: Float[np.ndarray, " D"]) -> tuple[str, Path] | None:
        """Whose enrolled picture a searched face is from, if it is from one."""

    def nearest_picture(self, name: str, template: Float[np.ndarray, " D"]) -> tuple[Path, FaceView] | None:
        """Picture of a person that is nearest to another face; None where no pictures are kept."""


@dataclass(frozen=True)
class Enrollment:
    """People enrolled from pictures; see `Enrolled`.

    Attributes:
      faces: name -> the faces enrolled, with their pictures.
      crowded: pictures with several faces, of which one was enrolled, and how many they have.
      missing: people of whom nothing could be enrolled.
      skipped: pictures that gave no face.
    """

    faces: Mapping[str, Sequence[tuple[Path, FaceView]]]
    crowded: Sequence[tuple[Path, int]]
    missing: Sequence[str]
    skipped: Skipped

    def gallery(self) -> Gallery:
        """The people's templates; there must be one person."""
        return Gallery({name: [view.template for _, view in own] for name, own in self.faces.items()})

    @property
    def recipe(self) -> Recipe:
        """Recipe of the gallery; see `simulation`."""
        return recipe_of([[view.cut_size for _, view in own] for own in self.faces.values()])

    @property
    def people(self) -> int:
        """Number of enrolled people."""
        return len(self.faces)

    @property
    def most_pictures(self) -> int:
        """Largest number of pictures of one person."""
        return max(map(len, self.faces.values()))

    @property
    def _views(self) -> list[tuple[Path, FaceView]]:
        return [each for own in self.faces.values() for each in own]

    @property
    def poor(self) -> list[str]:
        """Names of pictures whose faces are of poor quality."""
        return [path.name for path, view in self._views if view.quality is not None and view.quality < POOR]

    @property
    def enlarged(self) -> int:
        """Number of enrolled faces that are small and were enlarged."""
        return sum(view.cut_size > 0 for _, view in self._views)

    @property
    def sizes(self) -> dict[int, list[str]]:
        """Side from which enrolled faces were enlarged, 0: not -> names of their pictures."""
        found: dict[int, list[str]] = {}
        for path, view in self._views:
            found.setdefault(view.cut_size, []).append(path.name)
        return found

    @property
    def described(self) -> dict[str, Any]:
        """Description for the results, as JSON."""
        return {
            "people": {name: [str(path) for path, _ in own] for name, own in self.faces.items()},
            "not_enrolled": list(self.missing),
            **self.skipped.described,
        }

    def same_picture(self, template: Float[np.ndarray, " D"]) -> tuple[str, Path] | None:
        """Whose enrolled picture a searched face is from, if it is from one."""
        names, paths, templates = self.pictures
        alike = templates @ template
        nearest = int(np.argmax(alike))
        return (names[nearest], paths[nearest]) if alike[nearest] >= SAME_PICTURE else None

    @functools.cached_property
    def pictures(self) -> tuple[list[str], list[Path], np.ndarray]:
        """Person, path and template of every enrolled picture; templates (n, D)."""
        flat = [(name, path, view.template) for name, own in self.faces.items() for path, view in own]
        return [name for name, _, _ in flat], [path for _, path, _ in flat], np.stack([each for _, _, each in flat])

    def nearest_picture(self, name: str, template: Float[np.ndarray, " D"]) -> tuple[Path, FaceView]:
        """Picture of a person that is nearest to another face."""
        return max(self.faces[name], key=lambda own: float(own[1].template @ template))

    def doubles(self) -> list[tuple[str, Path, str, Path]]:
        """Pictures that are enrolled under two names: (name, picture, other name, its picture)."""
        names, paths, templates = self.pictures
        return [
            (names[one], paths[one], names[other], paths[other])
            for one, other in near_copies(templates, SAME_PICTURE)
            if names[one] != names[other]
        ]

    def strangers(self, similarity: float) -> dict[str, list[Path]]:
        """Pictures that do not resemble the person's others: name -> those below a similarity to the others' mean."""
        found: dict[str, list[Path]] = {}
        for name, own in self.faces.items():
            templates = np.stack([view.template for _, view in own])
            others = templates.sum(axis=0) - templates
            lengths = np.maximum(np.linalg.norm(others, axis=1), 1e-12)
            alike = np.sum(templates * others, axis=1) / lengths
            if len(own) > 1 and (alike < similarity).any():
                found[name] = [path for (path, _), value in zip(own, alike, strict=True) if value < similarity]
        return found


class KeptTemplates:
    """The file in which what was read from a gallery's pictures is kept; content digest -> what it gave."""

    def __init__(self, path: Path | None, fingerprint: str, dimension: int):
        """Reads what is kept.

        Args:
          path: path of the file; None keeps nothing.
          fingerprint: names all that the templates depend on but the pictures.
          dimension: length of a template.
        """
        self._path, self._fingerprint, self._dimension = path, fingerprint, dimension
        self._known: dict[str, tuple[int, FaceView | None]] = {}
        self._used: set[str] = set()
        damaged = (OSError, zipfile.BadZipFile, KeyError, ValueError, EOFError)
        if path is not None:
            with contextlib.suppress(*damaged), np.load(path, allow_pickle=False) as kept:
                if str(kept["fingerprint"]) == fingerprint:
                    self._known = _unpacked(kept)

    @property
    def outdated(self) -> bool:
        """True if the file has pictures that nobody has asked for: they are no longer in the gallery."""
        return not self._known.keys() <= self._used

    def get(self, digest: str) -> tuple[int, FaceView | None] | None:
        """Number of faces of a picture, and the one that is enrolled; None for a picture not seen before."""
        self._used.add(digest)
        return self._known.get(digest)

    def put(self, digest: str, count: int, view: FaceView | None) -> None:
        """Notes what a picture gave."""
        self._used.add(digest)
        self._known[digest] = count, view

    def save(self) -> None:
        """Writes the file; pictures that are no longer in the gallery are forgotten."""
        if self._path is None:
            return
        known = [(digest, *self._known[digest]) for digest in sorted(self._used) if digest in self._known]
        arrays = {
            "digest": np.asarray([digest for digest, _, _ in known], "U64"),
            "count": np.asarray([count for _, count, _ in known], np.int64),
            "whole": np.asarray([view is not None for _, _, view in known], bool),
        }
        arrays |= packed([view for _, _, view in known if view is not None], self._dimension)
        with write_atomically(self._path) as file:
            np.savez(file, allow_pickle=False, fingerprint=np.asarray(self._fingerprint), **arrays)


def _unpacked(kept: Mapping[str, np.ndarray]) -> dict[str, tuple[int, FaceView | None]]:
    views = iter(unpacked(kept))
    return {
        str(digest): (int(count), next(views) if whole else None)
        for digest, count, whole in zip(kept["digest"], kept["count"], kept["whole"], strict=True)
    }


def enroll(reader: FaceReader, people: Mapping[str, Sequence[Path]], rule: Rule, kept: KeptTemplates) -> Enrollment:
    """Enrolls one face of each picture.

    Args:
      reader: finds faces and makes templates.
      people: name -> pictures; nobody's pictures may be none.
      rule: rule by which one of several faces is taken, see `detector.choose`.
      kept: templates of earlier searches; gets the new ones.
    """
    person_of = {path: name for name, paths in people.items() for path in paths}
    digests = {path: _digest(path) for path in signals.interruptible(list(person_of))}
    results: dict[Path, tuple[int, FaceView | None]] = {}
    for path, digest in digests.items():
        known = kept.get(digest)
        if known is not None:
            results[path] = known
    missing = [path for path in person_of if path not in results]
    skipped = Skipped()
    saved = time.monotonic()
    try:
        with signals.at_forced_end(kept.save):
            pictures = tqdm(
                reader.read(missing), total=len(missing), desc="enroll", unit="picture", disable=not missing
            )
            for picture in pictures:
                if picture.problem:
                    skipped.unreadable.append(picture.problem)
                    continue
                view = picture.chosen(rule) if picture.faces else None
                results[picture.path] = len(picture.faces), view.without_pictures() if view else None
                kept.put(digests[picture.path], *results[picture.path])
                if time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                    saved = time.monotonic()
                    kept.save()
    finally:
        if missing or kept.outdated:
            kept.save()
    faces: dict[str, list[tuple[Path, FaceView]]] = {}
    crowded: list[tuple[Path, int]] = []
    for path, name in person_of.items():
        count, view = results.get(path, (-1, None))
        if view is not None:
            faces.setdefault(name, []).append((path, view))
        elif count == 0:
            skipped.without_face.append(path)
        if count > 1:
            crowded.append((path, count))
    return Enrollment(faces, crowded, [name for name in people if name not in faces], skipped)


def _digest(path: Path) -> str:
    """SHA-256 of a picture's content, or of its name if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return f"unreadable {path}"[:64]
