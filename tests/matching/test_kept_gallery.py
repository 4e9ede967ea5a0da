"""Kept galleries answer as enrolled ones do, grow and shrink without rewriting, and are whole after every stop.

Covers `matching/kept_files.py` too.
"""

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.faces.reader import FaceView
from lowres_jax.localization.detector import Face
from lowres_jax.matching import gallery as gallery_module
from lowres_jax.matching import kept_gallery
from lowres_jax.matching.gallery import Gallery
from lowres_jax.matching.kept_files import changing, is_begun
from lowres_jax.matching.kept_gallery import KeptGallery
from lowres_jax.utils import files

PLACE = Face(np.zeros(4, np.float32), 1.0)


def test_the_most_similar_of_many() -> None:
    generator = np.random.default_rng(4)
    # Few values, so that many are equal.
    similarities = generator.integers(0, 3000, 20_011).astype(np.float32) / 3000
    order = np.argsort(-similarities, kind="stable")
    for ranks, limit in itertools.product((1, 3, 50), (0.999, 2.0)):
        expected = order[: max(ranks, int(np.sum(similarities >= limit)))]
        np.testing.assert_array_equal(gallery_module.most_similar(similarities, ranks, limit), expected)


def views(generator: np.random.Generator, count: int = 1, size: int = 0, quality: float = 0.9) -> list[FaceView]:
    vectors = generator.normal(size=(count, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [FaceView(PLACE, 100, size, vector, quality=quality) for vector in vectors]


@pytest.fixture
def people() -> dict[str, list[FaceView]]:
    generator = np.random.default_rng(0)
    return {f"person {number} é": views(generator, 1 + number % 3) for number in range(300)}


@pytest.fixture
def kept(people: dict[str, list[FaceView]], tmp_path: Path) -> KeptGallery:
    made = KeptGallery.create(tmp_path / "people.gallery", "models", "sface", 16)
    made.add(people)
    return made


@pytest.mark.parametrize("chunk", [1024, 10])
def test_it_answers_as_an_enrolled_one(
    kept: KeptGallery, people: dict[str, list[FaceView]], monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(gallery_module, "_CHUNK", chunk)
    enrolled = Gallery({name: [view.template for view in own] for name, own in people.items()})
    for own, ranks, similarity in itertools.product(list(people.values())[::60], (1, 5, 400), (0.3, 0.9)):
        found = kept.search(own[0].template, ranks, similarity)
        expected = enrolled.search(own[0].template, ranks, similarity)
        assert [match.name for match in found] == [match.name for match in expected]
        np.testing.assert_allclose(
            [match.similarity for match in found], [match.similarity for match in expected], atol=1e-6
        )


def test_what_it_says_of_itself(kept: KeptGallery) -> None:
    generator = np.random.default_rng(1)
    kept.add({"small": views(generator, 2, size=32), "poor": views(generator, quality=0.1)})
    assert (kept.people, kept.most_pictures, kept.enlarged, kept.poor) == (302, 3, 1, ["poor"])
    assert kept.recipe == ((0,) * 3,) * 100 + ((0,) * 2,) * 100 + ((32,) * 2,) + ((0,),) * 101
    assert kept.sizes.keys() == {0, 32}


def content(kept: KeptGallery) -> bytes:
    """All bytes of the gallery's files."""
    return b"".join(path.read_bytes() for path in sorted(kept.folder.iterdir()))


def test_who_is_replaced_or_removed_is_gone_from_the_disk(kept: KeptGallery, people: dict[str, list[FaceView]]) -> None:
    other = views(np.random.default_rng(2))
    old = {name: gallery_module.mean_template(np.stack([view.template for view in people[name]])) for name in people}
    assert old["person 6 é"].tobytes() in content(kept)
    kept.add({"new, of them": other, "person 6 é": other})
    assert kept.people == 301
    assert {match.name for match in kept.search(other[0].template, 2, 2.0)} == {"new, of them", "person 6 é"}
    assert kept.search(people["person 6 é"][0].template, 1, 2.0)[0].name != "person 6 é"
    assert old["person 6 é"].tobytes() not in content(kept)
    # In another Unicode form, with a comma in the name.
    kept.remove(["person 9 e\N{COMBINING ACUTE ACCENT}", "new, of them"])
    assert (kept.people, KeptGallery.open(kept.folder, "models").people) == (299, 299)
    for gone in ("person 9 é", "new, of them"):
        assert gone.encode() not in content(kept)
    assert old["person 9 é"].tobytes() not in content(kept)
    # Their places are used again.
    size = (kept.folder / "templates.f32").stat().st_size
    kept.add({"later": other})
    assert (kept.folder / "templates.f32").stat().st_size == size
    assert {match.name for match in kept.search(other[0].template, 2, 2.0)} == {"later", "person 6 é"}


def test_nobody_is_removed_where_one_name_is_wrong(kept: KeptGallery) -> None:
    with pytest.raises(UserError, match="nobody of the name 'person' is enrolled; nobody was removed"):
        kept.remove(["person 9 é", "person"])
    assert (kept.people, kept.has("person 9 é"), kept.has("person")) == (300, True, False)


def test_names_that_look_the_same_are_not_both_enrolled(kept: KeptGallery) -> None:
    own = views(np.random.default_rng(5))
    with pytest.raises(UserError, match="cannot be told apart"):
        kept.add({"person 7  é": own})
    with pytest.raises(UserError, match="cannot be told apart"):
        kept.add({"a b": own, "a  b": own})
    assert KeptGallery.open(kept.folder, "models").people == 300


def test_a_gallery_open_elsewhere_sees_changes_before_its_next_answer(
    kept: KeptGallery, people: dict[str, list[FaceView]]
) -> None:
    template = people["person 0 é"][0].template
    reader = KeptGallery.open(kept.folder, "models")
    assert reader.search(template, 1, 2.0)[0].name == "person 0 é"
    kept.remove(["person 0 é"])
    kept.add({"somebody else": views(np.random.default_rng(6))})
    (match,) = reader.search(template, 1, 2.0)
    assert match.name != "person 0 é"
    assert match.similarity < 0.9
    assert reader.people == 300


def test_whose_row_is_taken_while_it_is_searched(
    kept: KeptGallery, people: dict[str, list[FaceView]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign found the old template's likeness under the new name, when one is removed, another enrolled."""
    template, reader = people["person 0 é"][0].template, KeptGallery.open(kept.folder, "models")
    most_similar = gallery_module.most_similar

    def meanwhile(*arguments: Any) -> np.ndarray:
        found = most_similar(*arguments)
        if kept.has("person 0 é"):
            kept.remove(["person 0 é"])
            kept.add({"somebody else": views(np.random.default_rng(6))})
        return found

    monkeypatch.setattr(kept_gallery, "most_similar", meanwhile)
    (match,) = reader.search(template, 1, 2.0)
    assert match.similarity < 0.9
    assert match.name not in ("person 0 é", "somebody else")


@pytest.mark.parametrize("moment", ["_write", "_commit", "_erase"])
def test_a_stop_at_any_moment_leaves_the_old_or_the_new(
    kept: KeptGallery, people: dict[str, list[FaceView]], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Before, at, and after the one write that counts: a name is there once, with the old face or the new one."""
    other = views(np.random.default_rng(3))
    calls = itertools.count()

    def interrupted(*arguments: object) -> None:
        # `_erase` is called before new templates are written, too.
        if moment != "_erase" or next(calls):
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(KeptGallery, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            kept.add({"person 6 é": other, "new": other})
    again = KeptGallery.open(kept.folder, "models")
    new = moment == "_erase"
    assert again.people == (301 if new else 300)
    face = other if new else people["person 6 é"]
    assert "person 6 é" in {match.name for match in again.search(face[0].template, 2, 2.0)}
    # What a stopped change left is overwritten by the next.
    again.add({"later": views(np.random.default_rng(8))})
    assert content(again).count(other[0].template.tobytes()) == (2 if new else 0)


def test_an_empty_one_and_a_folder_whose_making_was_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "none.gallery"
    with changing(folder):
        assert not is_begun(folder)
    assert not folder.exists()
    folder.mkdir()
    (folder / "people.sqlite").write_bytes(b"")
    (folder / "templates.f32").write_bytes(b"half")
    assert not is_begun(folder)
    empty = KeptGallery.create(folder, "models", "sface", 16)
    assert is_begun(folder)
    assert (empty.people, empty.recipe, empty.search(np.ones(16, np.float32), 5, 0.5)) == (0, (), [])


def test_two_processes_do_not_change_it_at_once(kept: KeptGallery) -> None:
    with (
        files.locked(kept.folder),
        pytest.raises(UserError, match=r"process \d+ of .* changes this gallery; wait for it"),
        changing(kept.folder),
    ):
        raise AssertionError


def flip(folder: Path, place: int, bit: int) -> None:
    path = folder / "templates.f32"
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def changed(folder: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / "people.sqlite")) as people, people:
        people.execute(statement)


DAMAGED = "damaged; make it again"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: flip(folder, 4 * 16 * 20 + 3, 6), DAMAGED),
        (lambda folder: flip(folder, 4 * 16 * 20, 0), DAMAGED),
        (lambda folder: os.truncate(folder / "templates.f32", 4 * 16 * 299), DAMAGED),
        (lambda folder: (folder / "templates.f32").unlink(), "templates.f32: cannot be read"),
        (lambda folder: changed(folder, "UPDATE people SET name = 'person 8 e' WHERE place = 8"), DAMAGED),
        (lambda folder: changed(folder, "UPDATE people SET place = 1000 WHERE place = 8"), DAMAGED),
        (lambda folder: changed(folder, "DROP TABLE people"), DAMAGED),
        (lambda folder: os.truncate(folder / "people.sqlite", 5000), DAMAGED),
        (lambda folder: (folder / "people.sqlite").write_text("no database"), DAMAGED),
        (lambda folder: (folder / "people.sqlite").unlink(), "is no kept gallery"),
        (lambda folder: changed(folder, "UPDATE gallery SET format = 3"), "of another version"),
        (lambda folder: changed(folder, "UPDATE gallery SET made_by = 'x'"), r"by other models or settings \(sface\)"),
        (lambda folder: (folder / "gallery.json").write_text("{}"), "of an earlier version"),
    ],
)
def test_what_is_damaged_is_said(kept: KeptGallery, damage: Callable[[Path], None], said: str) -> None:
    damage(kept.folder)
    with pytest.raises(UserError, match=said):
        KeptGallery.open(kept.folder, "models")


def test_a_bit_that_flips_while_it_is_open_gives_no_name(kept: KeptGallery, people: dict[str, list[FaceView]]) -> None:
    flip(kept.folder, 0, 0)
    with pytest.raises(UserError, match="damaged"):
        kept.search(people["person 0 é"][0].template, 1, 2.0)
