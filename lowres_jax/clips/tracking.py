"""Faces of one frame after the other put together into tracks, one for each passing person.

A face belongs to the track whose place it is at, by the overlap of the boxes where the track is expected to be by now,
and whose face it has, by the likeness of the templates; who belongs to whom is decided for all faces of a frame at once
(assignment, Kuhn 1955; as in SORT, Bewley et al., ICIP 2016, which has the place only). Where two cross, the faces
decide; where a face is turned away or blurred, the place. After a cut nothing is where it was: only a face continues a
track then. Who is away for longer begins a new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8
from scipy.optimize import linear_sum_assignment

from lowres_jax.faces.reader import FaceView

# A track nobody was seen of for so long has ended; of slow clips, for so many steps from one look to the next.
_AWAY_SECONDS, _AWAY_STEPS = 1.0, 2.5
# Of a pair's worth the likeness counts as much as the place. Below the least sum a face begins a track of its own.
_LEAST_WORTH = 0.35
# From which similarity of SFace's templates on two faces of a clip may be one person's: of pairs of one video, frames
# seconds apart, 1 of 100 is below .38 (as large as they are), .36 (32 px), .27 (16 px); of pairs of different people 1
# of 100 is above .24, .24 and .29 (docs/clips.md).
SAME_BY_SFACE = 0.25
# Mean change of a frame, reduced to 32x18, from which on it is another scene: motion changes less.
_CUT = 0.18
_SCENE_SIZE = (32, 18)


@dataclass(frozen=True)
class Sighting:
    """A face of a track in one frame.

    Attributes:
      frame: number of the frame.
      seconds: time of the frame.
      view: the face; without pictures but for the best ones of a track.
    """

    frame: int
    seconds: float
    view: FaceView


@dataclass
class Track:
    """One passing person.

    Attributes:
      number: number of the track, from 1, by the first frame.
      sightings: sightings in order of time.
      best: the sighting of the highest quality, or of the largest face where that is not known, with its pictures.
      total: (D,) sum of the templates.
    """

    number: int
    sightings: list[Sighting] = field(default_factory=list)
    best: Sighting | None = None
    total: np.ndarray | None = None

    def add(self, sighting: Sighting) -> None:
        """Takes a sighting that follows all before; pictures are kept of the best one only."""
        if self.best is None or _rank(sighting) > _rank(self.best):
            self.best = sighting
        bare = Sighting(sighting.frame, sighting.seconds, sighting.view.without_pictures())
        self.sightings.append(bare)
        self.total = sighting.view.template + (0.0 if self.total is None else self.total)

    @property
    def first(self) -> Sighting:
        """The earliest sighting."""
        return self.sightings[0]

    @property
    def last(self) -> Sighting:
        """The latest sighting."""
        return self.sightings[-1]

    @property
    def template(self) -> Float[np.ndarray, " D"]:
        """(D,) float32 mean of the templates of all sightings, of unit length."""
        assert self.total is not None
        return self.total / max(float(np.linalg.norm(self.total)), 1e-12)

    @property
    def quality(self) -> float | None:
        """Mean quality of its faces; None where it is not known."""
        known = [each.view.quality for each in self.sightings if each.view.quality is not None]
        return float(np.mean(known)) if known else None

    @property
    def size(self) -> int:
        """Median side of the aligned crops, in pixels of the clip."""
        return round(float(np.median([each.view.native_size for each in self.sightings])))

    @property
    def cut_size(self) -> int:
        """The side that most of its faces were enlarged from, 0 for those that were not; of equally many the least."""
        sizes, counts = np.unique([each.view.cut_size for each in self.sightings], return_counts=True)
        return int(sizes[np.argmax(counts)])

    def box_at(self, seconds: float) -> Shaped[np.ndarray, " 4"] | None:
        """(4,) the box at any time between first and last sighting, between two of these on a straight line."""
        times = [each.seconds for each in self.sightings]
        if not times[0] <= seconds <= times[-1]:
            return None
        boxes = np.stack([each.view.face.box for each in self.sightings])
        return np.asarray([np.interp(seconds, times, boxes[:, side]) for side in range(4)], np.float32)

    def expected_box(self, seconds: float) -> Shaped[np.ndarray, " 4"]:
        """(4,) where its box should be by now, by the speed of the last two sightings."""
        box = self.last.view.face.box.astype(np.float64)
        if len(self.sightings) < 2:
            return box
        before = self.sightings[-2]
        passed = self.last.seconds - before.seconds
        if passed <= 0:
            return box
        moved = (_center(box) - _center(before.view.face.box)) / passed * (seconds - self.last.seconds)
        # A face does not go far without being seen: a wild guess is worse than none.
        limit = 1.5 * float(np.max(box[2:] - box[:2]))
        return box + np.tile(np.clip(moved, -limit, limit), 2)


class Tracker:
    """Puts faces into tracks, frame after frame.

    Attributes:
      tracks: all so far.
    """

    def __init__(self, same: float = SAME_BY_SFACE, step: float = 0.0) -> None:
        """Begins.

        Args:
          same: similarity from which on two faces may be one person's.
          step: mean time in seconds from one frame that is given to the next.
        """
        self.tracks: list[Track] = []
        self._same, self._away = same, max(_AWAY_SECONDS, _AWAY_STEPS * step)
        self._cut = False

    def add(self, frame: int, seconds: float, found: Sequence[FaceView], cut: bool = False) -> list[Track]:
        """Takes the faces of a frame.

        Args:
          frame: number of the frame, after all before.
          seconds: time of the frame.
          found: faces of the frame.
          cut: true if there was a cut since the frame before that was given.

        Returns:
          The track of each face.
        """
        self._cut |= cut
        alive = [track for track in self.tracks if seconds - track.last.seconds <= self._away]
        worth = np.asarray(
            [[self._worth(track, view, seconds) for view in found] for track in alive], np.float64
        ).reshape(len(alive), len(found))
        rows, columns = linear_sum_assignment(worth, maximize=True)
        track_of: dict[int, Track] = {}
        for row, column in zip(rows, columns, strict=True):
            if worth[row, column] >= _LEAST_WORTH:
                track_of[int(column)] = alive[row]
        for number, view in enumerate(found):
            if number not in track_of:
                track_of[number] = Track(len(self.tracks) + 1)
                self.tracks.append(track_of[number])
            track_of[number].add(Sighting(frame, seconds, view))
        if found:
            self._cut = False
        return [track_of[number] for number in range(len(found))]

    def _worth(self, track: Track, view: FaceView, seconds: float) -> float:
        """Worth of a face as the next one of a track, from 0, not at all, to 1."""
        alike = (float(track.template @ view.template) - self._same) / (1.0 - self._same)
        if alike < 0.0:
            return 0.0
        overlap = intersection_over_union(track.expected_box(seconds), view.face.box)
        if self._cut or overlap == 0.0:
            # Only a face that is clearly the same.
            return alike if alike >= 0.5 else 0.0
        return 0.5 * overlap**0.5 + 0.5 * alike


def _rank(sighting: Sighting) -> tuple[float, int]:
    view = sighting.view
    return (0.0 if view.quality is None else view.quality), view.native_size


class Scenes:
    """Tells cuts: where a frame is of another scene than the one before it."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def is_cut(self, pixels: UInt8[np.ndarray, "H W 3"]) -> bool:
        """True if a frame, (H, W, 3) uint8, is of another scene than the one given before."""
        scene = cv2.resize(pixels, _SCENE_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
        cut = self._before is not None and float(np.abs(scene - self._before).mean()) > _CUT
        self._before = scene
        return cut


def intersection_over_union(one: Shaped[np.ndarray, " 4"], other: Shaped[np.ndarray, " 4"]) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(width * height / (areas[0] + areas[1] - width * height))


def _center(box: np.ndarray) -> np.ndarray:
    return np.asarray([box[0] + box[2], box[1] + box[3]], np.float64) / 2
