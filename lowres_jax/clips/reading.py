"""Frames of clips, one after the other, upright and with their time; whatever the length, few are in memory.

Decoding is PyAV's (FFmpeg's libraries). A frame's time is that of its timestamp (`clock`); its colors and its shape
are as the file says (`color`).
"""

import contextlib
import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float

from lowres_jax.clips.clock import ENOUGH_OF_PACKETS, Clock, clock_of
from lowres_jax.clips.color import Tags, upright
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
# Of a slow clip more frames are read: who walks by is seen twice.
_LONGEST_STEP = 0.5
_LEAST_STEP = 1e-3  # from one frame to the next, in seconds
_LEAST_ASPECT = 0.2  # of pixels; others are an error in the file
# A frame of more pixels is no video's: 8192 x 8192.
_MOST_PIXELS = 1 << 26


@dataclass(frozen=True)
class Frame:
    """A frame of a clip.

    Attributes:
      number: number of the frame among all of the clip, from 0.
      seconds: when it is shown, from the clip's first frame on.
      pixels: (H, W, 3) uint8 RGB, upright.
    """

    number: int
    seconds: float
    pixels: np.ndarray

    @property
    def image(self) -> Float[np.ndarray, "H W 3"]:
        """(H, W, 3) float32 RGB in [0, 1]."""
        return self.pixels.astype(np.float32) / np.float32(255.0)


class Clip(ABC):
    """A clip that can be read.

    Attributes:
      path: path of the file, or of the folder of frames.
      rate: mean number of frames a second.
      frames: number of the frames.
      seconds: time from the first frame to the end of the last one.
      tags: color description of the file.
      problem: problem while it was read, "" for none: frames before it are whole.
    """

    def __init__(self, path: Path, rate: float, frames: int, seconds: float, tags: Tags):
        self.path, self.rate, self.frames, self.seconds, self.tags = path, rate, frames, seconds, tags
        self.problem = ""

    def read(self, start: float = 0.0, stop: float | None = None) -> Iterator[Frame]:
        """The frames shown from `start` to before `stop`, in seconds."""
        for frame in interruptible(self._all()):
            if stop is not None and frame.seconds >= stop:
                return
            if frame.seconds >= start:
                yield frame

    def expected(self, start: float, stop: float | None) -> int:
        """About how many frames `read` yields."""
        end = self.seconds if stop is None else min(stop, self.seconds)
        return min(max(round((end - start) * self.rate), 0), self.frames)

    def step(self, every: int) -> int:
        """Number of frames of which one is read: `every`, or fewer where these take longer than half a second."""
        return max(min(every, int(_LONGEST_STEP * self.rate + 1e-6)), 1)

    def sound(self) -> Clock | None:
        """The clock of the file whose sound goes with the frames; None without one."""
        return None

    @property
    @abstractmethod
    def identity(self) -> tuple[tuple[str, int, int], ...]:
        """Path, bytes and time of change (ns) of each file: others mean another clip."""

    @abstractmethod
    def _all(self) -> Iterator[Frame]:
        """Every frame from the first on; notes a `problem` where they end early."""


class _File(Clip):
    """A video file."""

    def __init__(self, path: Path, clock: Clock, aspect: float, tags: Tags):
        super().__init__(path, 1.0 / clock.step, clock.frames, clock.seconds, tags)
        self._clock, self._aspect = clock, aspect

    @property
    def identity(self) -> tuple[tuple[str, int, int], ...]:
        return (file_identity(self.path),)

    def sound(self) -> Clock | None:
        return self._clock

    def _all(self) -> Iterator[Frame]:
        number, last, times = 0, -self._clock.step, self._clock.times()
        shape: tuple[int, ...] = ()
        self.problem = ""
        try:
            with opened(self.path) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                for decoded in container.decode(stream):
                    pixels = upright(decoded, self._aspect)
                    shape = shape or pixels.shape
                    if pixels.shape != shape:
                        self.problem = (
                            f"the frames' size changes from {shape[1]}x{shape[0]} to {pixels.shape[1]}x"
                            f"{pixels.shape[0]} after {number} frames; what comes before is used"
                        )
                        return
                    # Without a timestamp of its own a frame follows the one before; time does not go back.
                    seconds = last + self._clock.step if decoded.time is None else times.seconds(float(decoded.time))
                    last = max(seconds, last + _LEAST_STEP) if number else max(seconds, 0.0)
                    yield Frame(number, last, pixels)
                    number += 1
        except (av.FFmpegError, OSError, ValueError) as error:
            self.problem = f"ends early, after {number} frames ({reason(error)}); what comes before is used"
            return
        self.problem = self._clock.announced
        if number < ENOUGH_OF_PACKETS * self.frames and not self.problem:
            self.problem = f"ends early, after {number} of {self.frames} frames; what comes before is used"


class _Folder(Clip):
    """A folder of numbered frames."""

    def __init__(self, path: Path, rate: float, files: Sequence[Path]):
        super().__init__(path, rate, len(files), len(files) / rate, Tags())
        self._files = files

    @functools.cached_property
    def identity(self) -> tuple[tuple[str, int, int], ...]:
        return tuple(map(file_identity, self._files))

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


def file_identity(path: Path) -> tuple[str, int, int]:
    """Path, bytes and time of change in nanoseconds of a file."""
    try:
        facts = path.stat()
    except OSError:
        return str(path), 0, 0  # gone
    return str(path.resolve()), facts.st_size, facts.st_mtime_ns


def comment_of(path: Path) -> str:
    """Comment in the metadata of a clip; "" for none, or where it cannot be read."""
    with contextlib.suppress(av.FFmpegError, OSError, ValueError), opened(path) as container:
        return container.metadata.get("comment", "")
    return ""


def is_clip(path: Path) -> bool:
    """True if a file is a clip by its name."""
    return path.suffix.lower() in SUFFIXES


def clips_in(path: Path) -> list[Path]:
    """The clips at a path: the file itself, or all in a folder and its subfolders, by name."""
    if path.is_dir():
        found = (each for each in path.rglob("*") if is_clip(each) and each.is_file())
        return sorted(each for each in found if not any(part.startswith(".") for part in each.relative_to(path).parts))
    return [path] if path.is_file() and is_clip(path) else []


def opened(path: Path) -> av.container.InputContainer:
    """Opens a file, whatever its name: "a:b.mp4" is no address."""
    return av.open(f"file:{path}")


def open_clip(path: Path, most_pixels: int = _MOST_PIXELS) -> Clip:
    """Opens a video file.

    Args:
      path: path of the file.
      most_pixels: largest frame, which is checked before one is decoded.

    Raises:
      UserError: the file cannot be read, has no video stream, too large frames, or not one frame.
    """
    try:
        with opened(path) as container:
            if not container.streams.video:
                raise UserError(f"{path}: has no video stream")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise UserError(f"{path}: no decoder for its codec; convert it first, to H.264 say")
            width, height = stream.codec_context.width, stream.codec_context.height
            if width * height > most_pixels:
                raise UserError(
                    f"{path}: frames of {width}x{height} pixels are too large, over {most_pixels / 1e6:.0f} megapixels"
                )
            if container.format.name in _STILL:
                raise UserError(f"{path}: is a still picture with a clip's name; give it its own ending")
            first = next(container.decode(stream), None)
            if first is None:
                raise UserError(f"{path}: has no frames")
            aspect, tags = float(stream.sample_aspect_ratio or 1), Tags.of(first)
        with opened(path) as container:
            clock = clock_of(container)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a clip ({reason(error)})") from error
    return _File(path, clock, aspect if _LEAST_ASPECT < aspect < 1 / _LEAST_ASPECT else 1.0, tags)


def open_frames(path: Path, files: Sequence[Path], rate: float) -> Clip:
    """A folder's pictures, in the order given, as the frames of a clip of so many frames a second.

    Raises:
      UserError: there are none.
    """
    if not files:
        raise UserError(f"{path}: has no frames")
    return _Folder(path, rate, files)


def reason(error: BaseException) -> str:
    """An error of FFmpeg's in a few words, without numbers and paths."""
    with contextlib.suppress(AttributeError):
        if text := getattr(error, "strerror", None):
            return str(text)
    return str(error) or type(error).__name__
