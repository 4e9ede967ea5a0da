"""Probes of a search: pictures, clips, or both."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_collections import ConfigDict

from lowres_jax.clips.reading import SUFFIXES, Clip, clips_in, open_clip, open_frames
from lowres_jax.data.picture_files import PictureFiles, find_pictures
from lowres_jax.errors import UserError
from lowres_jax.preparation.photographs import natural_order


@dataclass(frozen=True)
class Probes:
    """Probes of a search.

    Attributes:
      pictures: photographs.
      clips: clips, opened.
      remarks: files that were skipped, a line each.
    """

    pictures: Sequence[Path]
    clips: Sequence[Clip]
    remarks: Sequence[str]

    def __str__(self) -> str:
        parts = [f"{len(self.pictures)} pictures"] if self.pictures or not self.clips else []
        return " and ".join([*parts, *([f"{len(self.clips)} clips"] if self.clips else [])])


def find_probes(config: ConfigDict) -> Probes:
    """Finds the pictures and clips of `config.probe`.

    Raises:
      UserError: there is nothing to search, or the only clip cannot be read.
    """
    place = Path(config.probe)
    if config.stop is not None and config.stop <= config.start:
        raise UserError(f"config.stop={config.stop:g}: is not after config.start={config.start:g}")
    if config.frames_per_second:
        return _numbered_frames(place, config.frames_per_second)
    files, paths = pictures_and_clips(place)
    clips, remarks = [], []
    for path in paths:
        try:
            clips.append(open_clip(path))
        except UserError as error:
            if not files.paths and len(paths) == 1:
                raise
            remarks.append(f"skipped: {error}")
    return Probes(files.paths, clips, [*remarks, *files.remarks(place)])


def _numbered_frames(place: Path, rate: float) -> Probes:
    """The pictures of a folder as one clip, those of each of its subfolders as another one.

    Raises:
      UserError: there are none, or clips are among them.
    """
    if clips := clips_in(place):
        raise UserError(
            f"config.frames_per_second={rate:g}: is the rate of numbered pictures; {clips[0]} is a clip, which has its "
            "own times: leave the key out, or give a folder of pictures alone"
        )
    files = find_pictures(place)
    folders: dict[Path, list[Path]] = {}
    for path in files.paths:
        folders.setdefault(path.parent if place.is_dir() else place, []).append(path)
    found = [
        open_frames(folder, sorted(own, key=lambda path: natural_order(path.name)), rate)
        for folder, own in sorted(folders.items())
    ]
    return Probes([], found, files.remarks(place))


def pictures_and_clips(place: Path) -> tuple[PictureFiles, list[Path]]:
    """The pictures and the clips at a path: the file itself, or all in the folder and below.

    Raises:
      UserError: there is neither.
    """
    clips = clips_in(place)
    if place.is_file() and clips:
        return PictureFiles([]), clips
    try:
        files = find_pictures(place)
    except UserError:
        if clips:
            return PictureFiles([]), clips
        raise
    # A clip is no picture that could not be read.
    ignored = {ending: count for ending, count in files.ignored.items() if ending not in SUFFIXES}
    return dataclasses.replace(files, ignored=Counter(ignored)), clips
