"""Clips written: frame after frame, whole or not at all, with the sound of the clip they come from."""

import contextlib
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

from lowres_jax.clips import color
from lowres_jax.clips.reading import Clip, Frame, reason
from lowres_jax.clips.sound import Sound
from lowres_jax.errors import UserError
from lowres_jax.runtime import signals

# H.264's constant rate factor: 18 is hardly told from the source, flat colors stay within 2 of 255.
_QUALITY = "18"
# Timestamps count these parts of a second, as most cameras' do.
_TIME_BASE = Fraction(1, 90_000)
Write = Callable[[Frame, np.ndarray], None]


@contextlib.contextmanager
def writing(
    path: Path, rate: float, clip: Clip | None = None, start: float = 0.0, comment: str = ""
) -> Iterator[Write]:
    """Gives a function that writes a frame: its time, and its pixels (H, W, 3) uint8 RGB, of one size.

    What is there at the path is replaced at the end, when all is written; after an error nothing is left.

    Args:
      path: an .mp4 file.
      rate: mean number of frames a second.
      clip: clip that the frames come from, whose sound goes along and whose tags of colors the file gets; None: none.
      start: seconds of that clip at which the first frame is.
      comment: comment in the file's metadata.

    Raises:
      UserError: the file cannot be written.
    """
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            signals.at_forced_end(lambda: part.unlink(missing_ok=True)),
            av.open(f"file:{part}", "w", format="mp4") as container,
        ):
            if comment:
                container.metadata["comment"] = comment
            stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
            # Without frames that wait for later ones a clock with gaps stays as it is.
            stream.pix_fmt, stream.options = "yuv420p", {"crf": _QUALITY, "preset": "veryfast", "bf": "0"}
            stream.codec_context.time_base = _TIME_BASE
            sound = Sound(clip, container, start)
            last = -1

            def write(frame: Frame, pixels: UInt8[np.ndarray, "H W 3"]) -> None:
                nonlocal last
                # 4:2:0 knows even sides only.
                pixels = np.pad(pixels, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)), mode="edge")
                if last < 0:
                    stream.height, stream.width = pixels.shape[:2]
                    tags = clip.tags if clip else color.Tags()
                    color.tag(stream.codec_context, pixels.shape[0], pixels.shape[1], tags)
                picture = color.encoded(pixels)
                picture.pts, picture.time_base = max(round((frame.seconds - start) / _TIME_BASE), last + 1), _TIME_BASE
                last = picture.pts
                for packet in stream.encode(picture):
                    packet.duration = round(1.0 / rate / packet.time_base)
                    container.mux(packet)

            yield write
            if last >= 0:
                for packet in stream.encode():
                    packet.duration = round(1.0 / rate / packet.time_base)
                    container.mux(packet)
                sound.write(last * float(_TIME_BASE) + 1.0 / rate)
        if last < 0:
            raise UserError(f"{path}: no frame to write")
        os.replace(part, path)
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path}: cannot be written ({reason(error)}); nothing of it is left") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
