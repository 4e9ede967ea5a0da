"""A prepared set comes to its place whole, whatever happens on the way.

Covers `preparation/job.py`, `preparation/prepared_set.py`, `tasks/prepare.py` too.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lowres_jax.errors import UserError
from lowres_jax.preparation import prepared_set, sources

SETTINGS = {"source": "", "detector": "mtcnn", "rule": "largest", "crop_size": 128, "image_format": "png"}


def write_set(folder: Path, content: str, **settings: str) -> Path:
    version = folder / "1.0.0"
    version.mkdir(parents=True)
    (version / "dataset_info.json").write_text(content)
    summary = {"settings": SETTINGS | settings, "records": 3}
    (version / "preparation.json").write_text(json.dumps(summary))
    return folder


def content_of(place: Path) -> str:
    return (place / "1.0.0" / "dataset_info.json").read_text()


def test_the_new_set_takes_the_place_of_the_old(tmp_path):
    place = write_set(tmp_path / "lfw" / "mtcnn", "old")

    with prepared_set.temporary_folder(tmp_path) as temporary:
        prepared_set.put_in_place(write_set(temporary / "lfw" / "mtcnn", "new"), place, temporary)

    assert content_of(place) == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lfw"]


def test_an_interruption_between_the_moves_keeps_the_old_set(tmp_path, monkeypatch):
    place = write_set(tmp_path / "lfw" / "mtcnn", "old")
    replace, moves = os.replace, []

    def interrupted(source: Path, target: Path) -> None:
        moves.append(target)
        if len(moves) == 2:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), prepared_set.temporary_folder(tmp_path) as temporary:
        prepared_set.put_in_place(write_set(temporary / "lfw" / "mtcnn", "new"), place, temporary)

    assert len(moves) == 3
    assert content_of(place) == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lfw"]


def test_what_a_killed_run_left_is_cleared_away_and_a_running_one_is_not(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f".preparing-{socket.gethostname()}-{ended.pid}-abc"
    running = tmp_path / f".preparing-{socket.gethostname()}-{os.getpid()}-abc"
    elsewhere = tmp_path / f".preparing-another.machine-{ended.pid}-abc"
    for folder in (left, running, elsewhere):
        write_set(folder / "lfw" / "mtcnn", "unfinished")

    with prepared_set.temporary_folder(tmp_path):
        pass

    assert sorted(tmp_path.iterdir()) == sorted([running, elsewhere])


def test_a_source_is_the_same_by_whatever_path(tmp_path, monkeypatch, capsys):
    place = write_set(tmp_path / "lfw" / "mtcnn", "old", source="photos/lfw.tgz")
    monkeypatch.chdir(tmp_path)
    settings = SETTINGS | {"source": sources.absolute(str(tmp_path / "photos" / "lfw.tgz"))}

    assert prepared_set.is_there(place, settings | {"content": "of an earlier version"}, [])
    assert "prepared already, 3 records" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"other settings \(source\)"):
        prepared_set.is_there(place, settings | {"source": "/other/lfw.tgz", "content": ""}, [])
    (place / "1.0.0" / "preparation.json").unlink()
    with pytest.raises(UserError, match=r"preparation\.json: does not say how .*overwrite=true"):
        prepared_set.is_there(place, settings, [])


def test_what_is_at_a_source_counts(tmp_path):
    folder = tmp_path / "faces" / "anna"
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(b"one")
    seen = [sources.content_digest(str(tmp_path / "faces"))]
    (folder / "1.jpg").write_bytes(b"longer")
    seen.append(sources.content_digest(str(tmp_path / "faces")))
    (folder / "1.jpg").rename(folder / "2.jpg")
    seen.append(sources.content_digest(str(tmp_path / "faces")))
    seen += [sources.content_digest(str(folder / "2.jpg")), sources.content_digest("")]
    assert len(set(seen)) == 5
    (folder / "2.jpg").write_bytes(b"lonGer")
    assert sources.content_digest(str(folder / "2.jpg")) not in seen
    assert sources.content_digest(str(tmp_path / "absent")) == ""


def test_pictures_that_changed_places_are_another_content(tmp_path: Path) -> None:
    """Names and sizes alone do not tell: BMP and PNM of one size have one length."""
    for number, name in enumerate(("a.bmp", "b.bmp")):
        (tmp_path / name).write_bytes(bytes([number]) * 100)
        os.utime(tmp_path / name, (1000 + number, 1000 + number))
    before = sources.content_digest(str(tmp_path))
    assert sources.content_digest(str(tmp_path)) == before
    (tmp_path / "a.bmp").rename(tmp_path / "c.bmp")
    (tmp_path / "b.bmp").rename(tmp_path / "a.bmp")
    (tmp_path / "c.bmp").rename(tmp_path / "b.bmp")
    assert sources.content_digest(str(tmp_path)) != before
