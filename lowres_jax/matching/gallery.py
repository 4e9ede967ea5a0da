"""From pictures to faces ready for a recogniser, and a gallery of known people to search them in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lowres_jax.data import images
from lowres_jax.interruption import interruptible
from lowres_jax.localization import paste
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.localization.detector import Detector, Face, Rule, choose
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.super_resolution.upscaler import Upscaler, enlarge_to

# Small faces are cut to one of these sides: few programs are compiled, and the threshold is measured for each.
CUT_SIZES = (8, 16, 24, 32, 48, 64)
# Pictures that are searched for faces together, and their pixels: 400 MB as float32.
_BATCH = 16
_BATCH_PIXELS = 32_000_000


@dataclass(frozen=True)
class FaceView:
    """A face as the recogniser gets it.

    Attributes:
      face: where the detector found it.
      native_size: side of its aligned crop in pixels of the photograph.
      cut_size: side of the crop that the upscaler enlarged; 0 if the face was large enough.
      cut: that crop, (cut_size, cut_size, 3) uint8, or the same as `crop`.
      crop: (128, 128, 3) uint8 RGB, enlarged where it had to be.
      template: (dimension,) float32 unit vector.
    """

    face: Face
    native_size: int
    cut_size: int
    cut: np.ndarray
    crop: np.ndarray
    template: np.ndarray


@dataclass(frozen=True)
class Picture:
    """What was found in a file.

    Attributes:
      path: of the file.
      shape: height, width and 3; empty if it could not be read.
      faces: from left to right.
      problem: why it could not be read; empty otherwise.
    """

    path: Path
    shape: tuple[int, ...] = ()
    faces: Sequence[FaceView] = ()
    problem: str = ""

    def chosen(self, rule: Rule) -> FaceView | None:
        """The face that is meant by a rule of `detector.choose`; None if there is none."""
        face = choose([view.face for view in self.faces], self.shape, rule)
        return next((view for view in self.faces if view.face is face), None)


class FaceReader:
    """Finds the faces of pictures, enlarges the small ones, and makes their templates.

    Attributes:
      detector: any.
      upscaler: for small faces.
      recognizer: any.
      small_face: a face whose aligned crop has fewer pixels a side in the photograph is enlarged.
    """

    def __init__(self, detector: Detector, upscaler: Upscaler, recognizer: Recognizer, small_face: int):
        self.detector = detector
        self.upscaler = upscaler
        self.recognizer = recognizer
        self.small_face = small_face

    def read(self, paths: Sequence[Path]) -> Iterator[Picture]:
        """Yields what was found in each file, in order; groups of files are worked on together."""
        waiting: list[tuple[Path, np.ndarray | str]] = []
        pixels = 0
        for path in interruptible(paths):
            try:
                content: np.ndarray | str = images.read_image(path)
            except images.UnreadableImageError as error:
                content = str(error)
            waiting.append((path, content))
            pixels += 0 if isinstance(content, str) else content.shape[0] * content.shape[1]
            if len(waiting) == _BATCH or pixels > _BATCH_PIXELS:
                yield from self._found(waiting)
                waiting, pixels = [], 0
        yield from self._found(waiting)

    def _found(self, contents: list[tuple[Path, np.ndarray | str]]) -> Iterator[Picture]:
        readable = [content for _, content in contents if not isinstance(content, str)]
        faces = [
            (image, face)
            for image, found in zip(readable, self.detector.detect_batch(readable), strict=True)
            # From left to right, so that numbers can be matched with the picture.
            for face in sorted(found, key=lambda face: float(face.box[0]))
        ]
        views = self._views(faces)
        for path, content in contents:
            if isinstance(content, str):
                yield Picture(path, problem=content)
            else:
                own = [view for (image, _), view in zip(faces, views, strict=True) if image is content]
                yield Picture(path, content.shape, own)

    def _views(self, faces: Sequence[tuple[np.ndarray, Face]]) -> list[FaceView]:
        if not faces:
            return []
        native = [paste.native_size(face, image.shape) for image, face in faces]
        cut_sizes = np.asarray([nearest_cut_size(size) if size < self.small_face else 0 for size in native])
        cuts = [
            paste.cut_face(image, face, int(size) or CROP_SIZE)
            for (image, face), size in zip(faces, cut_sizes, strict=True)
        ]
        crops = np.zeros((len(faces), CROP_SIZE, CROP_SIZE, 3), np.float32)
        for size in np.unique(cut_sizes):
            chosen = np.flatnonzero(cut_sizes == size)
            stack = np.stack([cuts[number] for number in chosen])
            crops[chosen] = enlarge_to(self.upscaler, stack, CROP_SIZE) if size else stack
        templates = self.recognizer.templates(crops)
        return [
            FaceView(
                face=face,
                native_size=native[number],
                cut_size=int(cut_sizes[number]),
                cut=images.to_uint8(cuts[number]),
                crop=images.to_uint8(crops[number]),
                template=templates[number],
            )
            for number, (_, face) in enumerate(faces)
        ]


def nearest_cut_size(native_size: int) -> int:
    """The side, of a few, that is nearest in ratio to a face's own."""
    return min(CUT_SIZES, key=lambda size: abs(np.log(size / native_size)))


@dataclass(frozen=True)
class Match:
    """An enrolled person as the answer to a search.

    Attributes:
      name: of the person.
      similarity: cosine of the person's template and the searched one.
    """

    name: str
    similarity: float


class Gallery:
    """Known people, each with one template: the mean of the templates of all their pictures, at unit length.

    The mean is kept rather than the best of all pictures because what single pictures add by pose and light averages
    out, a chance likeness to one unlucky picture does not decide, and a search costs the same however many pictures a
    person has. docs/recognition.md has the measured difference.

    Attributes:
      names: (P,) of the people, in the order given.
      templates: (P, dimension) float32 unit vectors.
    """

    def __init__(self, templates: Mapping[str, Sequence[np.ndarray]]):
        """Enrols people.

        Args:
          templates: name -> one unit vector or more.
        """
        self.names = list(templates)
        self.templates = np.stack([mean_template(np.stack(list(own))) for own in templates.values()])

    def search(self, template: np.ndarray) -> list[Match]:
        """All people, the most similar first; of equally similar ones in the order of `names`."""
        similarities = self.templates @ template
        order = np.argsort(-similarities, kind="stable")
        return [Match(self.names[number], float(similarities[number])) for number in order]


def mean_template(templates: np.ndarray) -> np.ndarray:
    """Unit vectors (n, D) -> the unit vector (D,) of their mean."""
    total = templates.sum(axis=0)
    return total / max(float(np.linalg.norm(total)), 1e-12)


def people_in(folder: Path, paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Which pictures show whom: a subfolder's name is its person, a file beside the subfolders is one of its own.

    Args:
      folder: the gallery, or the one picture that is it.
      paths: pictures in it.

    Returns:
      name -> pictures; names in alphabetical order.
    """
    people: dict[str, list[Path]] = {}
    for path in paths:
        inside = path.relative_to(folder).parts if folder.is_dir() else (path.name,)
        people.setdefault(inside[0] if len(inside) > 1 else path.stem, []).append(path)
    return dict(sorted(people.items()))
