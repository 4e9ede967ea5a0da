"""identify.html: a search by person: who was found, where and how surely; unknown faces in groups."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from lowres_jax.data.images import to_uint8
from lowres_jax.matching.search import Answer
from lowres_jax.report import search_wording as wording
from lowres_jax.report.contact_sheet import Row
from lowres_jax.report.search_files import Found
from lowres_jax.report.search_wording import Verdict
from lowres_jax.utils.files import write_atomically

_ALONE = "Unknown, each seen once"
_MEANING = {
    Verdict.UNKNOWN: "Likely nobody of the known people.",
    Verdict.TOO_SMALL: "Too small to tell: the answer may be any of the known people, or nobody.",
    Verdict.NO_NAME: "No name is possible here: faces this small are not recognized.",
}


def write_people(path: Path, found: Found, rows: Sequence[Row], caution: str) -> None:
    """Writes the page: one HTML file that needs nothing else.

    Args:
      path: path of the file.
      found: the search.
      rows: pictures of the first answers; later ones stand without.
      caution: first line, what a match is worth; last of the notes.

    Raises:
      UserError: the file cannot be written.
    """
    pictures = [*rows, *[None] * (len(found.answers) - len(rows))]
    members: dict[tuple[int, str], list[tuple[Answer, Row | None]]] = {}
    for answer, group, row in zip(found.answers, found.groups, pictures, strict=True):
        members.setdefault(_place(answer, group, found.config.least_found), []).append((answer, row))
    sections = [
        _section(title, own, found) for (_, title), own in sorted(members.items(), key=lambda member: member[0])
    ]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lowres_jax", "report/templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    text = environment.get_template("people.html").render(sections=sections, notes=found.notes[:-1], caution=caution)
    with write_atomically(path) as file:
        file.write(text.encode(errors="replace"))


def _place(answer: Answer, group: int, least_found: float) -> tuple[int, str]:
    """Order and title of the section that an answer stands in."""
    verdict = wording.verdict(answer, False, least_found)
    if verdict is Verdict.MATCH:
        return 0, as_written(answer.matches[0].name)
    if group:
        return group, f"Unknown person {group}"
    if verdict is Verdict.UNKNOWN:
        return 1_000_000, _ALONE
    return 1_000_001, verdict.value.capitalize()


def as_written(name: str) -> str:
    """A person's name as people write it: "George_W_Bush" -> "George W Bush"."""
    return " ".join(name.replace("_", " ").split())


def _section(title: str, members: Sequence[tuple[Answer, Row | None]], found: Found) -> dict[str, Any]:
    first, row = members[0]
    verdict = wording.verdict(first, False, found.config.least_found)
    known = verdict is Verdict.MATCH
    places = len({answer.path for answer, _ in members})
    count = (
        f"{len(members)} {'face' if len(members) == 1 else 'faces'} in {places} {'file' if places == 1 else 'files'}"
    )
    return {
        "title": title,
        "said": f"Likely this person: {count}." if known else f"{_MEANING[verdict]} {count}.",
        "known": _data(row.candidates[0].crop) if known and row and row.candidates else "",
        "faces": [_face(answer, picture, known) for answer, picture in members],
    }


def _face(answer: Answer, row: Row | None, known: bool) -> dict[str, Any]:
    best, threshold = answer.matches[0], answer.threshold.similarity
    nearest = "similarity" if known else f"nearest: {as_written(best.name)},"
    left, top = (round(float(value)) for value in answer.view.face.box[:2])
    return {
        "source": wording.source(answer),
        "picture": _data(row.crop) if row else "",
        "lines": [
            f"{answer.view.native_size} px, at {left}, {top}",
            f"{nearest} {best.similarity:.2f}; a name is given from {threshold:.2f}",
        ],
    }


def _data(crop: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(crop if crop.dtype == np.uint8 else to_uint8(crop)).save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
