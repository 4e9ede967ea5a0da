"""Frames of clips, one after the other, upright and with their time; whatever the length, few are in memory.

Decoding is PyAV's (FFmpeg's libraries). A frame's time is its own timestamp, so that a variable frame rate and a start
in the middle are right; the rotation that telephones write beside the picture is applied.
"""

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.runtime.signals import interruptible

SUFFIXES = frozenset(
    suffix
    for suffix in (".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .ts", ".mts .m2ts .wmv .flv .3gp .ogv .mxf .y4m")
    for suffix in suffix.split()
)
# Formats in which FFmpeg reads pictures.
_STILL = frozenset(("image2", "png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe", "gif"))
# A frame of more pixels is no video's: 8192 x 8192.
_MOST_PIXELS = 1 << 26


@dataclass(frozen=True)
class Frame:
    """A frame of a clip.

    Attributes:
      number: from 0, of all frames of the clip.
      seconds: when it is shown, from the clip's first frame on.
      pixels: (H, W, 3) uint8 RGB, upright.
    """

    number: int
    seconds: float
    pixels: np.ndarray

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) float32 RGB in [0, 1]."""
        return self.pixels.astype(np.float32) / np.float32(255.0)


class Clip(ABC):
    """A clip that can be read.

    Attributes:
      path: path of the file, or of the folder of frames.
      rate: frames a second, as the file says.
      frames: how many frames there are, as the file says or as its length tells; 0: it says neither.
      problem: what went wrong while it was read, "" as long as nothing did: what was read before is whole.
    """

    def __init__(self, path: Path, rate: float, frames: int):
        self.path, self.rate, self.frames = path, rate, frames
        self.problem = ""

    def read(self, start: float = 0.0, stop: float | None = None) -> Iterator[Frame]:
        """The frames shown from `start` to before `stop`, in seconds."""
        for frame in interruptible(self._all()):
            if stop is not None and frame.seconds >= stop:
                return
            if frame.seconds >= start:
                yield frame

    def expected(self, start: float, stop: float | None) -> int:
        """About how many frames `read` yields; 0: not known."""
        end = self.frames if stop is None else min(round(stop * self.rate), self.frames or round(stop * self.rate))
        return max(end - round(start * self.rate), 0) if end else 0

    @property
    @abstractmethod
    def identity(self) -> tuple[tuple[str, int, int], ...]:
        """Path, bytes and time of change (ns) of each file: others mean another clip."""

    @abstractmethod
    def _all(self) -> Iterator[Frame]:
        """Every frame from the first on; notes a `problem` where they end early."""


class _File(Clip):
    """A video file."""

    @property
    def identity(self) -> tuple[tuple[str, int, int], ...]:
        return (_identity(self.path),)

    def _all(self) -> Iterator[Frame]:
        number, first, last = 0, None, 0.0
        shape: tuple[int, ...] = ()
        try:
            with av.open(str(self.path)) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                for decoded in container.decode(stream):
                    pixels = upright(decoded)
                    shape = shape or pixels.shape
                    if pixels.shape != shape:
                        self.problem = (
                            f"the frames' size changes from {shape[1]}x{shape[0]} to {pixels.shape[1]}x"
                            f"{pixels.shape[0]} after {number} frames; what comes before is used"
                        )
                        return
                    # Without a timestamp of its own a frame follows the one before.
                    seconds = last + 1.0 / self.rate if decoded.time is None else float(decoded.time)
                    first = seconds if first is None else first
                    last = seconds
                    yield Frame(number, max(seconds - first, 0.0), pixels)
                    number += 1
        except (av.FFmpegError, OSError, ValueError) as error:
            self.problem = f"ends early, after {number} frames ({reason(error)}); what comes before is used"
        if self.frames and number < 0.95 * self.frames and not self.problem:
            self.problem = f"ends early, after {number} of {self.frames} frames; what comes before is used"


class _Folder(Clip):
    """A folder of numbered frames."""

    def __init__(self, path: Path, rate: float, files: Sequence[Path]):
        super().__init__(path, rate, len(files))
        self._files = files

    @functools.cached_property
    def identity(self) -> tuple[tuple[str, int, int], ...]:
        return tuple(map(_identity, self._files))

    def _all(self) -> Iterator[Frame]:
        shape: tuple[int, ...] = ()
        for number, file in enumerate(self._files):
            try:
                pixels = images.to_uint8(images.read_image(file))
            except images.UnreadableImageError as error:
                self.problem = f"{error}; the frames before it are used"
                return
            shape = shape or pixels.shape
            if pixels.shape != shape:
                self.problem = f"{file.name} has another size than the frames before it, which are used"
                return
            yield Frame(number, number / self.rate, pixels)


def _identity(path: Path) -> tuple[str, int, int]:
    try:
        facts = path.stat()
    except OSError:
        return str(path), 0, 0  # gone
    return str(path.resolve()), facts.st_size, facts.st_mtime_ns


def is_clip(path: Path) -> bool:
    """Whether a file is a clip by its name."""
    return path.suffix.lower() in SUFFIXES


def clips_in(path: Path) -> list[Path]:
    """The clips at a path: the file itself, or all in a folder and its subfolders, by name."""
    if path.is_dir():
        found = (each for each in path.rglob("*") if is_clip(each) and each.is_file())
        return sorted(each for each in found if not any(part.startswith(".") for part in each.relative_to(path).parts))
    return [path] if path.is_file() and is_clip(path) else []


def open_clip(path: Path) -> Clip:
    """Opens a video file.

    Raises:
      UserError: it cannot be read, has no video stream, or not one frame.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path}: has no video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise UserError(f"{path}: no decoder for its codec; convert it first, to H.264 say")
            rate = float(stream.average_rate or stream.guessed_rate or 25)
            frames = int(stream.frames)
            if not frames and container.duration:
                frames = int(container.duration / av.time_base * rate)
            first = next(container.decode(stream), None)
            if first is None:
                raise UserError(f"{path}: has no frames")
            if first.width * first.height > _MOST_PIXELS:
                raise UserError(f"{path}: frames of {first.width}x{first.height} pixels are too large")
            if container.format.name in _STILL:
                raise UserError(f"{path}: is a still picture with a clip's name; give it its own ending")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a clip ({reason(error)})") from error
    return _File(path, rate, frames)


def open_frames(path: Path, files: Sequence[Path], rate: float) -> Clip:
    """A folder's pictures, in the order given, as the frames of a clip of so many frames a second.

    Raises:
      UserError: there are none.
    """
    if not files:
        raise UserError(f"{path}: has no frames")
    return _Folder(path, rate, files)


def upright(decoded: av.VideoFrame) -> np.ndarray:
    """A decoded frame as it is to be shown, (H, W, 3) uint8 RGB."""
    pixels = decoded.to_ndarray(format="rgb24")
    quarters = round(getattr(decoded, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels


def reason(error: BaseException) -> str:
    """An error of FFmpeg's in a few words, without numbers and paths."""
    with contextlib.suppress(AttributeError):
        if text := getattr(error, "strerror", None):
            return str(text)
    return str(error) or type(error).__name__
