"""Groups of the unknown, by hand."""

from pathlib import Path

import numpy as np

from lowres_jax.faces.reader import FaceView
from lowres_jax.localization.detector import Face
from lowres_jax.matching.calibration import Threshold
from lowres_jax.matching.gallery import Match
from lowres_jax.matching.grouping import group_unknown
from lowres_jax.matching.search import Answer


def answer(template: list[float], similarity: float = 0.1) -> Answer:
    vector = np.asarray(template, np.float32) / np.linalg.norm(template)
    view = FaceView(Face(np.zeros(4, np.float32), 1.0), 50, 0, vector)
    threshold = Threshold(0.3, 0.01, True, 0.01, 100, 1, 0.9, 0.2, ((0,),), 1, 0)
    return Answer(Path("a.png"), 1, 1, view, [Match("anna", similarity)], threshold)


def test_unknown_people_are_put_together() -> None:
    answers = [answer([0, 1, 0]), answer([1, 0.1, 0]), answer([0, 0, 1]), answer([1, 0, 0]), answer([0, 1, 0.1])]
    assert group_unknown(answers, 0.5) == [1, 2, 0, 2, 1]


def test_who_has_a_name_is_in_no_group() -> None:
    answers = [answer([1, 0]), answer([1, 0], similarity=0.9), answer([1, 0.05])]
    assert group_unknown(answers, 0.5) == [1, 0, 1]
    assert group_unknown(answers[:2], 0.5) == [0, 0]


def test_the_mean_decides_not_the_nearest_pair() -> None:
    """Unit vectors at 0, 40, 80 degrees: neighbors are alike (.77), the ends are not (.17), so their mean is .47."""
    answers = [answer([np.cos(angle), np.sin(angle)]) for angle in np.radians([0, 40, 80])]
    assert len(set(group_unknown(answers, 0.6))) == 2
    assert group_unknown(answers, 0.4) == [1, 1, 1]
