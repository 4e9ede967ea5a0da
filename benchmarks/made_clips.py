"""Clips made as people have them: any clock, sound, colors and shape; and what is seen and heard in a clip.

Every frame shows bars of known colors; in the frames of the first tenth of every second a square flashes, and at these
times a tone is heard.
"""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from lowres_jax.clips.reading import Clip, opened

BARS = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40), (40, 200, 200), (200, 40, 200), (128,) * 3)
FLASH_SECONDS = 0.1
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def picture(seconds: float, height: int, width: int) -> np.ndarray:
    """Bars above; below them black, or white where it flashes."""
    made = np.zeros((height, width, 3), np.uint8)
    for number, color in enumerate(BARS):
        made[: height // 2, number * width // len(BARS) : (number + 1) * width // len(BARS)] = color
    made[height // 2 :] = 255 if (seconds + 1e-6) % 1.0 < FLASH_SECONDS else 0
    return made


def tone(begin: int, count: int, rate: int) -> np.ndarray:
    """(count,) samples from one on: 440 hertz while it flashes."""
    seconds = (begin + np.arange(count)) / rate
    return (0.7 * np.sin(2 * np.pi * 440 * seconds) * (seconds % 1.0 < FLASH_SECONDS)).astype(np.float32)


def make(
    path: Path,
    times: Sequence[float],
    height: int = 128,
    width: int = 224,
    codec: str = "libx264",
    sound: str | None = None,
    sound_seconds: float | None = None,
    offset: float = 0.0,
    aspect: Fraction | None = None,
    matrix: int | None = 1,
    full: bool = False,
) -> Path:
    """Writes a clip.

    Args:
      path: its ending names the format.
      times: seconds of each frame.
      height: in pixels.
      width: in pixels.
      codec: codec of the pictures.
      sound: codec of the sound; None: without.
      sound_seconds: length of the sound; None: that of the picture.
      offset: seconds at which the clock begins.
      aspect: width of a pixel by its height.
      matrix: 1 for BT.709, 6 for BT.601, with the tags; None: BT.601 without tags.
      full: true if values use the full range.
    """
    with av.open(f"file:{path}", "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, {".webm": 1000, ".avi": 25}.get(path.suffix, 90_000))
        if codec == "libx264":
            stream.options = {"crf": "3", "preset": "ultrafast", "bf": "0"}
        elif codec == "libvpx":
            stream.options = {"deadline": "realtime", "cpu-used": "8", "b": "4000k"}
        if aspect:
            context.sample_aspect_ratio = aspect
        if matrix:
            context.colorspace = context.color_primaries = context.color_trc = matrix
            context.color_range = 2 if full else 1
        audio: Any = container.add_stream(sound, rate=8000 if "law" in sound else 44_100) if sound else None
        if audio is not None:
            audio.layout = "mono"
        end = (times[-1] + 0.04) if sound_seconds is None else sound_seconds
        heard = 0
        for seconds in times:
            drawn = av.VideoFrame.from_ndarray(picture(seconds, height, width), format="rgb24")
            frame = drawn.reformat(
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709 if matrix == 1 else Colorspace.ITU601,
                interpolation=_EXACT,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            )
            frame.time_base = context.time_base
            frame.pts = round((seconds + offset) / frame.time_base)
            container.mux(stream.encode(frame))
            heard = _sound(container, audio, heard, seconds, offset)
        container.mux(stream.encode())
        if audio is not None:
            _sound(container, audio, heard, end, offset)
            container.mux(audio.encode())
    return path


def _sound(container: av.container.OutputContainer, audio: Any, heard: int, until: float, offset: float) -> int:
    if audio is None:
        return 0
    rate, size = audio.rate, audio.codec_context.frame_size or 1024
    while heard + size <= until * rate:
        wave, kind = tone(heard, size, rate), audio.codec_context.format.name
        samples = wave[None] if kind.startswith("flt") else (wave * 32767).astype(np.int16)[None]
        if kind.startswith("u8"):
            samples = (wave * 127 + 128).astype(np.uint8)[None]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=kind, layout="mono")
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = heard + round(offset * rate)
        container.mux(audio.encode(frame))
        heard += size
    return heard


def turned(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Writes a display matrix (a, b, c, d), of -1, 0 and 1, into an MP4's header of the first track."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (each * 65536 for each in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def flashes(clip: Clip) -> list[float]:
    """Times at which it begins to flash."""
    found, before = [], False
    for frame in clip.read():
        lit = frame.pixels[3 * frame.pixels.shape[0] // 4].mean() > 128
        if lit and not before:
            found.append(frame.seconds)
        before = bool(lit)
    return found


def tones(path: Path) -> list[float]:
    """Times, from the file's first frame on, at which a tone begins to be heard."""
    with opened(path) as container:
        first = next(container.decode(video=0)).time or 0.0
    found: list[float] = []
    with opened(path) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray().astype(np.float32)
            samples = samples[0] / {"s16": 32768, "s16p": 32768, "u8": 128}.get(frame.format.name, 1)
            samples -= 1.0 if frame.format.name == "u8" else 0.0
            at = float(frame.time or 0.0) - first + np.flatnonzero(np.abs(samples) > 0.2) / frame.sample_rate
            found += [float(each) for each in at if not found or each - found[-1] > 0.0]
    return [each for place, each in enumerate(found) if place == 0 or each - found[place - 1] > 0.5]


def bars(pixels: np.ndarray) -> np.ndarray:
    """(7, 3) the mean colors of the middles of the bars."""
    height, width = pixels.shape[:2]
    places = [round((number + 0.5) * width / len(BARS)) for number in range(len(BARS))]
    middle = slice(height // 4 - 3, height // 4 + 3)
    return np.stack([pixels[middle, place - 2 : place + 3].mean((0, 1)) for place in places])
