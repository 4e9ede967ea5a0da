"""Choice among several faces, by hand.

Covers `localization/haar.py` too.
"""

import numpy as np
import pytest

from lowres_jax.localization.detector import Face, choose

pytestmark = pytest.mark.slow


def face(x: float, y: float, side: float, score: float) -> Face:
    half = side / 2
    return Face(np.asarray([x - half, y - half, x + half, y + half], np.float32), score)


def test_the_nearest_is_measured_in_faces_own_sizes() -> None:
    # A picture of 200 x 200. The tiny face lies 15 pixels from its center, 1.5 of its sides; the large one 50, which is
    # half a side.
    tiny, large = face(100, 115, 10, 0.9), face(50, 100, 100, 0.8)
    assert choose([tiny, large], (200, 200), "nearest_center") is large
    # Of one size, the nearer.
    near, far = face(110, 100, 40, 0.7), face(100, 140, 40, 0.99)
    assert choose([near, far], (200, 200), "nearest_center") is near
    # Height comes first in a shape: the center of 100 x 400 is at x = 200.
    left, right = face(50, 50, 20, 0.9), face(210, 50, 20, 0.9)
    assert choose([left, right], (100, 400), "nearest_center") is right


def test_the_other_rules() -> None:
    faces = [face(10, 10, 10, 0.8), face(50, 50, 30, 0.7), face(90, 90, 20, 0.9)]
    assert choose(faces, (100, 100), "highest_score") is faces[2]
    assert choose(faces, (100, 100), "largest") is faces[1]
    assert choose([], (100, 100), "largest") is None
