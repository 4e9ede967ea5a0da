"""Thresholds that come with the program: interpolated by hand, and made for the models that come with it.

Covers `faces/loading.py` too.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowres_jax import config_keys
from lowres_jax.faces.centering import Centering
from lowres_jax.faces.loading import load_reader
from lowres_jax.faces.reader import CUT_SIZES
from lowres_jax.matching import shipped_thresholds
from lowres_jax.matching.calibration import TRACK_FRAMES, Threshold
from lowres_jax.matching.shipped_thresholds import ShippedThresholds, described, row
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.settings import identify
from lowres_jax.settings.enhance import UPSCALER
from lowres_jax.super_resolution.upscaler import load_upscaler_by_size


def measured(
    similarity: float,
    people: int,
    pictures: int,
    genuine: float | None = 0.9,
    enrolled: int = 0,
    false_accepts: int = 10,
    reached: float = 0.95,
    far: float = 0.01,
) -> list[Any]:
    threshold = Threshold(
        similarity=similarity,
        asked=far,
        claimed=True,
        far=people / 10_000,
        searches=1000,
        false_accepts=false_accepts,
        genuine=genuine,
        different=0.1,
        recipe=(),
        most_pictures=9,
        probe_size=0,
        reached=reached,
    )
    return row(threshold, enrolled, people, pictures)


def made(*rows: list[Any]) -> ShippedThresholds:
    return ShippedThresholds({"set": "a/b", "people": 9, "images": 99, "rows": rows})


SIMILARITY = {(1, 1): 0.2, (10, 1): 0.3, (100, 1): 0.5, (1, 4): 0.3, (10, 4): 0.4, (100, 4): 0.6}


@pytest.fixture
def shipped() -> ShippedThresholds:
    """Thresholds of 1, 10 and 100 people with one and four pictures each; .1 higher for enlarged faces."""
    rows = [measured(value, *place) for place, value in SIMILARITY.items()]
    return made(*rows, *(measured(value + 0.1, *place, enrolled=32) for place, value in SIMILARITY.items()))


def similarity(shipped: ShippedThresholds, people: int, pictures: tuple[int, ...], size: int = 0) -> float:
    recipe = tuple((size,) * each for each in np.resize(pictures, people))
    return shipped.threshold(0.01, recipe, 0).similarity


def test_between_galleries_by_hand(shipped: ShippedThresholds) -> None:
    assert similarity(shipped, 10, (1,)) == pytest.approx(0.3)
    assert similarity(shipped, 100, (4,)) == pytest.approx(0.6)
    # In the middle between 10 and 100, and between one and four pictures, by their logarithms: 31.6 and 2.
    assert similarity(shipped, 31, (1,)) == pytest.approx(0.3 + 0.2 * np.log10(3.1))
    assert similarity(shipped, 10, (2,)) == pytest.approx(0.35)
    assert similarity(shipped, 10, (1, 3)) == pytest.approx(0.35)  # two on average
    assert similarity(shipped, 1, (1,)) == pytest.approx(0.2)
    found = shipped.threshold(0.01, ((0,),) * 40, 0)
    # The rates are those of the nearest gallery, 100 people.
    assert (found.far, found.gallery_size, found.claimed, found.possible) == (0.01, 40, True, True)
    assert shipped.remarks(0.01, ((0,),) * 40) == []


def test_small_enrolled_faces_have_thresholds_too(shipped: ShippedThresholds) -> None:
    """Two photographs of small faces are the first thing that people try."""
    assert shipped.threshold(0.01, ((32,),), 0).similarity == pytest.approx(0.3)
    # Of several sizes the strictest counts, and it is said.
    mixed = ((0,), (32,))
    assert shipped.threshold(0.01, mixed, 0).similarity == pytest.approx(0.4 + 0.1 * (np.log10(2) - 1))
    (remark,) = shipped.remarks(0.01, mixed)
    assert "the strictest of galleries of one size" in remark


def test_a_rate_in_between_gets_the_stricter_one(shipped: ShippedThresholds) -> None:
    found = shipped.threshold(0.05, ((0,),), 0)
    assert (found.similarity, found.asked) == (pytest.approx(0.2), 0.05)
    assert "config.far=0.05: the stricter ones for 0.01 are used" in shipped.remarks(0.05, ((0,),))[0]
    assert shipped.covers(0.05)
    assert not shipped.covers(0.005)


@pytest.mark.parametrize("pictures", [(1,), (2,), (1, 3), (4,), (7,)])
def test_one_person_more_never_lowers_a_threshold(shipped: ShippedThresholds, pictures: tuple[int, ...]) -> None:
    found = [similarity(shipped, people, pictures) for people in (99, 100, 102, 104, 1000, 100_000)]
    assert found == sorted(found)


def test_more_people_and_more_pictures_than_measured(shipped: ShippedThresholds) -> None:
    # From 20 people (a fifth of the most) to 100 it grows by .2 * log10(5); as much for each five times more.
    growth = 0.2 * np.log10(5)
    found = shipped.threshold(0.01, ((0,),) * 2500, 0)
    assert found.similarity == pytest.approx(0.5 + 2 * growth)
    assert (found.claimed, found.genuine, found.possible) == (False, None, True)
    assert "for 2,500 they are extended along their growth" in shipped.remarks(0.01, ((0,),) * 2500)[0]
    # From one picture to four it grows by .1; for all further ones together as much again.
    many = ((0,) * 50,) * 10
    assert shipped.threshold(0.01, many, 0).similarity == pytest.approx(0.5)
    assert "with up to 4 pictures of each person" in shipped.remarks(0.01, many)[0]
    # Where the extension is beyond what anybody reached, nobody can be named.
    assert not shipped.threshold(0.01, ((0,),) * 10**7, 0).possible


def test_rows_that_tell_of_nothing_are_not_used() -> None:
    """As the first table had: one person under two names gave .824 for 100 people and less for more."""
    rows = [
        measured(0.3, 10, 1),
        measured(0.824, 50, 1, false_accepts=4),
        measured(0.29, 60, 1),
        measured(0.6, 70, 1, genuine=0.0),
        measured(0.5, 100, 1),
    ]
    found = made(*rows)
    assert similarity(found, 50, (1,)) == pytest.approx(0.3 + 0.2 * np.log10(5))
    nothing = made(measured(0.6, 70, 1, genuine=0.0))
    threshold = nothing.threshold(0.01, ((0,),), 0)
    assert (threshold.possible, threshold.claimed, threshold.similarity > 1) == (False, False, True)


def test_a_rate_that_is_not_known_stays_so() -> None:
    found = made(measured(0.2, 1, 1), measured(0.3, 10, 1))
    assert found.threshold(0.01, ((0,),) * 10, 0).genuine == 0.9
    assert found.threshold(0.01, ((0,),) * 11, 0).genuine is None


def test_only_for_their_models(tmp_path: Path) -> None:
    content = {"made_for": "these", "set": "a/b", "people": 9, "images": 9, "rows": []}
    file = tmp_path / "thresholds.json"
    file.write_text(json.dumps({"models": [content]}))
    assert ShippedThresholds.load("these", file) is not None
    assert ShippedThresholds.load("others", file) is None
    assert ShippedThresholds.load("these", tmp_path / "absent.json") is None


def test_sizes_that_were_not_measured_have_the_thresholds_of_others(tmp_path: Path) -> None:
    small = measured(0.7, 10, 1)
    small[shipped_thresholds.COLUMNS.index("probe_size")] = 16
    facts = {"set": "a/b", "people": 9, "images": 9}
    other = [measured(0.2, 10, 1), [*small[:6], 0.6, *small[7:]]]
    models = [
        {"made_for": "plain", "rows": other, **facts},
        {"made_for": "both", "rest": "plain", "rows": [small], **facts},
    ]
    file = tmp_path / "thresholds.json"
    file.write_text(json.dumps({"models": models}))
    for made_for, expected in (("plain", 0.6), ("both", 0.7)):
        found = ShippedThresholds.load(made_for, file)
        assert found is not None
        similarities = [found.threshold(0.01, ((0,),) * 10, size).similarity for size in (0, 16)]
        assert similarities == pytest.approx([0.2, expected])


def test_the_defaults_have_theirs() -> None:
    """Fails when a default model or its centering changed: benchmarks/shipped_thresholds.py measures them again."""
    reader = load_reader(config_keys.new(identify.KEYS))
    assert reader.small is not None
    made_for = described(reader.recognizer, reader.upscalers, reader.centering, "mtcnn", reader.small)
    found, plain = ShippedThresholds.load(made_for), of_sface()
    assert found is not None
    assert found.people == plain.people
    for size in (0, *CUT_SIZES):
        own, usual = (each.threshold(0.01, ((0,),) * 100, size) for each in (found, plain))
        # Measured for the small faces that it reads, and those of sface for all others.
        assert (own.similarity == usual.similarity) == (size == 0 or size > reader.small.largest)
        assert own.possible
        assert 0.25 < own.similarity < 0.5
        assert own.far <= 0.01


def of_sface() -> ShippedThresholds:
    recognizer, upscalers = load_recognizer("sface"), load_upscaler_by_size(UPSCALER.default)
    found = ShippedThresholds.load(described(recognizer, upscalers, Centering.of_cards(recognizer, upscalers), "mtcnn"))
    assert found is not None
    return found


def test_sface_alone_has_its_own() -> None:
    recognizer, upscalers = load_recognizer("sface"), load_upscaler_by_size(UPSCALER.default)
    made_for = described(recognizer, upscalers, Centering.of_cards(recognizer, upscalers), "mtcnn")
    found = ShippedThresholds.load(made_for)
    assert found is not None
    assert made_for != described(recognizer, upscalers, Centering(), "mtcnn")
    backwards = load_upscaler_by_size(tuple(reversed(UPSCALER.default)))
    assert made_for == described(recognizer, backwards, Centering.of_cards(recognizer, backwards), "mtcnn")
    for size in (0, *CUT_SIZES):
        few, many = (found.threshold(0.01, ((0,),) * people, size) for people in (2, 200))
        # Among more people somebody is more alike; the rate asked for is kept.
        assert few.similarity < many.similarity
        assert many.far <= 0.01
    sharp, small = (found.threshold(0.01, ((0,),) * 20, size) for size in (0, 8))
    assert sharp.genuine is not None
    assert small.genuine is not None
    assert small.genuine < 0.5 < 0.95 < sharp.genuine
    content = next(each for each in json.loads(shipped_thresholds.FILE.read_text())["models"] if "rest" not in each)
    rows = [dict(zip(shipped_thresholds.COLUMNS, each, strict=False)) for each in content["rows"]]
    # Every row is usable: none rests on a wrong label or on few false accepts.
    assert sum(map(len, (own for table in found._tables.values() for own in table.values()))) == len(rows)
    assert {row["enrolled_size"] for row in rows} == {0, *CUT_SIZES}
    for size in (0, 16, 24, 32, 48, 64):
        # Two wrong labels once gave .719 and .824 for 100 people at .1 %, and 1.022 for 1,000.
        for frames in (1, TRACK_FRAMES):
            at_100, at_1000 = (found.threshold(0.001, ((0,),) * people, size, frames) for people in (100, 1000))
            assert 0.38 < at_100.similarity < 0.47
            assert at_100.similarity < at_1000.similarity < 0.55
            assert at_1000.possible
        similarity_at = [found.threshold(0.01, ((0,),) * people, size).similarity for people in (499, 500, 501)]
        assert similarity_at == sorted(similarity_at)
    # Two photographs of small faces, of any size.
    for one, other in itertools.product(CUT_SIZES, CUT_SIZES):
        assert 0.2 < found.threshold(0.01, ((one,),), other).similarity < 0.5
