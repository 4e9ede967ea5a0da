"""The sound of a clip, beside frames that are written: copied as it is, or as AAC where MP4 does not take it."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.resampler import AudioResampler

from lowres_jax.clips.reading import Clip, opened

# What players of MP4 know. Others are re-encoded.
_COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_RATES_OF_AAC = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_USUAL_RATE = 48000
# A packet of that length before the first frame is kept, by which a decoder warms up.
_WARM_UP_SECONDS = 0.1
# A longer pause between two frames of sound is silence.
_GAP_SECONDS = 0.05


class Sound:
    """The first audio stream of a clip."""

    def __init__(self, clip: Clip | None, container: av.container.OutputContainer, start: float):
        """Adds a stream to a file that is to be written; says so where it is re-encoded.

        Args:
          clip: clip of the sound; None, or one without, is fine.
          container: the file.
          start: seconds of the clip at which the file begins.
        """
        self._container, self._start = container, start
        self._stream: av.AudioStream | None = None
        self._copied = True
        clock = clip.sound() if clip else None
        if clip is None or clock is None:
            return
        self._path, self._clock = clip.path, clock
        with contextlib.suppress(av.FFmpegError, OSError, ValueError), opened(clip.path) as source:
            if not source.streams.audio:
                return
            template = source.streams.audio[0]
            if template.codec_context is None:
                print(f"{clip.path}: no decoder for its sound, which is left out")
                return
            self._copied = template.codec_context.name in _COPIED
            if self._copied:
                self._stream = container.add_stream_from_template(template)
                return
            rate = template.rate if template.rate in _RATES_OF_AAC else _USUAL_RATE
            stream_out = container.add_stream("aac", rate=rate)
            stream_out.layout = "mono" if template.channels == 1 else "stereo"
            self._stream = stream_out
            print(f"{clip.path}: its sound ({template.codec_context.name}) becomes AAC, as MP4 does not take it")

    def write(self, seconds: float) -> None:
        """Writes what is heard during so many seconds from the start; a damaged end is left out."""
        if self._stream is None:
            return
        with (
            contextlib.suppress(av.error.InvalidDataError, av.error.EOFError),
            opened(self._path) as source,
        ):
            self._copy(source, seconds) if self._copied else self._encode(source, seconds)

    def _copy(self, source: av.container.InputContainer, seconds: float) -> None:
        assert self._stream is not None
        times, last = self._clock.times(), None
        for packet in source.demux(source.streams.audio[0]):
            if packet.pts is None or packet.dts is None:
                continue
            at = times.seconds(float(packet.pts * packet.time_base)) - self._start
            # From the very start on the packet before it too.
            if at < (0.0 if self._start > 0.0 else -_WARM_UP_SECONDS):
                continue
            if at >= seconds:
                break
            shift = round(at / packet.time_base) - packet.pts
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            if last is not None and packet.dts <= last:
                continue  # of the end of a recording that the next one follows
            last = packet.dts
            packet.stream = self._stream
            self._container.mux(packet)

    def _encode(self, source: av.container.InputContainer, seconds: float) -> None:
        assert self._stream is not None
        stream: av.AudioStream = self._stream
        rate, layout, size = stream.rate, stream.layout, stream.codec_context.frame_size or 1024
        resampler, waiting = AudioResampler("fltp", layout, rate), np.zeros((len(layout.channels), 0), np.float32)
        written = 0

        def encode(least: int) -> None:
            nonlocal waiting, written
            while waiting.shape[1] >= least and waiting.shape[1]:
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(waiting[:, :size]), format="fltp", layout=layout.name
                )
                frame.sample_rate, frame.pts, frame.time_base = rate, written, Fraction(1, rate)
                waiting, written = waiting[:, size:], written + size
                self._container.mux(stream.encode(frame))

        for at, frame in self._decoded(source, seconds):
            gap = round(at * rate) - written - waiting.shape[1]
            if gap > _GAP_SECONDS * rate:
                waiting = np.pad(waiting, ((0, 0), (0, gap)))
            frame.pts = None
            waiting = np.concatenate([waiting, *(piece.to_ndarray() for piece in resampler.resample(frame))], axis=1)
            encode(size)
        encode(1)
        self._container.mux(stream.encode(None))

    def _decoded(self, source: av.container.InputContainer, seconds: float) -> Iterator[tuple[float, av.AudioFrame]]:
        """Frames with the time in seconds at which they are heard; a damaged end is left out."""
        times = self._clock.times()
        with contextlib.suppress(av.error.InvalidDataError):
            for frame in source.decode(source.streams.audio[0]):
                if frame.time is None:
                    continue
                at = times.seconds(float(frame.time)) - self._start
                if at >= seconds:
                    return
                if at >= 0.0:
                    yield at, frame
