"""Kept galleries answer as enrolled ones do, grow and shrink without rewriting, and are whole after every stop."""

import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.faces.reader import FaceView
from lowres_jax.localization.detector import Face
from lowres_jax.matching import gallery as gallery_module
from lowres_jax.matching import kept_gallery
from lowres_jax.matching.gallery import Gallery
from lowres_jax.matching.kept_gallery import KeptGallery
from lowres_jax.matching.shipped_thresholds import FILE, ShippedThresholds

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
    return KeptGallery.create(tmp_path / "people.gallery", "models", "sface", 16).add(people)


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
    changed = kept.add({"small": views(generator, 2, size=32), "poor": views(generator, quality=0.1)})
    assert (changed.people, changed.most_pictures, changed.enlarged, changed.poor) == (302, 3, 1, ["poor"])
    assert sorted(changed.recipe)[:1] == [(0,)]
    assert sorted(map(len, changed.recipe)) == sorted([1] * 101 + [2] * 101 + [3] * 100)
    assert (32, 32) in changed.recipe
    assert changed.sizes.keys() == {0, 32}


def test_growing_and_shrinking_rewrites_nothing(kept: KeptGallery, people: dict[str, list[FaceView]]) -> None:
    before = {name: (kept.folder / name).read_bytes() for name in ("templates.f32", "names.txt", "people.bin")}
    generator = np.random.default_rng(2)
    other = views(generator)
    changed = kept.add({"new\nline": other, "person 7 é": other})
    for name in ("templates.f32", "names.txt"):
        assert (kept.folder / name).read_bytes().startswith(before[name])
    # One more, and one who is another now.
    assert changed.people == 301
    assert [match.name for match in changed.search(other[0].template, 2, 2.0)] == ["new line", "person 7 é"]
    assert changed.search(people["person 7 é"][0].template, 1, 2.0)[0].name != "person 7 é"
    assert changed.remove(["person 9 é", "nobody"]) == 1
    again = KeptGallery.open(kept.folder, "models")
    assert again.people == 300
    assert again.search(people["person 9 é"][0].template, 300, 2.0)[0].similarity < 0.9
    assert len(again.search(other[0].template, 1000, 2.0)) == 300


@pytest.mark.parametrize("stop", ["_append", "_write_head", "_mark"])
def test_a_stop_while_it_grows(kept: KeptGallery, monkeypatch: pytest.MonkeyPatch, stop: str) -> None:
    other = views(np.random.default_rng(3))

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(KeptGallery if stop == "_mark" else kept_gallery, stop, interrupted)
        with pytest.raises(KeyboardInterrupt):
            kept.add({"new": other})
    again = KeptGallery.open(kept.folder, "models")
    # As before, or with all of it once gallery.json says so.
    assert again.people == (301 if stop == "_mark" else 300)
    whole = again.add({"later": other})
    assert whole.search(other[0].template, 2, 2.0)[-1 if stop == "_mark" else 0].name == "later"


def test_an_empty_one(tmp_path: Path) -> None:
    empty = KeptGallery.create(tmp_path / "none.gallery", "models", "sface", 16)
    assert (empty.people, empty.recipe, empty.search(np.ones(16, np.float32), 5, 0.5)) == (0, (), [])


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size - 1)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut("templates.f32"), "damaged or cut short"),
        (cut("names.txt"), "damaged or cut short"),
        (cut("people.bin"), "damaged or cut short"),
        (lambda folder: (folder / "people.bin").write_bytes(b"\xff" * 13 * 300), "damaged or cut short"),
        (cut("gallery.json"), None),
        (lambda folder: (folder / "gallery.json").write_text("{"), r"gallery\.json: damaged"),
        (lambda folder: (folder / "gallery.json").write_text('{"other": 1}'), r"gallery\.json: damaged"),
        (lambda folder: (folder / "gallery.json").unlink(), "is no kept gallery"),
        (lambda folder: _set(folder, format=2), "of another version"),
        (lambda folder: _set(folder, made_by="others"), r"made by other models or settings \(sface\)"),
    ],
)
def test_what_is_damaged_is_said(kept: KeptGallery, damage: Callable[[Path], None], said: str | None) -> None:
    damage(kept.folder)
    if said is None:  # the last line's end only
        assert KeptGallery.open(kept.folder, "models").people == 300
        return
    with pytest.raises(UserError, match=said):
        KeptGallery.open(kept.folder, "models")


def _set(folder: Path, **changes: object) -> None:
    path = folder / "gallery.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_thresholds_beyond_what_was_measured() -> None:
    shipped = ShippedThresholds(json.loads(FILE.read_text())["models"][0])
    one = ((0,),)
    most = shipped.threshold(0.01, one * 500, 0)
    # .41846 at 500; at 100 .36874: each five times as many people add .04972.
    larger = shipped.threshold(0.01, one * 12_500, 0)
    assert larger.similarity == pytest.approx(most.similarity + 2 * (most.similarity - 0.36874), abs=1e-5)
    assert (most.claimed, larger.claimed, larger.genuine) == (True, False, None)
    assert shipped.covers(0.01, one * 500)
    assert not shipped.covers(0.01, one * 501)
    assert shipped.extends(0.01, one * 501)
    assert not shipped.extends(0.01, (*one * 501, (16,)))
    assert not shipped.extends(0.01, ((0,) * 5,))
    assert not shipped.extends(0.05, one)
    assert "for 12,500 they are extended along their growth" in shipped.extension(0.01, 12_500)
