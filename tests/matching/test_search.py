"""Whom a search names."""

from pathlib import Path

from lowres_jax.faces.reader import FaceView
from lowres_jax.matching.calibration import Threshold
from lowres_jax.matching.gallery import Match
from lowres_jax.matching.search import Answer


def test_who_reaches_the_threshold_is_accepted_and_nobody_below() -> None:
    threshold = Threshold(0.4, 0.01, True, 0.01, 100, 1, None, None, ((0,),), 1, 0)
    matches = [Match("Ann", 0.5), Match("Bob", 0.4), Match("Cid", 0.3999)]
    answer = Answer(Path("a.png"), 1, 1, FaceView.__new__(FaceView), matches, threshold)
    assert [match.name for match in answer.accepted] == ["Ann", "Bob"]
