"""Results of `identify` for programs: identify.json with everything, identify.csv with a row a face."""

import csv
import datetime
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from lowres_jax.evaluation import results
from lowres_jax.matching.calibration import Threshold
from lowres_jax.matching.enrollment import Enrolled, Skipped
from lowres_jax.matching.search import Answer
from lowres_jax.matching.shipped_thresholds import Thresholds
from lowres_jax.report import search_wording as wording
from lowres_jax.super_resolution.upscaler import UpscalerBySize
from lowres_jax.utils.files import write_atomically


@dataclass(frozen=True)
class Found:
    """A finished search.

    Attributes:
      config: config of the task.
      enrollment: people enrolled.
      answers: one for each face or track.
      groups: number of the group of unknown people for each answer; 0 for none.
      skipped: probes that gave none.
      calibration: set that the thresholds were measured on.
      upscalers: upscalers of small faces.
      notes: all that was printed.
    """

    config: ConfigDict
    enrollment: Enrolled
    answers: Sequence[Answer]
    groups: Sequence[int]
    skipped: Skipped
    calibration: Thresholds
    upscalers: UpscalerBySize
    notes: Sequence[str]

    @property
    def pair(self) -> bool:
        """True if two photographs were compared."""
        return Path(self.config.gallery).is_file()


def remove_pages(path: Path) -> None:
    """Removes the pages of the search whose identify.json this is, and no other file: they are of other photographs."""
    try:
        pages = [Path(each) for each in json.loads(path.read_bytes())["pages"]]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for page in pages:
        page.unlink(missing_ok=True)


def write_json(path: Path, found: Found, pages: Sequence[Path]) -> None:
    """Everything that was printed, and where the pages are; rates are fractions, boxes pixels of the picture."""
    config, enrollment, answers = found.config, found.enrollment, found.answers
    calibration, upscalers = found.calibration, found.upscalers
    thresholds = wording.distinct_thresholds(answers)
    place = {wording.key_of(threshold): number for number, threshold in enumerate(thresholds)}
    content = {
        "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": results.versions(),
        "config": config.to_dict(),
        "calibration": {
            "set": calibration.name,
            "people": calibration.people,
            "images": calibration.images,
            "thresholds": [_described(each) for each in thresholds],
        },
        "gallery": enrollment.described,
        "faces": [
            {
                "file": str(answer.path),
                "face": answer.number,
                "box": [round(float(value), 2) for value in answer.view.face.box],
                "score": round(float(answer.view.face.score), 5),
                "native_size": answer.view.native_size,
                "enlarged_from": answer.view.cut_size or None,
                "turned": answer.view.face.turned,
                "quality": None if answer.view.quality is None else round(answer.view.quality, 3),
                "upscaler": upscalers.of(answer.view.cut_size).name if answer.view.cut_size else None,
                "answer": wording.verdict(answer, found.pair, config.least_found).value,
                "match": answer.matches[0].name if answer.accepted else None,
                "group": group or None,
                "threshold": place[wording.key_of(answer.threshold)],
                "ranked": [asdict(match) for match in answer.matches[: config.ranks]],
            }
            for answer, group in zip(answers, found.groups, strict=True)
        ],
        **found.skipped.described,
        "pages": [str(page.resolve()) for page in pages],
        "notes": list(found.notes),
    }
    with write_atomically(path) as file:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        # A file's name that is no text has lone surrogates, which JSON writes as it writes all it cannot: \\udcff.
        file.write(text.encode(errors="backslashreplace") + b"\n")


def _described(threshold: Threshold) -> dict[str, Any]:
    """A threshold with the gallery that it was measured for in a few numbers."""
    found = asdict(threshold)
    pictures = [len(own) for own in found.pop("recipe")]
    return found | {
        "gallery_size": threshold.gallery_size,
        "gallery_pictures": {"fewest": min(pictures), "most": max(pictures), "all": sum(pictures)},
        "enrolled_sizes": sorted({size for own in threshold.recipe for size in own}),
    }


def write_csv(path: Path, found: Found) -> None:
    """A row for each face; see docs/identify.md."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(
        [
            *("file", "face", "answer", "name", "similarity", "threshold", "found_at_this_size", "nearest"),
            *("native_size", "enlarged_from", "upscaler", "turned", "left", "top", "right", "bottom", "score"),
            *("quality", "group"),
        ]
    )
    for answer, group in zip(found.answers, found.groups, strict=True):
        view, best = answer.view, answer.matches[0]
        genuine = answer.threshold.genuine
        writer.writerow(
            [
                *(answer.path, answer.number, wording.verdict(answer, found.pair, found.config.least_found).value),
                *(best.name if answer.accepted else "", f"{best.similarity:.4f}", f"{answer.threshold.similarity:.4f}"),
                *("" if genuine is None else f"{genuine:.4f}", best.name),
                *(view.native_size, view.cut_size or ""),
                found.upscalers.of(view.cut_size).name if view.cut_size else "",
                view.face.turned,
                *(f"{float(value):.1f}" for value in view.face.box),
                f"{float(view.face.score):.5f}",
                "" if view.quality is None else f"{view.quality:.3f}",
                group or "",
            ]
        )
    with write_atomically(path) as file:
        file.write(table.getvalue().encode(errors="backslashreplace"))
