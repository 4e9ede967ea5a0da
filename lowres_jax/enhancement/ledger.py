"""The account of a run of `enhance`: every picture, every face, and what became of it; a second run resumes from it."""

import csv
import datetime
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from lowres_jax import __version__
from lowres_jax.errors import UserError
from lowres_jax.utils import filenames
from lowres_jax.utils.files import write_atomically

NAME = "enhance"


@dataclass(frozen=True)
class FaceRow:
    """One enlarged face; with `aligned` one picture, which has no number and no box.

    Attributes:
      picture: path of the picture.
      face: number in it, from left to right, from 1.
      result: path of the enlarged face.
      box: left, top, right, bottom in pixels of the picture; None for an aligned crop.
      score: score of the detector.
      turned: degrees by which the picture was turned before the face was found.
      size: side of the aligned crop in pixels of the picture.
      enlarged_to: side of the result in pixels.
      model: upscaler.
      quality: quality from 0 to 1, see `matching.quality`; None for an aligned crop.
      noise: standard deviation of the picture's noise in luma, of 255.
      jpeg_quality: JPEG quality of the picture, 0 where it is no JPEG.
      remark: warning; empty for none.
    """

    picture: str
    face: int
    result: str
    box: list[float] | None
    score: float | None
    turned: int
    size: int
    enlarged_to: int
    model: str
    quality: float | None
    noise: float
    jpeg_quality: int
    remark: str

    def line(self) -> str:
        """The row in words."""
        where = f" at {self.box[0]:.0f},{self.box[1]:.0f}" if self.box else ""
        turned = f", found in the picture turned by {self.turned} degrees" if self.turned else ""
        number = f" face {self.face}" if self.face else ""
        factor = f"x{self.enlarged_to / self.size:g}"
        return (
            f"{filenames.printable(Path(self.picture).name)}{number}{where}: {self.size} px, {factor} by "
            f"{self.model} to {self.enlarged_to} px{turned}" + (f" ({self.remark})" if self.remark else "")
        )


@dataclass
class PictureEntry:
    """One picture.

    Attributes:
      picture: path of the picture.
      sha256: SHA-256 of its content; "" where it could not be read.
      results: paths of all that was made of it.
      faces: faces of the picture.
      problem: why nothing was made of it; empty otherwise.
    """

    picture: str
    sha256: str = ""
    results: list[str] = field(default_factory=list)
    faces: list[FaceRow] = field(default_factory=list)
    problem: str = ""


class Ledger:
    """The account of an output folder.

    Attributes:
      entries: entries of this run and of earlier ones with the same settings, by the picture's path.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], overwrite: bool):
        """Reads what an earlier run left.

        Args:
          folder: output folder.
          settings: all that the results depend on but the pictures, as JSON has it.
          overwrite: true if results of other settings may be replaced.

        Raises:
          UserError: the folder holds the results of a run with other settings, and they are not to be replaced.
        """
        self._folder, self._overwrite = folder, overwrite
        self._settings = json.loads(json.dumps({"version": __version__, **settings}))
        self.entries: dict[str, PictureEntry] = {}
        path = folder / f"{NAME}.json"
        if not path.is_file():
            return
        try:
            kept = json.loads(path.read_bytes())
            before, entries = kept["settings"], [_entry(each) for each in kept["pictures"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            if overwrite:
                return
            raise UserError(
                f"{path}: cannot be read ({error}); --config.overwrite=true remakes everything, or give another "
                "folder as --config.output"
            ) from error
        if before == self._settings:
            self.entries = {each.picture: each for each in entries}
        elif not overwrite:
            changed = sorted(
                name for name in {*before, *self._settings} if before.get(name) != self._settings.get(name)
            )
            raise UserError(
                f"config.output={folder}: holds results of other settings ({', '.join(changed)}); "
                "--config.overwrite=true replaces those of the same name, or give another folder"
            )

    def done(self, picture: Path, sha256: str) -> bool:
        """True if an earlier run made everything of a picture that has not changed since, and all of it is there."""
        entry = self.entries.get(str(picture))
        return (
            entry is not None
            and not self._overwrite
            and not entry.problem
            and entry.sha256 == sha256
            and all(Path(each).is_file() for each in entry.results)
        )

    def refuse(self, existing: Sequence[Path]) -> None:
        """Refuses to overwrite files that no earlier run of these settings made.

        Raises:
          UserError: names the first.
        """
        own = {each for entry in self.entries.values() for each in entry.results}
        others = [path for path in existing if str(path) not in own]
        if others and not self._overwrite:
            more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
            raise UserError(
                f"{others[0]}{more}: exists; --config.overwrite=true replaces it, or give another folder as "
                "--config.output"
            )

    def save(self, notes: Sequence[str]) -> list[Path]:
        """Writes enhance.json and enhance.csv; returns their paths."""
        entries = [self.entries[name] for name in sorted(self.entries)]
        content = {
            "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "settings": self._settings,
            "notes": list(notes),
            "pictures": [asdict(each) for each in entries],
        }
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        table = io.StringIO()
        writer = csv.writer(table)
        columns = [each.name for each in fields(FaceRow) if each.name != "box"]
        writer.writerow([*columns, "left", "top", "right", "bottom"])
        for row in (row for entry in entries for row in entry.faces):
            values: list[object] = [getattr(row, name) for name in columns]
            values += row.box or [None] * 4
            writer.writerow(["" if value is None else value for value in values])
        paths = []
        # A file's name that is no text has lone surrogates, which UTF-8 has no bytes for.
        for ending, said in (("json", text + "\n"), ("csv", table.getvalue())):
            paths.append(self._folder / f"{NAME}.{ending}")
            with write_atomically(paths[-1]) as file:
                file.write(said.encode(errors="backslashreplace"))
        return paths


def _entry(kept: Mapping[str, Any]) -> PictureEntry:
    faces = [FaceRow(**each) for each in kept["faces"]]
    return PictureEntry(kept["picture"], kept["sha256"], list(kept["results"]), faces, kept["problem"])
