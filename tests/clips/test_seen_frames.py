"""Faces kept from frames are reused, kept apart by clip and models, and damage only costs time.

Covers `faces/packed_views.py` too.
"""

import contextlib
import resource
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.clips.reading import Clip, open_frames
from lowres_jax.clips.seen_frames import SeenFrames
from lowres_jax.errors import UserError
from lowres_jax.faces.reader import FaceView
from lowres_jax.localization.detector import Face


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    file = tmp_path / "1.png"
    file.write_bytes(b"a picture")
    return open_frames(tmp_path, [file], 25.0)


def view(x: float, quality: float | None, landmarks: bool) -> FaceView:
    marks = np.arange(10, dtype=np.float32).reshape(5, 2) if landmarks else None
    face = Face(np.asarray([x, 1, 2, 3], np.float32), 0.875, marks, 90)
    return FaceView(face, 40, 48, np.asarray([0.6, 0.8], np.float32), quality=quality)


def test_faces_are_the_same_again(clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "work" / "seen.sqlite"
    with SeenFrames(path, "models", 2) as seen:
        seen.put(clip, {0: [view(1.5, 0.25, True), view(7.0, None, False)], 5: []})
    with SeenFrames(path, "models", 2) as seen:
        found = seen.get(clip, [0, 1, 5])
        # Another content under the same name: not seen.
        file = tmp_path / "1.png"
        file.write_bytes(b"another picture")
        assert seen.get(open_frames(tmp_path, [file], 25.0), [0]) == {}
    assert sorted(found) == [0, 5]
    assert found[5] == []
    one, other = found[0]
    assert one.face.box.tolist() == [1.5, 1, 2, 3]
    assert one.face.landmarks is not None
    assert one.face.landmarks.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert (one.face.score, one.face.turned, one.native_size, one.cut_size, one.quality) == (0.875, 90, 40, 48, 0.25)
    assert (one.crop, one.cut) == (None, None)
    assert other.template.tolist() == one.template.tolist() == [np.float32(0.6), np.float32(0.8)]
    assert (other.face.landmarks, other.quality) == (None, None)
    with SeenFrames(path, "other models", 2) as seen:
        assert seen.get(clip, [0]) == {}


def test_nothing_is_kept_without_a_path(clip: Clip) -> None:
    with SeenFrames(None, "models", 2) as seen:
        seen.put(clip, {0: []})
        assert seen.get(clip, [0]) == {}


def test_a_damaged_file_is_begun_anew(clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "seen.sqlite"
    path.write_bytes(b"no database" * 1000)
    with SeenFrames(path, "models", 2) as seen:
        assert seen.get(clip, [0]) == {}
        seen.put(clip, {0: []})
    with SeenFrames(path, "models", 2) as seen:
        assert seen.get(clip, [0]) == {0: []}


@pytest.mark.parametrize("damage", [b"", b"no arrays", b"PK\x03\x04cut", None])
def test_a_damaged_entry_is_not_seen(clip: Clip, tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "seen.sqlite"
    with SeenFrames(path, "models", 2) as seen:
        seen.put(clip, {0: [view(1.0, 0.5, True)], 1: []})
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        ((content,),) = file.execute("SELECT faces FROM seen WHERE frame = 0").fetchall()
        file.execute("UPDATE seen SET faces = ? WHERE frame = 0", (content[:200] if damage is None else damage,))
    with SeenFrames(path, "models", 2) as seen:
        assert seen.get(clip, [0, 1]) == {1: []}


def test_a_file_that_is_damaged_inside_is_begun_anew(clip: Clip, tmp_path: Path) -> None:
    path = tmp_path / "seen.sqlite"
    with SeenFrames(path, "models", 2) as seen:
        seen.put(clip, {number: [view(1.0, 0.5, True)] for number in range(50)})
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)
    with SeenFrames(path, "models", 2) as seen:
        assert seen.get(clip, [0]) == {}
        seen.put(clip, {0: []})
        assert seen.get(clip, [0]) == {0: []}


def test_what_cannot_be_written_is_said(clip: Clip, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(UserError, match=r"file/seen\.sqlite: cannot be written .*config\.keep_templates=false"):
        SeenFrames(tmp_path / "file" / "seen.sqlite", "models", 2)
    with SeenFrames(tmp_path / "seen.sqlite", "models", 2) as seen:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
            with pytest.raises(UserError, match=r"seen\.sqlite: cannot be written"):
                seen.put(clip, {number: [view(1.0, 0.5, True)] * 9 for number in range(20)})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert seen.get(clip, list(range(20))) == {}
