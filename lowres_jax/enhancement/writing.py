"""Writing results beside the work on the next ones, with what goes along with a picture."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Shaped
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from lowres_jax.data import images, output_paths, resize, xmp
from lowres_jax.data.images import DecodedImage
from lowres_jax.enhancement.ledger import PictureEntry
from lowres_jax.errors import UserError
from lowres_jax.utils.files import RefusedFileError

# Name of a format -> the ending of its files; "input" is that of the picture, where it is one of these.
ENDINGS = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "webp": ".webp"}
AS_INPUT = "input"
_OF_INPUT = {".jpg": ".jpg", ".jpeg": ".jpg", ".jfif": ".jpg", ".tif": ".tif", ".tiff": ".tif", ".webp": ".webp"}

# Finished pictures that wait for their files, and pixels of one from which on the next waits for it: 150 MB.
_WAITING, _LARGE = 16, 50_000_000


def ending(result_format: str, picture: Path) -> str:
    """Ending of a picture's results, as ".png"."""
    if result_format == AS_INPUT:
        return _OF_INPUT.get(picture.suffix.lower(), ".png")
    return ENDINGS[result_format]


@dataclass(frozen=True)
class Style:
    """Settings by which results are written.

    Attributes:
      result_format: a key of `ENDINGS`, or "input".
      place: true if the place where a photograph was taken goes along.
      mark: true if files say in XMP that they were enlarged, by what, from what.
      caption: true if a strip below the picture says so too.
    """

    result_format: str
    place: bool = False
    mark: bool = True
    caption: bool = False


@dataclass(frozen=True)
class Maker:
    """Origin of a result.

    Attributes:
      models: their names.
      invented: true if one of them is a network, which adds detail.
    """

    models: str
    invented: bool

    @property
    def said(self) -> str:
        """In words."""
        return f"Enlarged by {self.models}" + ("; its detail is invented" if self.invented else "")


class Write(Protocol):
    """Writes a result, soon."""

    def __call__(
        self, path: Path, image: Shaped[np.ndarray, "H W 3"], source: DecodedImage, made_by: Maker, whole: bool
    ) -> None:
        """Writes.

        Args:
          path: see `ResultWriter.path`.
          image: (H, W, 3) RGB, float32 in [0, 1] or uint8.
          source: the picture it was made of: gray where that is, and with its transparency where it is `whole`.
          made_by: settings and models that made it.
          whole: true if it shows the picture as a whole.
        """


class ResultWriter:
    """Writes in two threads of its own; memory and the number of waiting pictures are bounded.

    Attributes:
      refused: results that could not be written, with the reason.
      begun: true if there may be files of this run.
    """

    def __init__(self, style: Style, settled: Callable[[PictureEntry], object]):
        """Makes one; use it within `opened`.

        Args:
          style: format and marks of the files.
          settled: told of each picture whose files are all written.
        """
        self._style, self._settled = style, settled
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="write")
        self._waiting: deque[tuple[PictureEntry, list[Future[str]]]] = deque()
        self.refused: list[str] = []
        self.begun = False

    @contextlib.contextmanager
    def opened(self) -> Iterator["ResultWriter"]:
        """Waits at its end for everything that was begun; after an error for what is being written only."""
        try:
            yield self
            self._settle(0)
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            # After an error or a stop: what happens to be complete is not to be made again.
            for entry, futures in self._waiting:
                if all(not future.cancelled() and future.exception() is None for future in futures):
                    entry.results += [future.result() for future in futures]
                    self._settled(entry)

    @contextlib.contextmanager
    def picture(self, entry: PictureEntry) -> Iterator[Write]:
        """Gives a function that writes a result of a picture, soon: all of them within this block."""
        futures: list[Future[str]] = []

        def write(
            path: Path, image: Shaped[np.ndarray, "H W 3"], source: DecodedImage, made_by: Maker, whole: bool
        ) -> None:
            self.begun = True
            futures.append(self._pool.submit(self._write, path, image, source, made_by, whole, entry))
            if image.shape[0] * image.shape[1] > _LARGE:
                wait(futures)

        yield write
        self._waiting.append((entry, futures))
        self._settle(_WAITING)

    def path(self, result: Path, name: str, picture: Path) -> Path:
        """Path of a result: `result` as `output_paths.assign` has it, with `name` and the ending."""
        return output_paths.with_ending(result, name + ending(self._style.result_format, picture))

    def _settle(self, most: int) -> None:
        """Waits until at most so many pictures wait for their files; those that are written do not wait any longer."""
        while self._waiting and (len(self._waiting) > most or all(each.done() for each in self._waiting[0][1])):
            entry, futures = self._waiting.popleft()
            for future in futures:
                try:
                    entry.results.append(future.result())
                except RefusedFileError as error:
                    self.refused.append(str(error))
            self._settled(entry)

    def _write(
        self, path: Path, image: np.ndarray, source: DecodedImage, made_by: Maker, whole: bool, entry: PictureEntry
    ) -> str:
        alpha = None
        if whole and source.alpha is not None:
            alpha = resize.resize(source.alpha, *image.shape[:2])
        if source.gray:
            image = images.to_gray(image) if image.dtype != np.uint8 else images.to_uint8(images.to_gray(image / 255.0))
        if self._style.caption:
            image, alpha = _with_caption(image, alpha, made_by.said)
        marked = None
        if self._style.mark:
            marked = xmp.mark(made_by.models, made_by.invented, Path(entry.picture).name, entry.sha256)
        try:
            for remark in images.write_image(path, image, alpha, source.metadata, self._style.place, marked):
                tqdm.write(remark)
        except UserError:
            raise
        # Whatever an encoder stumbles over is one result less, and no end of the others.
        except Exception as error:
            raise RefusedFileError(f"{path}: cannot be written ({type(error).__name__}: {error})") from error
        return str(path)


def _with_caption(image: np.ndarray, alpha: np.ndarray | None, text: str) -> tuple[np.ndarray, np.ndarray | None]:
    """The picture with a strip below it."""
    pixels = image if image.dtype == np.uint8 else images.to_uint8(image)
    width = pixels.shape[1]
    # As large as fits, within reason.
    size = max(min(width // 24, 48), 9)
    font = ImageFont.load_default(size)
    strip = Image.new("RGB", (width, round(1.6 * size)), (255, 255, 255))
    ImageDraw.Draw(strip).text((size // 3, size // 5), text, (0, 0, 0), font)
    if alpha is not None:
        alpha = np.concatenate([alpha, np.ones((strip.height, width), np.float32)])
    return np.concatenate([pixels, np.asarray(strip)]), alpha
