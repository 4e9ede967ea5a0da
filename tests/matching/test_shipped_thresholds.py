"""Thresholds that come with the program: interpolated by hand, and made for the models that come with it."""

import json
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.faces.centering import Centering
from lowres_jax.faces.reader import CUT_SIZES
from lowres_jax.matching import shipped_thresholds
from lowres_jax.matching.calibration import Threshold
from lowres_jax.matching.shipped_thresholds import ShippedThresholds, described, row
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.settings.enhance import UPSCALER
from lowres_jax.super_resolution.upscaler import load_upscaler_by_size


def measured(similarity: float, people: int, pictures: int, genuine: float | None = 0.9) -> dict[str, object]:
    threshold = Threshold(
        similarity=similarity,
        asked=0.01,
        claimed=True,
        far=people / 10_000,
        searches=1000,
        false_accepts=10,
        genuine=genuine,
        different=0.1,
        recipe=((0,) * pictures,) * people,
        most_pictures=9,
        probe_size=0,
    )
    return row(threshold, people, pictures)


@pytest.fixture
def shipped() -> ShippedThresholds:
    """Of 1, 10 and 100 people with one and four pictures each."""
    similarity = {(1, 1): 0.2, (10, 1): 0.3, (100, 1): 0.5, (1, 4): 0.3, (10, 4): 0.4, (100, 4): 0.6}
    rows = [measured(value, *place) for place, value in similarity.items()]
    return ShippedThresholds({"set": "a/b", "people": 9, "images": 99, "most_pictures": 4, "thresholds": rows})


def test_between_galleries_by_hand(shipped: ShippedThresholds) -> None:
    def similarity(people: int, pictures: tuple[int, ...]) -> float:
        return shipped.threshold(0.01, tuple((0,) * each for each in np.resize(pictures, people)), 0).similarity

    assert similarity(10, (1,)) == pytest.approx(0.3)
    assert similarity(100, (4,)) == pytest.approx(0.6)
    # In the middle between 10 and 100, and between one and four pictures, by their logarithms: 31.6 and 2.
    assert similarity(31, (1,)) == pytest.approx(0.3 + 0.2 * np.log10(3.1))
    assert similarity(10, (2,)) == pytest.approx(0.35)
    assert similarity(10, (1, 3)) == pytest.approx(0.35)  # two on average
    assert similarity(1, (1,)) == pytest.approx(0.2)
    found = shipped.threshold(0.01, ((0,),) * 40, 0)
    # The rates are those of the nearest gallery, 100 people.
    assert (found.far, found.gallery_size, found.claimed) == (0.01, 40, True)


def test_what_is_covered(shipped: ShippedThresholds) -> None:
    assert shipped.covers(0.01, ((0, 0, 0, 0), (0,)))
    assert not shipped.covers(0.02, ((0,), (0,)))
    assert not shipped.covers(0.01, ((0,),) * 101)
    assert not shipped.covers(0.01, ((0,) * 5, (0,)))
    assert not shipped.covers(0.01, ((0,), (32,)))


def test_a_rate_that_is_not_known_stays_so() -> None:
    rows = [measured(0.2, 1, 1, None), measured(0.3, 10, 1)]
    content = {"set": "a/b", "people": 9, "images": 99, "most_pictures": 4, "thresholds": rows}
    found = ShippedThresholds(content)
    assert found.threshold(0.01, ((0,),) * 3, 0).genuine is None
    # Where it does not count it is not missed.
    assert found.threshold(0.01, ((0,),) * 10, 0).genuine == 0.9


def test_only_for_their_models(tmp_path: Path) -> None:
    content = {"made_for": "these", "set": "a/b", "people": 9, "images": 9, "most_pictures": 4, "thresholds": []}
    file = tmp_path / "thresholds.json"
    file.write_text(json.dumps({"models": [content]}))
    assert ShippedThresholds.load("these", file) is not None
    assert ShippedThresholds.load("others", file) is None
    assert ShippedThresholds.load("these", tmp_path / "absent.json") is None


def test_the_defaults_have_theirs() -> None:
    """Fails when a default model or its centering changed: benchmarks/shipped_thresholds.py measures them anew."""
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
    assert found.covers(0.01, ((0,),) * 500)
    sharp, small = (found.threshold(0.01, ((0,),) * 20, size) for size in (0, 8))
    assert sharp.genuine is not None
    assert small.genuine is not None
    assert small.genuine < 0.5 < 0.95 < sharp.genuine
    assert shipped_thresholds.FILE.is_file()
