"""The work of the page, as functions of uploaded bytes; one thread at a time calls them.

Nothing of an upload outlives the call: pictures are decoded in memory, and those of a search lie in a temporary folder.
"""

import contextlib
import ctypes
import gc
import io
import itertools
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import skimage.data
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
from lowres_jax.matching.enrollment import Enrolled, Enrollment, KeptTemplates, Skipped, enroll
from lowres_jax.matching.gallery import people_in
from lowres_jax.matching.kept_files import is_kept
from lowres_jax.matching.kept_gallery import KeptGallery
from lowres_jax.matching.search import Answer, search
from lowres_jax.matching.shipped_thresholds import ShippedThresholds, described
from lowres_jax.report import search_wording
from lowres_jax.settings import enhance, identify
from lowres_jax.super_resolution import tiling
from lowres_jax.super_resolution.upscaler import LARGE_FACE, UpscalerBySize, load_upscaler_by_size
from lowres_jax.web.answers import SHOWN, Upload, as_it_is, data_url, distinct, file_name, png, relative, told

_TILE, _OVERLAP = 128, 32
_RANKS = 5
_MOST_FACES = 40  # of one photograph, the surest
# Pixels of faces that go through networks for one request: a minute of two cores.
_MOST_ENLARGED = 3 * LARGE_FACE**2
_MOST_SHAPES = 50  # of pictures, until what was compiled for them is let go


class Engine:
    """The models, loaded once.

    Attributes:
      known: number of people enrolled from `config.gallery`.
      models: names of the models among which a user may choose.
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
        # What is only shown may go through a model for noisy pictures too; thresholds were not measured for that.
        usual = tuple(config.upscaler) == tuple(identify.KEYS["upscaler"].default)
        self._enlargers = load_upscaler_by_size(enhance.KEYS["upscaler"].default) if usual else self._upscalers
        self.models = [each.name for each in self._enlargers.members]
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

    @staticmethod
    def example() -> bytes:
        """A photograph to try, as JPEG: E. Collins (NASA, public domain, from scikit-image), made small."""
        picture = resize.resize(skimage.data.astronaut().astype(np.float32) / np.float32(255), 200, 200)
        file = io.BytesIO()
        Image.fromarray(images.to_uint8(picture)).save(file, "JPEG", quality=95)
        return file.getvalue()

    def enhance(self, picture: Upload, large: bool = False, model: str = "") -> dict[str, Any]:
        """Faces of a photograph, each as it is, by bicubic and by the face model.

        Args:
          picture: the photograph.
          large: true if faces that are large enough for a recognizer as they are, are enlarged too, up to 255 px.
          model: one of `models`; "": the one for the size and condition of each face.

        Raises:
          UserError: the upload is no picture, or too large; or there is no such model.
        """
        enlargers = self._enlarger(model)
        decoded, found = self._found(picture)
        sizes = [paste.native_size(face, decoded.rgb.shape) for face in found]
        chosen = self._chosen(sizes, LARGE_FACE if large else self._reader.small_face)
        faulty = _faults(decoded)
        faces = self._enlarged(decoded, list(itertools.compress(found, chosen)), enlargers, faulty)
        rows = iter(self._rows(faces, faulty))
        rows_of_all = [
            next(rows) if here else as_it_is(decoded.rgb, face, size, self._reader.small_face)
            for face, size, here in zip(found, sizes, chosen, strict=True)
        ]
        height, width = decoded.rgb.shape[:2]
        return {"width": width, "height": height, "faces": rows_of_all, "license": self._license(), "caution": CAUTION}

    def _enlarger(self, model: str) -> UpscalerBySize:
        """The models of a request.

        Raises:
          UserError: there is no such model.
        """
        if not model:
            return self._enlargers
        if model not in self.models:
            raise UserError(f"no model {model!r}; there are {', '.join(self.models)}")
        return UpscalerBySize([each for each in self._enlargers.members if each.name == model])

    def _license(self) -> str:
        """Sentence on the use of the enlarged faces; "" where they may be used for anything."""
        bound = self._enlargers.license_remark()
        return "Enlarged faces are for research only: so are the data of these models." if bound else ""

    def enlarged_faces(self, pictures: Sequence[Upload], large: bool = False, model: str = "") -> bytes:
        """The enlarged faces of several photographs as a zip archive, named by photograph and face.

        Photographs that cannot be read are listed in a text beside them; raises as `enhance` does where none has a
        face that is enlarged.
        """
        enlargers, file, lines, count = self._enlarger(model), io.BytesIO(), [CAUTION, self._license()], 0
        names: set[str] = set()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for picture in pictures:
                try:
                    decoded, found = self._found(picture)
                except UserError as error:
                    lines.append(str(error))
                    continue
                sizes = [paste.native_size(face, decoded.rgb.shape) for face in found]
                chosen = self._chosen(sizes, LARGE_FACE if large else self._reader.small_face)
                stem = distinct(Path(file_name(picture.name)).stem, names)
                own = list(itertools.compress(found, chosen))
                enlarged = iter(self._enlarged(decoded, own, enlargers, _faults(decoded)))
                for number in [place for place, here in enumerate(chosen, start=1) if here]:
                    archive.writestr(f"{stem}_face{number}.png", png(next(enlarged).crop))
                    count += 1
            archive.writestr("read_me.txt", "\n".join(filter(None, lines)) + "\n")
        if not count:
            raise UserError("; ".join(lines[2:]) or "no small face found")
        return file.getvalue()

    @staticmethod
    def _chosen(sizes: Sequence[int], below: int) -> list[bool]:
        """Faces that go through a network: those below a size, the smallest first, as far as a request may ask."""
        left, found = _MOST_ENLARGED, [False] * len(sizes)
        for number in sorted(range(len(sizes)), key=lambda each: sizes[each]):
            left -= sizes[number] ** 2
            found[number] = sizes[number] < below and left >= 0
        return found

    def _rows(self, faces: Sequence[EnlargedFace], faulty: str) -> list[dict[str, Any]]:
        """Rows of the answer for the enlarged faces of a photograph with these faults."""
        rows = []
        likeness = enlarging.likeness(faces, self._recognizer)
        for face, (alike, length) in zip(faces, likeness, strict=True):
            assert face.face is not None
            side = min(SHOWN, max(face.crop.shape[0], CROP_SIZE))
            rows.append(
                {
                    "box": [round(float(each), 1) for each in face.face.box],
                    "score": round(face.face.score, 4),
                    "size": face.size,
                    "quality": None if length is None else round(quality(face.size, length), 3),
                    "model": face.upscaler.name,
                    "scale": face.upscaler.scale,
                    "remark": f"{faulty}." if faulty else "",
                    "another": alike < UNLIKE,
                    "pixels": data_url(face.cut),
                    "bicubic": data_url(resize.upscale_bicubic(face.cut, side, side)),
                    "enlarged": data_url(resize.resize(face.crop, side, side)),
                }
            )
        return rows

    def pasted_back(self, picture: Upload) -> bytes:
        """The whole photograph enlarged, with its faces, as PNG; raises as `enhance` does."""
        decoded, found = self._found(picture)
        background = enlarging.background_of("bicubic", self._enlargers)
        if why := enlarging.too_large(decoded.rgb, background.scale):
            raise UserError(f"{told(picture)}: {why}")
        photograph = enlarging.enlarge_photograph(decoded.rgb, background, _TILE, _OVERLAP, picture.name)
        sizes = [paste.native_size(face, decoded.rgb.shape) for face in found]
        chosen = itertools.compress(found, self._chosen(sizes, LARGE_FACE))
        faces = self._enlarged(decoded, list(chosen), self._enlargers, _faults(decoded))
        enlarging.paste_faces(photograph, faces, background.scale)
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

    def _enlarged(
        self, decoded: images.DecodedImage, faces: Sequence[Face], enlargers: UpscalerBySize, faulty: str
    ) -> list[EnlargedFace]:
        pairs = [(decoded.rgb, face) for face in faces]
        return enlarging.enlarge_faces(pairs, enlargers, None, _TILE, _OVERLAP, [bool(faulty)] * len(faces))

    def _decoded(self, picture: Upload) -> images.DecodedImage:
        """A picture, whose size is read before it is decoded."""
        pixels, most = images.pixel_count(picture.content), self._config.most_megapixels
        if pixels > most * 1_000_000:
            raise UserError(f"{told(picture)}: has {pixels / 1e6:.0f} megapixels, over the {most} that are taken")
        return images.decode_picture(picture.content, told(picture))

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
            raise UserError("nobody is known: choose a folder of known people")
        with tempfile.TemporaryDirectory(prefix="lowres_jax-") as place:
            folder, pair = Path(place), len(known) == 1
            enrollment = self._gallery
            unreadable: list[str] = []
            if known:
                people: dict[str, list[Path]] = {}
                names = person_names([relative(each.name) for each in known], "the pictures of known people")
                for number, (each, name) in enumerate(zip(known, names, strict=True)):
                    try:
                        self._decoded(each)
                    except images.UnreadableImageError as error:
                        if pair:
                            raise
                        unreadable.append(str(error))
                        continue
                    path = folder / f"{number}_{file_name(each.name)}"
                    path.write_bytes(each.content)
                    people.setdefault(name, []).append(path)
                enrollment = self._enrolled(dict(sorted(people.items())))
            assert enrollment is not None
            if self._thresholds is None or not self._thresholds.covers(self._config.far):
                raise UserError("this server was started with models or a rate that cannot be searched with here")
            self._forget_programs(self._decoded(picture).rgb.shape)
            probe = folder / file_name(picture.name)
            probe.write_bytes(picture.content)
            skipped = Skipped()
            found = list(search(self._reader, [probe], enrollment, self._thresholds, self._config.far, _RANKS, skipped))
            if not found:
                raise UserError(f"{told(picture)}: no face found")
            notes = search_wording.warnings(found, enrollment, self._thresholds)
            caution = search_wording.caution(found, enrollment, self._thresholds, pair)
            faces = [self._row(answer, pair, enrollment) for answer in found]
        return {
            "pair": pair,
            "known": enrollment.people,
            "not_enrolled": list(enrollment.missing),
            "unreadable": unreadable,
            "faces": faces,
            "notes": [self._plain(each) for each in notes],
            "caution": self._plain(caution),
        }

    def _plain(self, text: str) -> str:
        """A note without the name of the set that the thresholds were measured on, which says nothing on a page."""
        assert self._thresholds is not None
        return text.replace(self._thresholds.name, "many other photographs")

    def _row(self, answer: Answer, pair: bool, enrollment: Enrolled) -> dict[str, Any]:
        view = answer.view
        assert view.crop is not None
        verdict = search_wording.verdict(answer, pair, self._config.least_found)
        best = enrollment.nearest_picture(answer.matches[0].name, view.template)
        return {
            "box": [round(float(each), 1) for each in view.face.box],
            "answer": verdict.value,
            "words": search_wording.in_words(verdict),
            "enrolled": "" if best is None else data_url(self._reader.crop(*best)),
            "said": search_wording.said(answer, pair, self._config.least_found),
            "size": view.native_size,
            "quality": None if view.quality is None else round(view.quality, 3),
            "how": search_wording.how(view, self._upscalers),
            "threshold": round(answer.threshold.similarity, 4),
            "nearest": [
                {"name": each.name, "similarity": round(each.similarity, 4)} for each in answer.matches[:_RANKS]
            ],
            "enrolled_itself": answer.enrolled_as is not None,
            "crop": data_url(view.crop),
        }

    def _enrolled(self, people: Mapping[str, Sequence[Path]]) -> Enrollment:
        nothing_kept = KeptTemplates(None, "", self._recognizer.dimension)
        enrollment = enroll(self._reader.for_enrollment(), people, identify.KEYS["enroll"].default, nothing_kept)
        if not enrollment.faces:
            raise UserError("no face found in any picture of the known people")
        return enrollment


def _faults(decoded: images.DecodedImage) -> str:
    """Faults of a photograph in words, see `faults.of_picture`."""
    return faults.of_picture(decoded, faults.noise_level(decoded.rgb))
