"""Faces of the frames of clips, kept while they are searched, so that an interrupted search resumes.

One SQLite file; each group of frames is one transaction, so that it is whole after whatever kind of stop. Templates are
biometric data: without a path nothing is kept.
"""

import contextlib
import io
import sqlite3
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lowres_jax.clips.reading import Clip
from lowres_jax.errors import UserError
from lowres_jax.evaluation.measurement import fingerprint
from lowres_jax.faces.packed_views import packed, unpacked
from lowres_jax.faces.reader import FaceView

# All that numpy says of arrays that are none, cut short, or of another kind.
_DAMAGED = (KeyError, ValueError, OSError, EOFError, TypeError, IndexError, zipfile.BadZipFile, zlib.error)


class SeenFrames:
    """The file of what was found; a context manager, which closes it."""

    def __init__(self, path: Path | None, made_by: str, dimension: int):
        """Opens the file; a damaged one is begun again.

        Args:
          path: path of the file; None keeps nothing.
          made_by: names all that the faces depend on but the clip.
          dimension: length of a template.

        Raises:
          UserError: the file cannot be written.
        """
        self._path, self._made_by, self._dimension = path, made_by, dimension
        self._file: sqlite3.Connection | None = None
        if path is None:
            return
        try:
            try:
                self._file = self._opened(path)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._begin_anew()
        except (sqlite3.Error, OSError) as error:
            raise self._refused(error) from error

    def _begin_anew(self) -> None:
        """Replaces a damaged file: what it had is found again."""
        assert self._path is not None
        if self._file is not None:
            self._file.close()
        for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
            path.unlink(missing_ok=True)
        self._file = self._opened(self._path)

    @staticmethod
    def _opened(path: Path) -> sqlite3.Connection:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(path)
        try:
            file.execute("CREATE TABLE IF NOT EXISTS seen (clip TEXT, frame INT, faces BLOB, PRIMARY KEY(clip,frame))")
            file.execute("SELECT clip, frame, faces FROM seen LIMIT 1")
        except sqlite3.Error:
            file.close()
            raise
        return file

    def _refused(self, error: Exception) -> UserError:
        return UserError(
            f"{self._path}: cannot be written ({error}); config.keep_templates=false keeps nothing of the frames"
        )

    def get(self, clip: Clip, frames: Sequence[int]) -> dict[int, list[FaceView]]:
        """The faces of those of some frames that were seen before, without their pictures."""
        if self._file is None or not frames:
            return {}
        marks = ",".join("?" * len(frames))
        found: dict[int, list[FaceView]] = {}
        try:
            rows = self._file.execute(
                f"SELECT frame, faces FROM seen WHERE clip = ? AND frame IN ({marks})", (self._key(clip), *frames)
            ).fetchall()
        except sqlite3.Error:
            return {}
        for frame, content in rows:
            with contextlib.suppress(*_DAMAGED), np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                found[frame] = unpacked(arrays)
        return found

    def put(self, clip: Clip, faces: Mapping[int, Sequence[FaceView]]) -> None:
        """Keeps the faces of frames.

        Raises:
          UserError: the file cannot be written.
        """
        if self._file is None or not faces:
            return
        rows = []
        for frame, views in faces.items():
            content = io.BytesIO()
            np.savez(content, allow_pickle=False, **packed(views, self._dimension))
            rows.append((self._key(clip), frame, content.getvalue()))
        try:
            try:
                self._insert(rows)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._begin_anew()
                self._insert(rows)
        except (sqlite3.Error, OSError) as error:
            raise self._refused(error) from error

    def _insert(self, rows: Sequence[tuple[str, int, bytes]]) -> None:
        assert self._file is not None
        with self._file:
            self._file.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", rows)

    def __enter__(self) -> "SeenFrames":
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def _key(self, clip: Clip) -> str:
        return fingerprint(self._made_by, clip.identity)
