"""One rule from a path to a person, wherever pictures come from."""

import zipfile
from pathlib import Path, PurePosixPath

import pytest

from lowres_jax.data.people import person_names, without_wrapper
from lowres_jax.errors import UserError
from lowres_jax.matching.gallery import people_in
from lowres_jax.preparation.sources import open_photographs

DECOMPOSED = "Andre\N{COMBINING ACUTE ACCENT}"
# What people have: albums within a person, a common folder name in each, names that sanitizing would merge.
LAYOUT = {
    "anna/2019/1.jpg": "anna",
    "anna/2020/1.jpg": "anna",
    "bert/2019/1.jpg": "bert",
    "carl/images/1.jpg": "carl",
    "dora/images/1.jpg": "dora",
    "A.B/1.jpg": "A.B",
    "A_B/1.jpg": "A_B",
    "Ü:x/1.jpg": "Ü:x",
    "Ü?x/1.jpg": "Ü?x",
    f"{DECOMPOSED}/1.jpg": "André",
    "zoe.jpg": "zoe",
}


def test_the_first_folder_names_the_person() -> None:
    assert person_names([PurePosixPath(each) for each in LAYOUT], "set") == list(LAYOUT.values())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in LAYOUT:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"x")
    return tmp_path / "set"


def test_a_gallery_a_set_and_an_archive_agree(folder: Path, tmp_path: Path) -> None:
    enrolled = people_in(folder, sorted(folder.rglob("*.jpg")))
    assert {name: len(own) for name, own in enrolled.items()} == {
        name: list(LAYOUT.values()).count(name) for name in LAYOUT.values()
    }
    found = open_photographs(folder)
    assert dict(zip(found.sources, found.names, strict=True)) == LAYOUT
    # An archive has a folder around everything.
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in LAYOUT:
            if name != "zoe.jpg":
                archive.write(folder / name, f"download/set/{name}")
    packed = open_photographs(tmp_path / "set.zip")
    assert dict(zip(packed.sources, packed.names, strict=True)) == {
        name: person for name, person in LAYOUT.items() if name != "zoe.jpg"
    }


def test_a_folder_around_all_people_is_left_out_but_no_person_is() -> None:
    def of(*names: str) -> list[str]:
        return [str(each) for each in without_wrapper([PurePosixPath(name) for name in names])]

    assert of("lfw/a/1.jpg", "lfw/b/1.jpg") == ["a/1.jpg", "b/1.jpg"]
    assert of("x/lfw/a/1.jpg", "x/lfw/b/c/1.jpg") == ["a/1.jpg", "b/c/1.jpg"]
    assert of("anna/1.jpg", "anna/2.jpg") == ["anna/1.jpg", "anna/2.jpg"]
    assert of("anna/1.jpg", "anna/old/2.jpg") == ["anna/1.jpg", "anna/old/2.jpg"]
    assert of() == []


@pytest.mark.parametrize("other", [DECOMPOSED, "André ", " André"])
def test_names_that_look_the_same_are_refused(other: str) -> None:
    with pytest.raises(UserError, match=r"known: .*'Andr\\xe9'.* cannot be told apart"):
        person_names([PurePosixPath("André/1.jpg"), PurePosixPath(f"{other}/2.jpg")], "known")
