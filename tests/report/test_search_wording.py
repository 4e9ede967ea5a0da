"""Words of `identify` for enlarged faces, where each size has its own upscaler."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lowres_jax.faces.reader import FaceView
from lowres_jax.localization.detector import Face
from lowres_jax.matching.calibration import Threshold
from lowres_jax.matching.gallery import Match
from lowres_jax.matching.search import Answer
from lowres_jax.report import search_wording
from lowres_jax.report.search_wording import Verdict
from lowres_jax.super_resolution.upscaler import load_upscaler_by_size

BOTH = load_upscaler_by_size(("identity", "identity_x8"))


def test_a_face_is_told_with_the_upscaler_it_got() -> None:
    face = Face(np.zeros(4, np.float32), 1.0, None)
    small = FaceView(face, native_size=15, cut_size=16, template=np.zeros(1))
    assert search_wording.how(small, BOTH) == "15 px in the picture, cut at 16 px and enlarged by identity_x8"
    middling = dataclasses.replace(small, native_size=30, cut_size=32)
    assert search_wording.how(middling, BOTH) == "30 px in the picture, cut at 32 px and enlarged by identity"
    assert search_wording.how(dataclasses.replace(small, native_size=99, cut_size=0, quality=0.875), BOTH) == (
        "99 px in the picture, quality 0.88"
    )


def test_enrolled_sizes_are_told_by_upscaler() -> None:
    assert search_wording._condition([0, 0], BOTH) == "not enlarged"
    assert search_wording._condition([24], BOTH) == "enlarged by identity from 24 px"
    assert (
        search_wording._condition([8, 0, 16, 32, 16, 48], BOTH)
        == "some enlarged by identity from 32 and 48 px and by identity_x8 from 8 and 16 px"
    )


def threshold(genuine: float | None = 0.9, different: float | None = 0.2, **changes: Any) -> Threshold:
    given = {
        "similarity": 0.4,
        "asked": 0.01,
        "claimed": True,
        "far": 0.0099,
        "searches": 20_000,
        "false_accepts": 198,
        "genuine": genuine,
        "different": different,
        "recipe": ((0,), (0,)),
        "most_pictures": 5,
        "probe_size": 0,
    }
    return Threshold(**(given | changes))


def answer(similarity: float, of: Threshold) -> Answer:
    face = Face(np.zeros(4, np.float32), 1.0, None)
    view = FaceView(face, native_size=of.probe_size or 99, cut_size=of.probe_size, template=np.zeros(1))
    return Answer(Path("a.jpg"), 1, 1, view, [Match("anna", similarity), Match("bert", 0.0)], of)


@pytest.mark.parametrize(
    ("similarity", "genuine", "pair", "expected"),
    [
        (0.4, 0.9, False, Verdict.MATCH),
        (0.39, 0.9, False, Verdict.UNKNOWN),
        # Below half of the enrolled are named at that size: "unknown" would say nothing. A match still does.
        (0.39, 0.49, False, Verdict.TOO_SMALL),
        (0.4, 0.49, False, Verdict.MATCH),
        (0.39, None, False, Verdict.UNKNOWN),
        (0.4, 0.9, True, Verdict.SAME),
        # One pair in 100 of one person is below .2.
        (0.39, 0.9, True, Verdict.UNCERTAIN),
        (0.2, 0.9, True, Verdict.UNCERTAIN),
        (0.19, 0.9, True, Verdict.DIFFERENT),
        (0.19, 0.3, True, Verdict.UNCERTAIN),
    ],
)
def test_unknown_and_too_small_are_two_answers(
    similarity: float, genuine: float | None, pair: bool, expected: Verdict
) -> None:
    assert search_wording.verdict(answer(similarity, threshold(genuine)), pair, 0.5) is expected


def test_the_rate_stands_beside_too_small() -> None:
    small = threshold(0.23, probe_size=8)
    said = search_wording.said(answer(0.1, small), pair=False, least_found=0.5)
    assert said == "too small to tell (at this size 23% of the enrolled are named)"
    assert search_wording.said(answer(0.1, small), pair=True, least_found=0.5).startswith(
        "cannot tell (at this size 23%"
    )
    assert search_wording.said(answer(0.3, threshold()), pair=True, least_found=0.5) == "cannot tell"
    assert search_wording.said(answer(0.5, small), pair=False, least_found=0.5) == "anna"
    line = search_wording.line(answer(0.1, small), 2, BOTH, pair=False, least_found=0.5)
    assert line == (
        "a.jpg (8 px in the picture, cut at 8 px and enlarged by identity_x8): too small to tell (at this "
        "size 23% of the enrolled are named) [anna 0.100, bert 0.000; threshold 0.400]"
    )


def test_one_paragraph_of_thresholds() -> None:
    calibration: Any = SimpleNamespace(name="lfw/mtcnn", people=500, images=1000)
    found = [threshold(), threshold(0.55, similarity=0.45, probe_size=16)]
    assert search_wording.thresholds(found, calibration, BOTH) == (
        "Thresholds: 0.400 for faces not enlarged (of searches for somebody not enrolled 0.99% give a name, of those "
        "for the enrolled 90.0%), 0.450 for faces enlarged by identity_x8 from 16 px (0.99%, 55.0%). Measured in "
        "20,000 searches among 2 people with one picture each on lfw/mtcnn, 500 people in 1,000 images."
    )
    calibration.name = "orl_faces/mtcnn"
    pair = [threshold(recipe=((0,),), claimed=False)]
    assert search_wording.thresholds(pair, calibration, BOTH) == (
        "Threshold: 0.400 for faces not enlarged (of pairs of different people 0.99% reach it, of pairs of one person "
        "90.0%). Measured in 20,000 pairs on orl_faces/mtcnn, 500 people in 1,000 images: easy pictures; of others "
        "fewer are found. The set is too small to tell of 1.000%: that is not claimed. Below 0.200, as 1.0% of pairs "
        "of one person are, two faces likely show different people; between the two nothing can be told."
    )
    alone = search_wording.thresholds([threshold(None, None)], calibration, BOTH)
    assert "(of searches for somebody not enrolled 0.99% give a name)" in alone
