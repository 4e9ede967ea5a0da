"""The work of the page, as functions of uploaded bytes; one thread at a time calls them.

Nothing of an upload outlives the call: pictures are decoded in memory, and those of a search lie in a temporary folder.
"""

import base64
import contextlib
import ctypes
import gc
import io
import itertools
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from lowres_jax import config_keys
from lowres_jax.data import images, resize
from lowres_jax.data.people import person_names
from lowres_jax.data.picture_files import find_pictures
from lowres_jax.enhancement import enlarging, faults
from lowres_jax.enhancement.enlarging import EnlargedFace
from lowres_jax.enhancement.job import CAUTION, UNLIKE
from lowres_jax.errors import UserError
from lowres_jax.faces.loading import kept_identity, load_reader
from lowres_jax.faces.quality import quality, templates_and_lengths
from lowres_jax.localization import paste, rotated_search
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.localization.detector import Face
from lowres_jax.matching.enrolment import Enrolled, Enrolment, KeptTemplates, Skipped, enrol
from lowres_jax.matching.gallery import people_in
from lowres_jax.matching.kept_files import is_kept
from lowres_jax.matching.kept_gallery import KeptGallery
from lowres_jax.matching.search import Answer, search
from lowres_jax.matching.shipped_thresholds import ShippedThresholds, described
from lowres_jax.report import search_wording
from lowres_jax.settings import enhance, identify
from lowres_jax.super_resolution import tiling
from lowres_jax.super_resolution.upscaler import LARGE_FACE, load_upscaler_by_size
from lowres_jax.utils import filenames

# Side of the faces that the page shows; smaller results are shown larger by the browser.
_SHOWN = 256
_TILE, _OVERLAP = 128, 32
_RANKS = 5
_MOST_FACES = 40  # of one photograph, the surest
# Pixels of faces that go through networks for one request: a minute of two cores.
_MOST_ENLARGED = 3 * LARGE_FACE**2
_MOST_SHAPES = 50  # of pictures, until what was compiled for them is let go


@dataclass(frozen=True)
class Upload:
    """A file that somebody sent.

    Attributes:
      name: name of the file there: for messages, never a path here.
      content: its bytes.
    """

    name: str
    content: bytes


class Engine:
    """The models, loaded once.

    Attributes:
      known: number of people enrolled from `config.gallery`.
    """

    def __init__(self, config: ConfigDict):
        """Loads the models and enrolls `config.gallery`.

        Raises:
          UserError: a model is missing, or nobody of the gallery can be enrolled.
        """
        self._config = config
        self._shapes: set[tuple[int, ...]] = set()
        settings = config_keys.new(identify.KEYS)
        settings.update({"detector": config.detector, "upscaler": config.upscaler})
        self._reader = load_reader(settings)
        self._upscalers, self._recognizer = self._reader.upscalers, self._reader.recognizer
        self._detector = self._reader.detector
        # What is only looked at may go through a model for noisy pictures too; thresholds were not measured for that.
        usual = tuple(config.upscaler) == tuple(identify.KEYS["upscaler"].default)
        self._enlargers = load_upscaler_by_size(enhance.KEYS["upscaler"].default) if usual else self._upscalers
        self._thresholds = ShippedThresholds.load(
            described(self._recognizer, self._upscalers, self._reader.centering, config.detector, self._reader.small)
        )
        self._gallery: Enrolled | None = None
        if config.gallery and is_kept(Path(config.gallery)):
            self._gallery = KeptGallery.open(Path(config.gallery), kept_identity(settings, self._reader)[0])
            if not self._gallery.people:
                raise UserError(f"{config.gallery}: nobody is enrolled; keep_gallery enrolls people")
        elif config.gallery:
            folder = Path(config.gallery)
            self._gallery = self._enrolled(people_in(folder, find_pictures(folder).paths))
        self.known = 0 if self._gallery is None else self._gallery.people

    def warm_up(self) -> None:
        """Compiles for a photograph of two megapixels and faces of a few sizes."""
        gradient = np.linspace(0.0, 1.0, 1632, dtype=np.float32)
        self._detector.detect(np.broadcast_to(gradient[None, :, None], (1224, 1632, 3)).copy())
        for size, count in itertools.product((16, 24, 32, 48, 60), (1, 2)):
            crops = [np.full((size, size, 3), 0.5, np.float32)] * count
            tiling.upscale_each(self._upscalers.of(size), crops, _TILE, _OVERLAP)
            templates_and_lengths(self._recognizer, np.full((count, CROP_SIZE, CROP_SIZE, 3), 0.5, np.float32))

    def enhance(self, picture: Upload, large: bool = False) -> dict[str, Any]:
        """Faces of a photograph, each as it is, by bicubic and by the face model.

        Args:
          picture: the photograph.
          large: whether faces that are large enough for a recognizer as they are, are enlarged too, up to 255 px.

        Raises:
          UserError: it is no picture, or too large.
        """
        decoded, found = self._found(picture)
        sizes = [paste.native_size(face, decoded.rgb.shape) for face in found]
        chosen = self._chosen(sizes, LARGE_FACE if large else self._reader.small_face)
        faces = self._enlarged(decoded, [face for face, here in zip(found, chosen, strict=True) if here])
        rows = iter(self._rows(decoded, faces))
        told = [
            next(rows) if here else _as_it_is(decoded.rgb, face, size, self._reader.small_face)
            for face, size, here in zip(found, sizes, chosen, strict=True)
        ]
        height, width = decoded.rgb.shape[:2]
        remarks = [line for line in (self._upscalers.licence_remark(),) if line]
        return {"width": width, "height": height, "faces": told, "remarks": remarks, "caution": CAUTION}

    @staticmethod
    def _chosen(sizes: Sequence[int], below: int) -> list[bool]:
        """Which faces go through a network: those below a size, the smallest first, as far as a request may ask."""
        left, found = _MOST_ENLARGED, [False] * len(sizes)
        for number in sorted(range(len(sizes)), key=lambda each: sizes[each]):
            left -= sizes[number] ** 2
            found[number] = sizes[number] < below and left >= 0
        return found

    def _rows(self, decoded: images.DecodedImage, faces: Sequence[EnlargedFace]) -> list[dict[str, Any]]:
        """Rows of the answer for enlarged faces."""
        rows = []
        likeness = enlarging.likeness(faces, self._recognizer)
        found = faults.of_picture(decoded, faults.noise_level(decoded.rgb))
        for face, (alike, length) in zip(faces, likeness, strict=True):
            assert face.face is not None
            side = min(_SHOWN, max(face.crop.shape[0], CROP_SIZE))
            rows.append(
                {
                    "box": [round(float(each), 1) for each in face.face.box],
                    "score": round(face.face.score, 4),
                    "size": face.size,
                    "quality": None if length is None else round(quality(face.size, length), 3),
                    "model": face.upscaler.name,
                    "scale": face.upscaler.scale,
                    "remark": f"{found}." if found else "",
                    "another": alike < UNLIKE,
                    "pixels": _data(face.cut),
                    "bicubic": _data(resize.upscale_bicubic(face.cut, side, side)),
                    "enlarged": _data(resize.resize(face.crop, side, side)),
                }
            )
        return rows

    def pasted_back(self, picture: Upload) -> bytes:
        """The whole photograph enlarged, with its faces, as PNG; raises as `enhance` does."""
        decoded, found = self._found(picture)
        background = enlarging.background_of("bicubic", self._enlargers)
        if why := enlarging.too_large(decoded.rgb, background.scale):
            raise UserError(f"{_told(picture)}: {why}")
        photograph = enlarging.enlarge_photograph(decoded.rgb, background, _TILE, _OVERLAP, picture.name)
        sizes = [paste.native_size(face, decoded.rgb.shape) for face in found]
        chosen = itertools.compress(found, self._chosen(sizes, LARGE_FACE))
        enlarging.paste_faces(photograph, self._enlarged(decoded, list(chosen)), background.scale)
        file = io.BytesIO()
        Image.fromarray(photograph).save(file, "PNG", compress_level=1)
        return file.getvalue()

    def _found(self, picture: Upload) -> tuple[images.DecodedImage, list[Face]]:
        """A photograph and its faces, from left to right."""
        decoded = self._decoded(picture)
        self._forget_programs(decoded.rgb.shape)
        found = rotated_search.detect(self._detector, [decoded.on_white()])[0][:_MOST_FACES]
        return decoded, sorted(found, key=lambda face: float(face.box[0]))

    def _forget_programs(self, shape: tuple[int, ...]) -> None:
        """Keeps memory bounded: pictures of ever other sizes would leave ever more compiled programs behind."""
        self._shapes.add(shape)
        if len(self._shapes) > _MOST_SHAPES:
            self._shapes = {shape}
            jax.clear_caches()
            gc.collect()
            # The C library keeps what is free to itself otherwise: half of the process's memory.
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL("libc.so.6").malloc_trim(0)

    def _enlarged(self, decoded: images.DecodedImage, faces: Sequence[Face]) -> list[EnlargedFace]:
        pairs = [(decoded.rgb, face) for face in faces]
        degraded = bool(faults.of_picture(decoded, faults.noise_level(decoded.rgb)))
        return enlarging.enlarge_faces(pairs, self._enlargers, None, _TILE, _OVERLAP, [degraded] * len(faces))

    def _decoded(self, picture: Upload) -> images.DecodedImage:
        """A picture, whose size is looked at before it is decoded."""
        pixels, most = images.pixel_count(picture.content), self._config.most_megapixels
        if pixels > most * 1_000_000:
            raise UserError(f"{_told(picture)}: has {pixels / 1e6:.0f} megapixels, over the {most} that are taken")
        return images.decode_picture(picture.content, _told(picture))

    def identify(self, picture: Upload, known: Sequence[Upload]) -> dict[str, Any]:
        """Whose faces a photograph shows, or whether two photographs show one person.

        Args:
          picture: the photograph.
          known: pictures of known people, whose names say the person as paths do, see `data.people`; one picture: the
            other of two; none: those of `config.gallery` are searched.

        Raises:
          UserError: something is no picture, nobody can be enrolled or searched for.
        """
        if not known and self._gallery is None:
            raise UserError("nobody is known: choose a folder of known people, or start with --config.gallery=DIR")
        with tempfile.TemporaryDirectory(prefix="lowres_jax-") as place:
            folder, pair = Path(place), len(known) == 1
            enrolment = self._gallery
            unreadable: list[str] = []
            if known:
                people: dict[str, list[Path]] = {}
                names = person_names([_relative(each.name) for each in known], "the pictures of known people")
                for number, (each, name) in enumerate(zip(known, names, strict=True)):
                    try:
                        self._decoded(each)
                    except images.UnreadableImageError as error:
                        if pair:
                            raise
                        unreadable.append(str(error))
                        continue
                    path = folder / f"{number}_{_file_name(each.name)}"
                    path.write_bytes(each.content)
                    people.setdefault(name, []).append(path)
                enrolment = self._enrolled(dict(sorted(people.items())))
            assert enrolment is not None
            if self._thresholds is None or not self._thresholds.covers(self._config.far):
                raise UserError(
                    "there are no ready thresholds for these models or this rate; lowres-jax --config=identify "
                    "measures them"
                )
            notes = self._thresholds.remarks(self._config.far, enrolment.recipe)
            self._forget_programs(self._decoded(picture).rgb.shape)
            probe = folder / _file_name(picture.name)
            probe.write_bytes(picture.content)
            skipped = Skipped()
            found = list(search(self._reader, [probe], enrolment, self._thresholds, self._config.far, _RANKS, skipped))
            if not found:
                raise UserError(f"{_told(picture)}: no face found")
            notes += [
                search_wording.thresholds(search_wording.distinct_thresholds(found), self._thresholds, self._upscalers),
                *search_wording.warnings(found, enrolment, self._thresholds),
            ]
            caution = search_wording.caution(found, enrolment, self._thresholds, pair)
        return {
            "pair": pair,
            "known": enrolment.people,
            "not_enrolled": list(enrolment.missing),
            "unreadable": unreadable,
            "faces": [self._row(answer, pair) for answer in found],
            "notes": notes,
            "caution": caution,
        }

    def _row(self, answer: Answer, pair: bool) -> dict[str, Any]:
        view = answer.view
        assert view.crop is not None
        return {
            "box": [round(float(each), 1) for each in view.face.box],
            "answer": search_wording.verdict(answer, pair, self._config.least_found).value,
            "said": search_wording.said(answer, pair, self._config.least_found),
            "size": view.native_size,
            "quality": None if view.quality is None else round(view.quality, 3),
            "how": search_wording.how(view, self._upscalers),
            "threshold": round(answer.threshold.similarity, 4),
            "nearest": [
                {"name": each.name, "similarity": round(each.similarity, 4)} for each in answer.matches[:_RANKS]
            ],
            "enrolled_itself": answer.enrolled_as is not None,
            "crop": _data(view.crop),
        }

    def _enrolled(self, people: Mapping[str, Sequence[Path]]) -> Enrolment:
        nothing_kept = KeptTemplates(None, "", self._recognizer.dimension)
        enrolment = enrol(self._reader.for_enrolment(), people, identify.KEYS["enrol"].default, nothing_kept)
        if not enrolment.faces:
            raise UserError("no face found in any picture of the known people")
        return enrolment


def _as_it_is(image: np.ndarray, face: Face, size: int, small_face: int) -> dict[str, Any]:
    """Row of the answer for a face that is not enlarged; one larger than the page's is shown smaller."""
    if size >= LARGE_FACE:
        remark = f"Large enough: faces of {LARGE_FACE} px and more are never enlarged."
    elif size >= small_face:
        remark = "Large enough as it is: it was not enlarged."
    else:
        remark = "Too many faces for one request: send a part of the photograph."
    return {
        "box": [round(float(each), 1) for each in face.box],
        "score": round(face.score, 4),
        "size": size,
        "quality": None,
        "model": None,
        "remark": remark,
        "can_be_enlarged": small_face <= size < LARGE_FACE,
        "pixels": _data(paste.cut_face(image, face, min(size, _SHOWN))),
    }


def _told(upload: Upload) -> str:
    text = filenames.printable(upload.name[-200:])
    return "".join(each if each.isprintable() else "?" for each in text) or "the upload"


def _relative(name: str) -> PurePosixPath:
    """Where a picture of the known lies below the folder that was sent; never a path here."""
    parts = [part[:100] for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return PurePosixPath(*parts or ["?"])


def _file_name(name: str) -> str:
    """File name of a picture while it is searched: letters and digits of its own name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name.replace("\\", "/").rpartition("/")[2])[-40:].lstrip(".") or "picture"


def _data(image: np.ndarray) -> str:
    """A picture as a data URL."""
    file = io.BytesIO()
    pixels = image if image.dtype == np.uint8 else images.to_uint8(np.array(image))
    Image.fromarray(pixels).save(file, "PNG", compress_level=3)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
