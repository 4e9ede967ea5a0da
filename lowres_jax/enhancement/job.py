"""One run over all pictures: read, find, enlarge, paste, write, and note what became of each."""

import hashlib
import itertools
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax.data import images
from lowres_jax.data.images import DecodedImage
from lowres_jax.enhancement import enlarging, faults
from lowres_jax.enhancement.before_after import Sheet
from lowres_jax.enhancement.enlarging import EnlargedFace, Read
from lowres_jax.enhancement.ledger import FaceRow, Ledger, PictureEntry
from lowres_jax.enhancement.writing import Maker, ResultWriter, Style
from lowres_jax.faces.quality import quality
from lowres_jax.localization import rotated_search
from lowres_jax.localization.detector import Detector, Face
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.runtime import signals
from lowres_jax.runtime.signals import interruptible
from lowres_jax.super_resolution import tiling
from lowres_jax.super_resolution.upscaler import LARGE_FACE, Upscaler, UpscalerBySize

# Aligned crops of so many sizes get a program each; what comes in yet another size is padded to a few common ones.
_MAX_EXACT_SIZES = 16
_READ_AHEAD = 32  # aligned crops
_SECONDS_BETWEEN_SAVES = 30.0
# By SFace 1 of 100 faces of 16 px, and none of 32 px, is less like itself (29 people held out, identity and
# identity_x8); of two different people 1 of 1,000 pairs is more alike.
UNLIKE = 0.5
# What everybody who uses a result should know, once.
CAUTION = "What a network adds is invented: an enlarged face is no evidence of what somebody looks like."


class Job:
    """One run: what it knows of the pictures so far.

    Attributes:
      entries: pictures of this run, all of whose files are written, and those of which nothing could be made.
      before: number of results of an earlier run.
      transparent: number of pictures with faces that are transparent.
      too_large: pictures that were not enlarged as a whole, with the reason.
      sheet: some of them before and after.
    """

    def __init__(
        self,
        config: ConfigDict,
        upscalers: UpscalerBySize,
        background: Upscaler | None,
        results: dict[Path, Path],
        ledger: Ledger,
        bar: tqdm,
    ):
        """Begins.

        Args:
          config: config of configs/enhance.py.
          upscalers: upscalers of the faces.
          background: upscaler of the photographs around them; None leaves these out.
          results: see `output_paths.assign`.
          ledger: the output's; it learns of every picture.
          bar: progress bar.
        """
        self._config, self._upscalers, self._background = config, upscalers, background
        self._results, self._ledger, self._bar = results, ledger, bar
        style = Style(config.format, config.keep_place, config.mark, config.caption)
        self.writer = ResultWriter(style, self._settled)
        self._saved = time.monotonic()
        self.sheet = Sheet(config.sheet_faces)
        self.entries: list[PictureEntry] = []
        self.before = 0
        self.transparent = 0
        self.too_large: list[str] = []

    def _settled(self, entry: PictureEntry) -> None:
        """Notes a picture whose files are written."""
        self._ledger.entries[entry.picture] = entry
        self.entries.append(entry)
        self._bar.set_description_str(f"enhance with {self._upscalers.names}", refresh=False)
        self._bar.update()
        if time.monotonic() - self._saved > _SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> list[Path]:
        """Writes the account, unless this run and those before it made nothing: then there is no folder for it."""
        self._saved = time.monotonic()
        return self._ledger.save([CAUTION]) if self.writer.begun or self.before else []

    def _read(self, path: Path) -> Read | PictureEntry | None:
        """A picture; what there is to say of one that cannot be read; None for one that an earlier run made."""
        try:
            content = images.read_content(path)
            sha256 = hashlib.sha256(content).hexdigest()
            if self._ledger.done(path, sha256):
                return None
            return path, sha256, images.decode_picture(content, str(path))
        except images.UnreadableImageError as error:
            return PictureEntry(str(path), problem=str(error))

    def _counted(self, read: Read | PictureEntry | None) -> Read | None:
        """A picture that is to be enhanced; None after it was counted."""
        if isinstance(read, PictureEntry):
            self._settled(read)
            return None
        if read is None:
            self.before += 1
            self._bar.update()
        return read

    def _refused(self, path: Path, picture: DecodedImage, scale: int) -> bool:
        """True if a picture is too large to be enlarged as a whole; it is noted then."""
        why = enlarging.too_large(picture.rgb, scale)
        if why:
            self.too_large.append(f"{path}: {why}")
        return bool(why)

    def enhance_aligned(self) -> None:
        """Enlarges every picture as it is, those of one size together; the next are read meanwhile."""
        config, upscalers = self._config, self._upscalers
        waiting: dict[tuple[int, ...], list[Read]] = {}
        sizes: set[tuple[int, ...]] = set()

        def flush(shape: tuple[int, ...]) -> None:
            group, upscaler = waiting.pop(shape), upscalers.for_face(max(shape[:2]))
            pictures = [picture.rgb for _, _, picture in group]
            if shape in sizes:
                enlarged = list(upscaler(np.stack(pictures)))
            else:
                enlarged = tiling.upscale_each(upscaler, pictures, config.tile, config.overlap)
            for (path, sha256, picture), image in zip(group, enlarged, strict=True):
                entry = PictureEntry(str(path), sha256)
                with self.writer.picture(entry) as write:
                    result = self.writer.path(self._results[path], "", path)
                    write(result, image, picture, Maker(upscaler.name, bool(upscaler.card.weights)), whole=True)
                    enlarged_crop = EnlargedFace(None, max(shape[:2]), picture.rgb, image, upscaler)
                    entry.faces.append(self._row(entry, 0, result, enlarged_crop, picture, (None, None), 0.0))
                self.sheet.add(path.name, picture.rgb, image)

        for path, sha256, picture in self._read_ahead():
            shape = picture.rgb.shape
            size = max(shape[:2])
            if self._refused(path, picture, upscalers.for_face(size).scale):
                self._settled(PictureEntry(str(path), sha256, problem=self.too_large[-1]))
                continue
            if len(sizes) < _MAX_EXACT_SIZES and size <= config.tile:
                sizes.add(shape)
            waiting.setdefault(shape, []).append((path, sha256, picture))
            if len(waiting[shape]) >= config.batch_size or shape not in sizes:
                flush(shape)
        for shape in interruptible(list(waiting)):
            flush(shape)

    def _read_ahead(self) -> Iterator[Read]:
        """The pictures in order, some of them read in advance: they are small."""
        with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
            coming: deque[Future[Read | PictureEntry | None]] = deque()
            paths = iter(self._results)
            for path in itertools.islice(paths, _READ_AHEAD):
                coming.append(pool.submit(self._read, path))
            try:
                while coming:
                    signals.check()
                    read = self._counted(coming.popleft().result())
                    for path in itertools.islice(paths, 1):
                        coming.append(pool.submit(self._read, path))
                    if read is not None:
                        yield read
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _readable(self) -> Iterator[Read]:
        for path in interruptible(self._results):
            read = self._counted(self._read(path))
            if read is not None:
                yield read
            # Of large photographs the last one is not to be in memory while the next is read.
            del read

    def enhance_photographs(self, detector: Detector, recognizer: Recognizer | None) -> None:
        """Finds, cuts and enlarges the faces of every picture; pastes them back where there is a background."""
        for chunk in enlarging.chunks(self._readable(), self._config.batch_size):
            shown = [picture.on_white() for _, _, picture in chunk]
            found = rotated_search.detect(detector, shown, self._config.look_again)
            # From left to right, so that numbers can be matched with the picture.
            found = [sorted(faces, key=lambda face: float(face.box[0])) for faces in found]
            noise = [faults.noise_level(image) if of else 0.0 for image, of in zip(shown, found, strict=True)]
            faults_of = [faults.of_picture(read[2], level) for read, level in zip(chunk, noise, strict=True)]
            pairs = [(image, face) for image, of in zip(shown, found, strict=True) for face in of]
            degraded = [bool(faulty) for faulty, of in zip(faults_of, found, strict=True) for _ in of]
            faces = iter(self._enlarged(pairs, degraded))
            for image, read, of, level in interruptible(zip(shown, chunk, found, noise, strict=True)):
                self._enhance_photograph(image, *read, list(itertools.islice(faces, len(of))), recognizer, level)
            # Before the next are read.
            del shown, image, read, faces, pairs
            chunk.clear()

    def _enlarged(self, found: list[tuple[np.ndarray, Face]], degraded: list[bool]) -> list[EnlargedFace]:
        config = self._config
        return enlarging.enlarge_faces(
            found, self._upscalers, config.face_size, config.tile, config.overlap, degraded, config.small_face
        )

    def _enhance_photograph(
        self,
        image: np.ndarray,
        path: Path,
        sha256: str,
        picture: DecodedImage,
        faces: list[EnlargedFace],
        recognizer: Recognizer | None,
        noise: float,
    ) -> None:
        """Writes a picture's faces and, where there is a background, the photograph; `image` is it on white."""
        config, background, writer = self._config, self._background, self.writer
        alike = enlarging.likeness(faces, recognizer) if recognizer else [(None, None)] * len(faces)
        entry = PictureEntry(str(path), sha256)
        with writer.picture(entry) as write:
            for number, (each, value) in enumerate(zip(faces, alike, strict=True), start=1):
                result = writer.path(self._results[path], f"_face{number}", path)
                write(result, each.crop, picture, _maker([each.upscaler]), whole=False)
                entry.faces.append(self._row(entry, number, result, each, picture, value, noise))
                tqdm.write(entry.faces[-1].line())
                self.sheet.add(f"{path.name}, face {number}", each.cut, each.crop)
            if background is not None and not self._refused(path, picture, background.scale):
                photograph = enlarging.enlarge_photograph(
                    picture.rgb, background, config.tile, config.overlap, path.name
                )
                enlarging.paste_faces(photograph, faces, background.scale)
                makers = list(dict.fromkeys([*(each.upscaler for each in faces), background]))
                result = writer.path(self._results[path], f"_x{background.scale}", path)
                write(result, photograph, picture, _maker(makers), whole=True)
                self.sheet.add(path.name, image, photograph)
        self.transparent += bool(faces) and picture.alpha is not None

    def _row(
        self,
        entry: PictureEntry,
        number: int,
        result: Path,
        enlarged: EnlargedFace,
        picture: DecodedImage,
        alike: tuple[float | None, float | None],
        noise: float,
    ) -> FaceRow:
        likeness, length = alike
        remarks = [faults.of_picture(picture, noise)]
        if number and not self._config.face_size and enlarged.size >= self._config.small_face:
            more = f"; --config.small_face={LARGE_FACE} sends it through one" if enlarged.size < LARGE_FACE else ""
            remarks = [f"large enough: from {self._config.small_face} px on no network{more}"]
        if likeness is not None and likeness < UNLIKE:
            remarks.append("hardly like itself any more, as one of 100 faces of 16 px")
        face = enlarged.face
        return FaceRow(
            picture=entry.picture,
            face=number,
            result=str(result),
            box=None if face is None else [round(float(value), 1) for value in face.box],
            score=None if face is None else round(float(face.score), 4),
            turned=0 if face is None else face.turned,
            size=enlarged.size,
            enlarged_to=max(enlarged.crop.shape[:2]),
            model=enlarged.upscaler.name,
            quality=None if length is None else round(quality(enlarged.size, length), 3),
            noise=round(noise, 2),
            jpeg_quality=picture.metadata.jpeg_quality,
            remark="; ".join(filter(None, remarks)),
        )


def _maker(upscalers: list[Upscaler]) -> Maker:
    return Maker(" and ".join(each.name for each in upscalers), any(each.card.weights for each in upscalers))
