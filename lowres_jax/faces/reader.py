"""Finds the faces of pictures, enlarges the small ones and makes their templates."""

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from lowres_jax.data import images
from lowres_jax.faces.centering import Centering
from lowres_jax.faces.quality import quality, templates_and_lengths
from lowres_jax.localization import paste, rotated_search
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.localization.detector import Detector, Face, Rule, choose
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.runtime.signals import interruptible
from lowres_jax.super_resolution.upscaler import UpscalerBySize, enlarge_to

# Small faces are cut to one of these sides: few programs are compiled, and the threshold is measured for each.
CUT_SIZES = (8, 16, 24, 32, 48, 64)
# Pictures are searched for faces together until they are so many, or have so many pixels (100 MB as float32).
_BATCH = 16
_BATCH_PIXELS = 8_000_000


@dataclass(frozen=True)
class FaceView:
    """A face as the recognizer gets it.

    Attributes:
      face: detection in the picture.
      native_size: side of its aligned crop in pixels of the photograph.
      cut_size: side of the crop that the upscaler enlarged; 0 if the face was large enough.
      template: (dimension,) float32 unit vector.
      cut: the crop before, (cut_size, cut_size, 3) uint8, or the same as `crop`; None where pictures are not kept.
      crop: (128, 128, 3) uint8 RGB, enlarged where it had to be; None where pictures are not kept.
      quality: quality from 0 to 1, see `quality.quality`; None for a recognizer of which it is not known.
      enrolled_template: (dimension,) template by which the face would be enrolled; None: `template`.
    """

    face: Face
    native_size: int
    cut_size: int
    template: np.ndarray
    cut: np.ndarray | None = None
    crop: np.ndarray | None = None
    quality: float | None = None
    enrolled_template: np.ndarray | None = None

    @property
    def as_enrolled(self) -> Float[np.ndarray, " D"]:
        """(dimension,) template for comparisons with other searched faces, and with copies of the same picture."""
        return self.template if self.enrolled_template is None else self.enrolled_template

    def without_pictures(self) -> "FaceView":
        """The same with less to keep."""
        return replace(self, cut=None, crop=None)


@dataclass(frozen=True)
class Eye:
    """Recognizer of the small faces that are searched for.

    Attributes:
      recognizer: recognizer whose templates are comparable with those of the reader's own.
      centering: means to subtract from its templates.
      largest: largest side in pixels that it reads; larger faces are left to the reader's own recognizer.
    """

    recognizer: Recognizer
    centering: Centering
    largest: int

    def reads(self, cut_size: int) -> bool:
        """True if it reads faces that were cut at a size in pixels; 0 is a face that is not enlarged."""
        return 0 < cut_size <= self.largest


@dataclass(frozen=True)
class Picture:
    """Faces found in a file.

    Attributes:
      path: path of the file.
      shape: height, width and 3; empty if it could not be read.
      faces: faces from left to right.
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
      upscalers: upscalers for small faces.
      recognizer: any.
      small_face: a face whose aligned crop has fewer pixels a side in the photograph is enlarged.
      look_again: see `rotated_search.detect`.
      centering: means to subtract from the templates of each condition.
      small: recognizer of small faces; None: `recognizer` reads all.
    """

    def __init__(
        self,
        detector: Detector,
        upscalers: UpscalerBySize,
        recognizer: Recognizer,
        small_face: int,
        look_again: bool = True,
        centering: Centering | None = None,
        small: Eye | None = None,
    ):
        self.detector = detector
        self.look_again = look_again
        self.upscalers = upscalers
        self.recognizer = recognizer
        self.small_face = small_face
        self.centering = centering or Centering()
        self.small = small

    def for_enrollment(self) -> "FaceReader":
        """The same for pictures that are enrolled: of these small faces are read as all others are."""
        other = copy.copy(self)
        other.small = None
        return other

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
            del content  # of a large photograph the last one is not to be in memory while the next is read
            if len(waiting) == _BATCH or pixels > _BATCH_PIXELS:
                yield from self._found(waiting)
                waiting, pixels = [], 0
        yield from self._found(waiting)

    def _found(self, contents: list[tuple[Path, np.ndarray | str]]) -> Iterator[Picture]:
        views = iter(self.views([content for _, content in contents if not isinstance(content, str)]))
        for path, content in contents:
            if isinstance(content, str):
                yield Picture(path, problem=content)
            else:
                yield Picture(path, content.shape, next(views))

    def views(self, pictures: Sequence[np.ndarray]) -> list[list[FaceView]]:
        """The faces of each picture, (H, W, 3) float32 RGB in [0, 1], from left to right."""
        found = [
            # From left to right, so that numbers can be matched with the picture.
            sorted(faces, key=lambda face: float(face.box[0]))
            for faces in rotated_search.detect(self.detector, pictures, self.look_again)
        ]
        pairs = [(image, face) for image, faces in zip(pictures, found, strict=True) for face in faces]
        views = iter(self._views(pairs))
        return [list(itertools.islice(views, len(faces))) for faces in found]

    def crop(self, path: Path, view: FaceView) -> UInt8[np.ndarray, "128 128 3"]:
        """The crop of a face that was found before, (128, 128, 3) uint8; a gray one if the picture has gone."""
        try:
            image = images.read_image(path)
        except images.UnreadableImageError:
            return unknown_face()
        crop = self.with_pictures(image, view).crop
        assert crop is not None
        return crop

    def with_pictures(self, image: Float[np.ndarray, "H W 3"], view: FaceView) -> FaceView:
        """A face that was found before in a picture, (H, W, 3) float32 RGB in [0, 1], with its pictures again."""
        cuts, crops = self._cut([(image, view.face)], np.asarray([view.cut_size]))
        return replace(view, cut=images.to_uint8(cuts[0]), crop=images.to_uint8(crops[0]))

    def _cut(
        self, faces: Sequence[tuple[np.ndarray, Face]], cut_sizes: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """The faces as they are cut out of their pictures, and their crops of 128 pixels."""
        cuts = [
            paste.cut_face(image, face, int(size) or CROP_SIZE)
            for (image, face), size in zip(faces, cut_sizes, strict=True)
        ]
        crops = np.zeros((len(faces), CROP_SIZE, CROP_SIZE, 3), np.float32)
        for size in np.unique(cut_sizes):
            chosen = np.flatnonzero(cut_sizes == size)
            stack = np.stack([cuts[number] for number in chosen])
            crops[chosen] = enlarge_to(self.upscalers.of(int(size)), stack, CROP_SIZE) if size else stack
        return cuts, crops

    def _views(self, faces: Sequence[tuple[np.ndarray, Face]]) -> list[FaceView]:
        if not faces:
            return []
        native = [paste.native_size(face, image.shape) for image, face in faces]
        cut_sizes = np.asarray([nearest_cut_size(size) if size < self.small_face else 0 for size in native])
        cuts, crops = self._cut(faces, cut_sizes)
        # Quality is what the usual recognizer sees in a face.
        enrolled, lengths = templates_and_lengths(self.recognizer, crops)
        templates, small = enrolled.copy(), np.zeros(len(faces), bool)
        for size in np.unique(cut_sizes):
            chosen = cut_sizes == size
            upscaler = self.upscalers.of(int(size)) if size else None
            templates[chosen] = enrolled[chosen] = self.centering(enrolled[chosen], upscaler, int(size))
            if self.small is not None and self.small.reads(int(size)):
                small[chosen] = True
                found = self.small.recognizer.templates(crops[chosen])
                templates[chosen] = self.small.centering(found, upscaler, int(size))
        return [
            FaceView(
                face=face,
                native_size=native[number],
                cut_size=int(cut_sizes[number]),
                cut=images.to_uint8(cuts[number]),
                crop=images.to_uint8(crops[number]),
                template=templates[number],
                quality=None if lengths is None else quality(native[number], float(lengths[number])),
                enrolled_template=enrolled[number] if small[number] else None,
            )
            for number, (_, face) in enumerate(faces)
        ]


def unknown_face() -> UInt8[np.ndarray, "128 128 3"]:
    """Picture for a face whose own is not there, (128, 128, 3) uint8."""
    return np.full((CROP_SIZE, CROP_SIZE, 3), 128, np.uint8)


def nearest_cut_size(native_size: int) -> int:
    """The side, of a few, that is nearest in ratio to a face's own."""
    return min(CUT_SIZES, key=lambda size: abs(np.log(size / native_size)))
