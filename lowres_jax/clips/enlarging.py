"""Clips enlarged, with every face that was followed enlarged by a network and pasted back, without flicker.

A network answers to changes that nobody sees, and a detector's landmarks tremble: enlarged frame by frame, a face
flickers. So each track has one crop size, its place is smoothed over a tenth of a second, and what the network gets is
a face averaged with those of the frames before and after, registered by that place. docs/clips.md has its measure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

from lowres_jax.clips.reading import Clip, Frame
from lowres_jax.clips.tracking import Track
from lowres_jax.clips.writing import writing
from lowres_jax.data import images, resize
from lowres_jax.localization import align, paste
from lowres_jax.super_resolution import tiling
from lowres_jax.super_resolution.upscaler import UpscalerBySize

# Deviation, in seconds, of the smoothing of a face's place.
_SMOOTHING_SECONDS = 0.1
_SAME_TIME = 1e-6  # seconds
# Shares of the frames before and after in what the network gets.
NEIGHBORS = 0.25
# Faces go through the network together for so many frames.
_FRAMES_AT_ONCE = 8


@dataclass(frozen=True)
class Path2D:
    """Place of a track's aligned crop in every frame.

    Attributes:
      seconds: (n,) times, evenly spaced.
      matrices: (n, 2, 3) similarities, frame -> crop, at these times.
      size: side of the crop in pixels.
    """

    seconds: np.ndarray
    matrices: np.ndarray
    size: int

    def at(self, seconds: float) -> Shaped[np.ndarray, "2 3"] | None:
        """The similarity (2, 3) at a time; None where the track is not seen."""
        if not self.seconds[0] - _SAME_TIME <= seconds <= self.seconds[-1] + _SAME_TIME:
            return None
        entries = self.matrices.reshape(-1, 6)
        return np.stack([np.interp(seconds, self.seconds, entries[:, each]) for each in range(6)]).reshape(2, 3)


def path_of(track: Track, shape: tuple[int, ...], rate: float, smooth: bool = True) -> Path2D:
    """Place of a track's crop: on a straight line between the frames that were read, and smoothed.

    Similarities are added entry by entry: a mean of two is the similarity that takes each point to the mean of its two
    images.

    Args:
      track: seen at least once.
      shape: shape of the frames, height and width first.
      rate: mean number of frames a second.
      smooth: true if it is smoothed.
    """
    size = track.size
    known = np.stack([align.crop_transform(each.view.face, shape, size) for each in track.sightings]).reshape(-1, 6)
    seen = [each.seconds for each in track.sightings]
    every = np.linspace(seen[0], seen[-1], round((seen[-1] - seen[0]) * rate) + 1)
    entries = np.stack([np.interp(every, seen, known[:, entry]) for entry in range(6)], axis=1)
    if smooth and len(every) > 1:
        entries = gaussian_filter1d(entries, _SMOOTHING_SECONDS * rate, axis=0, mode="nearest")
    return Path2D(every, entries.reshape(-1, 2, 3), size)


def enlarged_crops(
    frames: Iterator[Frame],
    paths: Sequence[Path2D],
    upscalers: UpscalerBySize,
    tile: int,
    overlap: int,
    neighbors: float = NEIGHBORS,
) -> Iterator[tuple[Frame, dict[int, np.ndarray]]]:
    """Each frame with its enlarged faces: number of the track -> (scale * size, scale * size, 3) float32.

    Args:
      frames: frames of the clip, in order.
      paths: paths of each track.
      upscalers: upscalers, one or one for each size.
      tile: see `tiling.upscale_tiled`.
      overlap: pixels shared by neighboring tiles, see `tiling.upscale_tiled`.
      neighbors: share of the frame before and of the one after in what is enlarged; 0: none.
    """
    group: list[tuple[Frame, dict[int, np.ndarray]]] = []
    for frame, cuts in _averaged(frames, paths, neighbors):
        group.append((frame, cuts))
        if len(group) == _FRAMES_AT_ONCE:
            yield from _enlarged(group, paths, upscalers, tile, overlap)
            group = []
    yield from _enlarged(group, paths, upscalers, tile, overlap)


def write_enlarged(
    path: Path,
    clip: Clip,
    tracks: Sequence[Track],
    upscalers: UpscalerBySize,
    scale: int,
    start: float,
    stop: float | None,
    tile: int,
    overlap: int,
    mark: str = "",
) -> None:
    """Writes the clip enlarged, with its sound.

    Args:
      path: an .mp4 file.
      clip: the clip.
      tracks: faces in it.
      upscalers: upscalers of the faces.
      scale: enlargement of the clip, by bicubic interpolation around the faces.
      start: start in seconds.
      stop: end in seconds; None: end of the clip.
      tile: see `tiling.upscale_tiled`.
      overlap: pixels shared by neighboring tiles, see `tiling.upscale_tiled`.
      mark: text at the end of the file's comment.

    Raises:
      UserError: the file cannot be written.
    """
    paths: list[Path2D] = []
    comment = f"Enlarged {scale} times, faces by {upscalers.names}; the detail that adds is invented. {mark}"

    def frames() -> Iterator[Frame]:
        for frame in clip.read(start, stop):
            if not paths:
                paths.extend(path_of(track, frame.pixels.shape, clip.rate) for track in tracks)
            yield frame

    total = clip.expected(start, stop) or None
    with (
        writing(path, clip.rate, clip, start, comment) as write,
        tqdm(total=total, desc=f"enlarge {clip.path.name}", unit="frame", dynamic_ncols=True) as progress,
    ):
        for frame, faces in enlarged_crops(frames(), paths, upscalers, tile, overlap):
            height, width = frame.pixels.shape[:2]
            large = images.to_uint8(resize.resize(frame.image, height * scale, width * scale))
            for number, crop in faces.items():
                size, matrix = paths[number].size, paths[number].at(frame.seconds)
                assert matrix is not None
                face = resize.resize(crop, size * scale, size * scale)
                paste.paste(large, face, paste.enlarged_transform(matrix, scale))
            write(frame, large)
            progress.update()


def _averaged(
    frames: Iterator[Frame], paths: Sequence[Path2D], neighbors: float
) -> Iterator[tuple[Frame, dict[int, np.ndarray]]]:
    """Each frame with its cut faces, each averaged with the same one before and after, where it is seen there."""
    before: dict[int, np.ndarray] = {}
    current: tuple[Frame, dict[int, np.ndarray]] | None = None
    for frame in frames:
        image = frame.image
        cuts = {
            number: align.warp(image, matrix, path.size)
            for number, path in enumerate(paths)
            if (matrix := path.at(frame.seconds)) is not None
        }
        if current is not None:
            yield current[0], _mixed(before, current[1], cuts, neighbors)
            before = current[1]
        current = frame, cuts
    if current is not None:
        yield current[0], _mixed(before, current[1], {}, neighbors)


def _mixed(
    before: dict[int, np.ndarray], now: dict[int, np.ndarray], after: dict[int, np.ndarray], share: float
) -> dict[int, np.ndarray]:
    mixed = {}
    for number, cut in now.items():
        others = [each[number] for each in (before, after) if number in each] if share else []
        mixed[number] = cut * (1.0 - share * len(others)) + share * sum(others, np.zeros_like(cut))
    return mixed


def _enlarged(
    group: list[tuple[Frame, dict[int, np.ndarray]]],
    paths: Sequence[Path2D],
    upscalers: UpscalerBySize,
    tile: int,
    overlap: int,
) -> Iterator[tuple[Frame, dict[int, np.ndarray]]]:
    results: list[dict[int, np.ndarray]] = [{} for _ in group]
    for upscaler in dict.fromkeys(upscalers.for_face(path.size) for path in paths):
        places = [
            (place, number)
            for place, (_, cuts) in enumerate(group)
            for number in cuts
            if upscalers.for_face(paths[number].size) is upscaler
        ]
        cuts = [group[place][1][number] for place, number in places]
        for (place, number), crop in zip(
            places, tiling.upscale_each(upscaler, cuts, tile, overlap) if cuts else [], strict=True
        ):
            results[place][number] = crop
    for (frame, _), found in zip(group, results, strict=True):
        yield frame, found
