"""Files that are taken for pictures, and messages about the others."""

import os
from pathlib import Path

import pytest
from PIL import Image

from lowres_jax.data.picture_files import find_pictures
from lowres_jax.errors import UserError


def save(path: Path, image_format: str = "png") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path, image_format)
    return path


def test_pictures_are_found_by_what_they_hold(tmp_path: Path) -> None:
    kinds = {"jfif": "jpeg", "jpe": "jpeg", "gif": "gif", "avif": "avif", "jp2": "jpeg2000", "webp": "webp"}
    paths = [save(tmp_path / f"a.{ending}", kind) for ending, kind in kinds.items()]
    paths += [save(tmp_path / "sub/b.JPG", "jpeg"), save(tmp_path / "no_ending"), save(tmp_path / "photo.1")]
    for name in ("note.txt", "c.heic", "d.heic", "Thumbs.db", "movie.mp4"):
        (tmp_path / name).write_bytes(b"something else")
    (tmp_path / "empty.jpg").touch()  # meant to be a picture: found, and counted as unreadable where it is read
    found = find_pictures(tmp_path)
    assert found.paths == sorted([*paths, tmp_path / "empty.jpg"])
    assert found.remarks(tmp_path) == [
        f"{tmp_path}: 5 files are no pictures that can be read, ignored: 2 .heic, 1 .db, 1 .mp4, 1 .txt"
    ]
    assert find_pictures(tmp_path / "note.txt").paths == [tmp_path / "note.txt"]  # named by the user: tried


def test_hidden_and_system_folders_are_left_out_and_counted(tmp_path: Path) -> None:
    kept = save(tmp_path / "anna" / "1.jpg")
    for folder in (".thumbnails", "anna/@eaDir", "__MACOSX/anna"):
        save(tmp_path / folder / "1.jpg")
    save(tmp_path / "anna" / "._1.jpg")
    found = find_pictures(tmp_path)
    assert found.paths == [kept]
    assert found.remarks(tmp_path) == [f"{tmp_path}: 3 hidden or system folders left out (as .thumbnails, @eaDir)"]
    # The folder that the user names may itself be one.
    assert find_pictures(tmp_path / ".thumbnails").paths == [tmp_path / ".thumbnails" / "1.jpg"]


def test_links_to_folders_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere" / "1.jpg")
    save(tmp_path / "gallery" / "anna" / "1.jpg")
    (tmp_path / "gallery" / "berta").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "gallery" / "anna" / "up").symlink_to(tmp_path / "gallery")
    (tmp_path / "gallery" / "nowhere").symlink_to(tmp_path / "absent")
    names = [str(path.relative_to(tmp_path / "gallery")) for path in find_pictures(tmp_path / "gallery").paths]
    assert names == ["anna/1.jpg", "berta/1.jpg"]


def test_nothing_is_an_error_that_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no pictures in this folder \(it is empty\)"):
        find_pictures(tmp_path)
    (tmp_path / "a.heic").write_bytes(b"x")
    with pytest.raises(UserError, match=r"no pictures in this folder .*1 file is no picture.*: 1 \.heic"):
        find_pictures(tmp_path)
    with pytest.raises(UserError, match="no such file or folder"):
        find_pictures(tmp_path / "absent")


def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    picture = save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.jpg")
    (tmp_path / "c").symlink_to("/dev/zero")
    found = find_pictures(tmp_path)
    assert found.paths == [picture]
    assert found.remarks(tmp_path) == [
        f"{tmp_path}: 2 files are no pictures that can be read, ignored: 2 pipe or device"
    ]


def test_pictures_of_several_pages_are_named(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    for name in ("moving.gif", "moving.png", "pages.tif", "moving.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    for name in ("still.gif", "still.png", "page.tif", "still.webp"):
        frames[0].save(tmp_path / name)
    (tmp_path / "damaged.tif").write_bytes(b"II*\0")
    said = "of several pages or frames only the first is read: "
    assert find_pictures(tmp_path).remarks(tmp_path) == [
        f"{tmp_path}: {said}moving.gif, moving.png, moving.webp, pages.tif"
    ]
    alone = tmp_path / "moving.gif"
    assert find_pictures(alone).remarks(alone) == [f"{alone}: {said}moving.gif"]
    assert find_pictures(tmp_path / "still.gif").remarks(tmp_path) == []
