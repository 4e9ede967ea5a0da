"""Clips searched among the enrolled: faces found, followed, and one answer given for each track."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax.clips.reading import Clip, Frame
from lowres_jax.clips.seen_frames import SeenFrames
from lowres_jax.clips.tracking import SAME_BY_SFACE, Scenes, Track, Tracker
from lowres_jax.faces.reader import FaceReader
from lowres_jax.matching.calibration import TRACK_FRAMES, Threshold
from lowres_jax.matching.enrollment import Enrolled, Skipped
from lowres_jax.matching.search import Answer
from lowres_jax.matching.shipped_thresholds import Thresholds
from lowres_jax.runtime.signals import interruptible
from lowres_jax.utils import filenames

# Frames are searched for faces together until they have so many pixels: 50 MB as float32.
_PENDING_PIXELS = 4_000_000
_MOST_PENDING = 8


@dataclass(frozen=True)
class Followed:
    """Faces that were seen in a clip.

    Attributes:
      clip: the clip; its `problem` says where it ended early.
      tracks: tracks, in the order in which they begin.
      passed_over: tracks that were seen too seldom.
      frames: number of frames decoded, number of these that were searched, and number of these whose faces were known
        from an earlier search.
    """

    clip: Clip
    tracks: Sequence[Track]
    passed_over: int
    frames: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class TrackAnswer(Answer):
    """Result of the search for a track.

    Attributes:
      track: the track; `view` is its best face, with the template of all.
      followed: faces that were seen in its clip.
    """

    track: Track
    followed: Followed


def follow(
    clip: Clip,
    reader: FaceReader,
    every: int,
    start: float,
    stop: float | None,
    least_sightings: int,
    same: float = SAME_BY_SFACE,
    seen: SeenFrames | None = None,
) -> Followed:
    """Finds the faces of every so manieth frame and puts them into tracks; the memory needed is that of few frames.

    Args:
      clip: the clip.
      reader: finds faces and makes templates.
      every: number of frames of which one is searched for faces; see `Clip.step`.
      start: start in seconds.
      stop: end in seconds; None: end of the clip.
      least_sightings: a track that was seen in fewer frames is skipped.
      same: see `Tracker`.
      seen: has what was found in frames before, and gets what is found now; None: nothing is kept.
    """
    every = clip.step(every)
    tracker, scenes, seen = Tracker(same, every / clip.rate), Scenes(), seen or SeenFrames(None, "", 0)
    read = looked = known = 0

    def frames() -> Iterator[tuple[Frame, bool]]:
        nonlocal read
        cut = False
        for frame in clip.read(start, stop):
            progress.update()
            cut |= scenes.is_cut(frame.pixels)
            if read % every == 0:
                yield frame, cut
                cut = False
            read += 1

    total = clip.expected(start, stop) or None
    with tqdm(total=total, desc=clip.path.name, unit="frame", dynamic_ncols=True) as progress:
        for group in _groups(frames()):
            found = seen.get(clip, [frame.number for frame, _ in group])
            new = [frame for frame, _ in group if frame.number not in found]
            views = dict(
                zip([frame.number for frame in new], reader.views([frame.image for frame in new]), strict=True)
            )
            seen.put(clip, views)
            for frame, cut in group:
                faces = views[frame.number] if frame.number in views else found[frame.number]
                for track in tracker.add(frame.number, frame.seconds, faces, cut):
                    # What was kept has no pictures, which the best face of a track is shown with.
                    if track.best is not None and track.best.view.crop is None:
                        track.best = replace(track.best, view=reader.with_pictures(frame.image, track.best.view))
            looked += len(group)
            known += len(found)
    kept = [track for track in tracker.tracks if len(track.sightings) >= least_sightings]
    return Followed(clip, kept, len(tracker.tracks) - len(kept), (read, looked, known))


def search_clips(
    clips: Sequence[Clip],
    reader: FaceReader,
    enrollment: Enrolled,
    calibration: Thresholds,
    config: ConfigDict,
    skipped: Skipped,
    alike: float,
    seen: SeenFrames,
) -> Iterator[TrackAnswer]:
    """One answer a track, clip after clip; says of each what was seen in it.

    Args:
      clips: the clips.
      reader: finds faces and makes templates.
      enrollment: people enrolled, at least one.
      calibration: gives the thresholds.
      config: config of `identify`.
      skipped: gets the clips that give no track.
      alike: similarity from which on two faces may be one person's.
      seen: has what was found in frames before, and gets what is found now.
    """
    for clip in interruptible(clips):
        followed = follow(
            clip, reader, config.every, config.start, config.stop, config.least_sightings, alike, seen=seen
        )
        name = filenames.printable(str(clip.path))
        if clip.problem:
            tqdm.write(f"{name}: {clip.problem}")
        if not followed.tracks:
            (skipped.passed_over if followed.passed_over else skipped.without_face).append(clip.path)
        read, looked, known = followed.frames
        before = f", {known} of these by an earlier search" if known else ""
        passed = f"; skipped, in too few frames: {followed.passed_over}" if followed.passed_over else ""
        tqdm.write(f"{name}: {len(followed.tracks)} tracks in {read} frames, {looked} of them searched{before}{passed}")
        yield from answers(followed, enrollment, calibration, config.far, config.ranks)


def answers(
    followed: Followed, enrollment: Enrolled, calibration: Thresholds, far: float, ranks: int
) -> Iterator[TrackAnswer]:
    """One answer a track: its template, the mean of all its faces', searched among the enrolled.

    Args:
      followed: faces that were seen in a clip.
      enrollment: people enrolled, at least one.
      calibration: gives the thresholds.
      far: false accept rate at which they lie.
      ranks: smallest number of matches to give.
    """
    gallery, recipe = enrollment.gallery(), enrollment.recipe
    thresholds: dict[tuple[int, int], Threshold] = {}
    for number, track in enumerate(followed.tracks, start=1):
        key = track.cut_size, 1 if len(track.sightings) == 1 else TRACK_FRAMES
        if key not in thresholds:
            thresholds[key] = calibration.threshold(far, recipe, *key)
        assert track.best is not None
        view = replace(track.best.view, template=track.template)
        matches = gallery.search(view.template, ranks, thresholds[key].similarity)
        yield TrackAnswer(
            path=followed.clip.path,
            number=number,
            count=len(followed.tracks),
            view=view,
            matches=matches,
            threshold=thresholds[key],
            track=track,
            followed=followed,
        )


def _groups(frames: Iterator[tuple[Frame, bool]]) -> Iterator[list[tuple[Frame, bool]]]:
    """Frames in groups that are searched together."""
    group: list[tuple[Frame, bool]] = []
    for frame, cut in frames:
        group.append((frame, cut))
        if len(group) == _MOST_PENDING or len(group) * frame.pixels.shape[0] * frame.pixels.shape[1] > _PENDING_PIXELS:
            yield group
            group = []
    if group:
        yield group
