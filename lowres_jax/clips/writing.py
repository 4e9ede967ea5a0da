"""Clips written: frame after frame, whole or not at all, with the sound of the clip they come from."""

import contextlib
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from lowres_jax.clips.reading import Frame, reason
from lowres_jax.errors import UserError
from lowres_jax.runtime import signals

# H.264's constant rate factor: 18 is hardly told from the original.
_QUALITY = "18"
# Timestamps count these parts of a second, as most cameras' do.
_TIME_BASE = Fraction(1, 90_000)
Write = Callable[[Frame, np.ndarray], None]


@contextlib.contextmanager
def writing(
    path: Path, rate: float, sound_of: Path | None = None, start: float = 0.0, comment: str = ""
) -> Iterator[Write]:
    """Gives a function that writes a frame: its time, and its pixels (H, W, 3) uint8 RGB, of one size.

    What is there at the path is replaced at the end, when all is written; after an error nothing is left.

    Args:
      path: an .mp4 file.
      rate: frames a second, about.
      sound_of: clip whose sound goes along, as it is; None: without.
      start: seconds of that clip at which the first frame is.
      comment: what the file says of itself.

    Raises:
      UserError: it cannot be written.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            signals.at_forced_end(lambda: part.unlink(missing_ok=True)),
            av.open(str(part), "w", format="mp4") as container,
        ):
            if comment:
                container.metadata["comment"] = comment
            stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
            stream.pix_fmt, stream.options = "yuv420p", {"crf": _QUALITY, "preset": "veryfast"}
            stream.codec_context.time_base = _TIME_BASE
            sound = _Sound(sound_of, container, start)
            last = -1

            def write(frame: Frame, pixels: np.ndarray) -> None:
                nonlocal last
                # 4:2:0 knows even sides only.
                pixels = np.pad(pixels, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)), mode="edge")
                if last < 0:
                    stream.height, stream.width = pixels.shape[:2]
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
                picture.pts, picture.time_base = max(round((frame.seconds - start) / _TIME_BASE), last + 1), _TIME_BASE
                last = picture.pts
                container.mux(stream.encode(picture))

            yield write
            if last >= 0:
                container.mux(stream.encode())
                sound.copy(container, last * float(_TIME_BASE))
        if last < 0:
            raise UserError(f"{path}: no frame to write")
        os.replace(part, path)
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path}: cannot be written ({reason(error)}); nothing of it is left") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


class _Sound:
    """The first audio stream of a clip, copied as it is where MP4 takes it."""

    def __init__(self, path: Path | None, container: av.container.OutputContainer, start: float):
        self._path, self._start = path, start
        self._stream = None
        if path is None or not path.is_file():
            return
        with contextlib.suppress(av.FFmpegError, OSError, ValueError), av.open(str(path)) as source:
            if source.streams.audio:
                self._stream = container.add_stream_from_template(source.streams.audio[0])

    def copy(self, container: av.container.OutputContainer, seconds: float) -> None:
        """Copies what is heard during so many seconds from the start; a damaged end is left out."""
        if self._path is None or self._stream is None:
            return
        with contextlib.suppress(av.error.InvalidDataError, av.error.EOFError), av.open(str(self._path)) as source:
            stream = source.streams.audio[0]
            for packet in source.demux(stream):
                if packet.pts is None or packet.dts is None:
                    continue
                at = float(packet.pts * packet.time_base) - self._start
                # From the very start on the packet before it too, by which a decoder warms up.
                if at < 0.0 and self._start > 0.0:
                    continue
                if at > seconds:
                    break
                shift = round(self._start / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = self._stream
                container.mux(packet)
