"""What `identify` says of enlarged faces, where each size has an upscaler of its own."""

import dataclasses

import numpy as np

from lowres_jax.localization.detector import Face
from lowres_jax.matching.gallery import FaceView
from lowres_jax.report import search_wording
from lowres_jax.super_resolution.upscaler import load_upscaler_by_size

BOTH = load_upscaler_by_size(("identity", "identity_x8"))


def test_a_face_is_told_with_the_upscaler_it_got() -> None:
    face = Face(np.zeros(4, np.float32), 1.0, None)
    small = FaceView(face, native_size=15, cut_size=16, template=np.zeros(1))
    assert search_wording.how(small, BOTH) == "15 px in the picture, cut at 16 px and enlarged by identity_x8"
    middling = dataclasses.replace(small, native_size=30, cut_size=32)
    assert search_wording.how(middling, BOTH) == "30 px in the picture, cut at 32 px and enlarged by identity"
    assert search_wording.how(dataclasses.replace(small, native_size=99, cut_size=0), BOTH) == "99 px in the picture"


def test_enrolled_sizes_are_told_by_upscaler() -> None:
    assert search_wording._condition([0, 0], BOTH) == "not enlarged"
    assert search_wording._condition([24], BOTH) == "enlarged by identity from 24 px"
    assert (
        search_wording._condition([8, 0, 16, 32, 16, 48], BOTH)
        == "some enlarged by identity from 32 and 48 px and by identity_x8 from 8 and 16 px"
    )
