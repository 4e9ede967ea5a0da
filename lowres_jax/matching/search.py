"""Searching faces among the enrolled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lowres_jax.faces.reader import FaceReader, FaceView
from lowres_jax.matching.calibration import Threshold
from lowres_jax.matching.enrollment import Enrolled, Skipped
from lowres_jax.matching.gallery import Match
from lowres_jax.matching.shipped_thresholds import Thresholds


@dataclass(frozen=True)
class Answer:
    """Result of the search for one face.

    Attributes:
      path: path of the picture.
      number: number of the face in it, from 1, from left to right.
      count: faces in the picture.
      view: the face.
      matches: the most similar people, and all who reach the threshold; most similar first.
      threshold: threshold for this face.
      enrolled_as: the enrolled picture that is this very picture, and whose it is; None if there is none.
    """

    path: Path
    number: int
    count: int
    view: FaceView
    matches: Sequence[Match]
    threshold: Threshold
    enrolled_as: tuple[str, Path] | None = None

    @property
    def accepted(self) -> list[Match]:
        """Those who reach the threshold; nobody where no name is possible."""
        if not self.threshold.possible:
            return []
        return [match for match in self.matches if match.similarity >= self.threshold.similarity]


def search(
    reader: FaceReader,
    paths: Sequence[Path],
    enrollment: Enrolled,
    calibration: Thresholds,
    far: float,
    ranks: int,
    skipped: Skipped,
) -> Iterator[Answer]:
    """Yields an answer for each face of each picture, in order.

    Args:
      reader: finds faces and makes templates.
      paths: the pictures.
      enrollment: people enrolled, at least one.
      calibration: gives the thresholds.
      far: false accept rate at which they lie.
      ranks: smallest number of matches to give.
      skipped: gets the pictures that give no face.
    """
    gallery, recipe = enrollment.gallery(), enrollment.recipe
    # By the size of the searched face: a large gallery's recipe is long, and one threshold serves many faces.
    thresholds: dict[int, Threshold] = {}
    for picture in tqdm(reader.read(paths), total=len(paths), desc="search", unit="picture", disable=len(paths) < 2):
        if picture.problem:
            skipped.unreadable.append(picture.problem)
        elif not picture.faces:
            skipped.without_face.append(picture.path)
        for number, view in enumerate(picture.faces, start=1):
            if view.cut_size not in thresholds:
                thresholds[view.cut_size] = calibration.threshold(far, recipe, view.cut_size)
            threshold = thresholds[view.cut_size]
            same = enrollment.same_picture(view.as_enrolled)
            matches = gallery.search(view.template, ranks, threshold.similarity)
            yield Answer(picture.path, number, len(picture.faces), view, matches, threshold, same)
