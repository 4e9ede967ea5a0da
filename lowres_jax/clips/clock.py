"""Time of each frame of a clip, by its timestamps: never by a guessed rate, nor by its number.

A file's clock may begin anywhere, run unevenly, have gaps, and begin again where two recordings were joined. All
packets are read once, without decoding. From then on seconds count from the first frame, and a recording that follows
another one begins where that one ends. Sound is shifted by as much as the picture beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import av

from lowres_jax.runtime.signals import interruptible

# A timestamp that is so much earlier than the one before is that of another recording, in seconds; frames that follow
# each other in the file, and not in time, are nearer.
_BACKWARDS = 0.5
_USUAL_STEP = 1 / 25
# Less than these shares of the frames or the seconds that a file announces: it ends early. Of the packets some are no
# frames.
ENOUGH, ENOUGH_OF_PACKETS = 0.95, 0.9


@dataclass(frozen=True)
class Clock:
    """The time of a clip.

    Attributes:
      frames: number of the frames, by their packets.
      seconds: time from the first frame to the end of the last one.
      step: mean time in seconds from one frame to the next, without gaps of a second and more.
      shifts: seconds to be added to the timestamps of each recording in the file.
      announced: why the file seems cut short, "" where it is as long as it says.
    """

    frames: int
    seconds: float
    step: float
    shifts: Sequence[float]
    announced: str = ""

    def times(self) -> "Times":
        """Turns the timestamps of one stream, in the order of the file, into seconds."""
        return Times(self.shifts)


class Times:
    """See `Clock.times`."""

    def __init__(self, shifts: Sequence[float]):
        self._shifts = shifts
        self._recording, self._last = 0, float("-inf")

    def seconds(self, timestamp: float) -> float:
        """Seconds from the clip's first frame; negative for what is before it."""
        if timestamp < self._last - _BACKWARDS:
            self._recording = min(self._recording + 1, len(self._shifts) - 1)
            self._last = timestamp
        self._last = max(self._last, timestamp)
        return timestamp + self._shifts[self._recording]


def clock_of(container: av.container.InputContainer) -> Clock:
    """Reads all packets of an opened file; what is damaged at its end is as if it were not there."""
    video = container.streams.video[0]
    recordings: list[list[float]] = []
    last, begin, end = float("-inf"), float("inf"), float("-inf")
    untimed = 0
    try:
        for packet in interruptible(container.demux()):
            at = _seconds(packet, packet.pts if packet.pts is not None else packet.dts)
            if at is None:
                # The empty packet that ends a stream has no size.
                untimed += packet.stream is video and packet.size > 0
                continue
            begin, end = min(begin, at), max(end, at + (_seconds(packet, packet.duration) or 0.0))
            if packet.stream is not video:
                continue
            # Frames are stored in the order of decoding, which goes back in time; the time of decoding does not.
            order = _seconds(packet, packet.dts)
            order = at if order is None else order
            if not recordings or order < last - _BACKWARDS:
                recordings.append([])
                last = order
            last = max(last, order)
            recordings[-1].append(at)
    except (av.FFmpegError, OSError, ValueError):
        pass
    frames = sum(map(len, recordings)) + untimed
    step = _step(recordings, video)
    if untimed and not recordings:
        recordings = [[0.0, (untimed - 1) * step]]
    shifts, length = [], 0.0
    for times in recordings:
        shifts.append(length - min(times))
        length += max(times) - min(times) + step
    said = ""
    if video.frames and frames < ENOUGH * video.frames:
        said = f"ends early, after {frames} of {video.frames} frames; what comes before is used"
    elif container.duration and len(recordings) == 1 and frames:
        announced = container.duration / av.time_base
        # Matroska's duration counts from 0 on, others' from the first packet; the last one may have none of its own.
        there = max(end, end - begin) + step
        if there < ENOUGH * announced - _BACKWARDS:
            said = f"ends early, after {there:.1f} of {announced:.1f} seconds; what comes before is used"
    return Clock(frames, length, step, shifts or [0.0], said)


def _step(recordings: Sequence[Sequence[float]], video: av.video.stream.VideoStream) -> float:
    steps = [
        after - before
        for times in recordings
        for before, after in zip(sorted(times), sorted(times)[1:], strict=False)
        if after > before
    ]
    # A gap is no step, unless all are as long.
    usual = [step for step in steps if step < 1.0] or steps
    if usual:
        return sum(usual) / len(usual)
    return float(1 / video.average_rate) if video.average_rate else _USUAL_STEP


def _seconds(packet: av.Packet, ticks: int | None) -> float | None:
    return None if ticks is None else float(ticks * packet.time_base)
