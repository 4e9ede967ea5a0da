"""tracks.csv and tracks.json: a row for each passing person of the searched clips; docs/clips.md describes them."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from lowres_jax.clips.search import TrackAnswer
from lowres_jax.report import search_wording as wording
from lowres_jax.super_resolution.upscaler import UpscalerBySize
from lowres_jax.utils.files import write_atomically

_COLUMNS = (
    *("clip", "track", "answer", "name", "similarity", "threshold", "nearest", "group", "start", "end"),
    *("frames_with_face", "native_size", "enlarged_from", "upscaler", "quality", "best_at"),
    *("left", "top", "right", "bottom"),
)


def write_tracks(
    folder: Path, answers: Sequence[TrackAnswer], groups: Sequence[int], upscalers: UpscalerBySize, least_found: float
) -> list[Path]:
    """Writes both files.

    Args:
      folder: folder of the files.
      answers: one for each track.
      groups: number of the group of unknown people that each belongs to; 0 for none.
      upscalers: upscalers of small faces.
      least_found: see `search_wording.verdict`.

    Returns:
      The two paths.
    """
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(_COLUMNS)
    content = []
    for answer, group in zip(answers, groups, strict=True):
        track, best = answer.track, answer.track.best
        assert best is not None
        cut = answer.threshold.probe_size
        row = (
            *(str(answer.path), answer.number, wording.verdict(answer, False, least_found).value),
            *(answer.matches[0].name if answer.accepted else "", round(answer.matches[0].similarity, 4)),
            *(round(answer.threshold.similarity, 4), answer.matches[0].name, group or ""),
            *(round(track.first.seconds, 3), round(track.last.seconds, 3), len(track.sightings), track.size),
            *(cut or "", upscalers.of(cut).name if cut else "", _rounded(track.quality), round(best.seconds, 3)),
            *(round(float(value), 1) for value in best.view.face.box),
        )
        writer.writerow(row)
        sightings = [
            {
                "frame": each.frame,
                "seconds": round(each.seconds, 3),
                "box": [round(float(value), 1) for value in each.view.face.box],
                "native_size": each.view.native_size,
                "score": round(float(each.view.face.score), 4),
                "quality": _rounded(each.view.quality) or None,
            }
            for each in track.sightings
        ]
        known = {name: (None if value == "" else value) for name, value in zip(_COLUMNS, row, strict=True)}
        content.append(known | {"sightings": sightings})
    paths = [folder / "tracks.csv", folder / "tracks.json"]
    with write_atomically(paths[0]) as file:
        file.write(table.getvalue().encode(errors="backslashreplace"))
    with write_atomically(paths[1]) as file:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        file.write(text.encode(errors="backslashreplace") + b"\n")
    return paths


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(value, 3)
