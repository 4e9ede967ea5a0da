"""Enrolling a folder of known people, and searching faces among them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from lowres_jax.localization.detector import Rule
from lowres_jax.matching.calibration import Calibration, Threshold
from lowres_jax.matching.gallery import FaceReader, FaceView, Gallery, Match


@dataclass
class Skipped:
    """Pictures that gave no face.

    Attributes:
      without_face: in which the detector finds none.
      unreadable: what is wrong with files that could not be read, each with its path.
    """

    without_face: list[Path] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{len(self.without_face)} pictures without a face, {len(self.unreadable)} unreadable"

    def lines(self) -> list[str]:
        """One line for each, as the terminal shows them."""
        return [f"unreadable: {problem}" for problem in self.unreadable] + [
            f"no face: {path}" for path in self.without_face
        ]


@dataclass(frozen=True)
class Enrolment:
    """Who was enrolled, from what.

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
    def cut_sizes(self) -> list[int]:
        """The sizes from which faces were enlarged, ascending; 0 for those that were not."""
        return sorted({view.cut_size for own in self.faces.values() for _, view in own})

    def most_similar(self, name: str, view: FaceView) -> FaceView:
        """Of a person's faces the one nearest to another face."""
        return max((face for _, face in self.faces[name]), key=lambda face: float(face.template @ view.template))


@dataclass(frozen=True)
class Answer:
    """What the search for one face gave.

    Attributes:
      path: of the picture.
      number: of the face in it, from 1, from left to right.
      count: faces in the picture.
      view: the face.
      matches: everybody enrolled, most similar first.
      threshold: for this face.
    """

    path: Path
    number: int
    count: int
    view: FaceView
    matches: Sequence[Match]
    threshold: Threshold

    @property
    def accepted(self) -> list[Match]:
        """Those who reach the threshold."""
        return [match for match in self.matches if match.similarity >= self.threshold.similarity]


def enrol(reader: FaceReader, people: Mapping[str, Sequence[Path]], rule: Rule) -> Enrolment:
    """Enrols one face of each picture.

    Args:
      reader: finds faces and makes templates.
      people: name -> pictures.
      rule: which face of a picture, see `detector.choose`.
    """
    person_of = {path: name for name, paths in people.items() for path in paths}
    faces: dict[str, list[tuple[Path, FaceView]]] = {}
    crowded: list[tuple[Path, int]] = []
    skipped = Skipped()
    for picture in tqdm(reader.read(list(person_of)), total=len(person_of), desc="enrol", unit="picture"):
        chosen = picture.chosen(rule) if picture.faces else None
        if picture.problem:
            skipped.unreadable.append(picture.problem)
        elif chosen is None:
            skipped.without_face.append(picture.path)
        else:
            faces.setdefault(person_of[picture.path], []).append((picture.path, chosen))
            if len(picture.faces) > 1:
                crowded.append((picture.path, len(picture.faces)))
    return Enrolment(faces, crowded, [name for name in people if name not in faces], skipped)


def search(
    reader: FaceReader,
    paths: Sequence[Path],
    enrolment: Enrolment,
    calibration: Calibration,
    far: float,
    skipped: Skipped,
) -> Iterator[Answer]:
    """Yields an answer for each face of each picture, in order.

    Args:
      reader: finds faces and makes templates.
      paths: the pictures.
      enrolment: of one person or more.
      calibration: gives the thresholds.
      far: false accept rate at which they lie.
      skipped: gets the pictures that give no face.
    """
    gallery = enrolment.gallery()
    for picture in tqdm(reader.read(paths), total=len(paths), desc="search", unit="picture"):
        if picture.problem:
            skipped.unreadable.append(picture.problem)
        elif not picture.faces:
            skipped.without_face.append(picture.path)
        for number, view in enumerate(picture.faces, start=1):
            threshold = calibration.threshold(far, len(gallery.names), enrolment.cut_sizes, view.cut_size)
            yield Answer(picture.path, number, len(picture.faces), view, gallery.search(view.template), threshold)
