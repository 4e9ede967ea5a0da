"""Annotated shapes are checked in every call of a test: a wrong length, two lengths of one name, a wrong dtype."""

import jaxtyping
import numpy as np
import pytest
from typechecker import names_shape

from lowres_jax.data import resize
from lowres_jax.evaluation.verification import best_threshold
from lowres_jax.utils import shapes


def test_wrong_shapes_are_refused() -> None:
    scores, same = np.asarray([0.9, 0.8, 0.1]), np.asarray([True, True, False])
    assert best_threshold(scores, same) == pytest.approx(0.45)
    for wrong in (same[:2], same[:, None], same.astype(int)):
        with pytest.raises(jaxtyping.TypeCheckError, match="best_threshold"):
            best_threshold(scores, wrong)


def test_other_types_are_checked_where_all_are() -> None:
    with pytest.raises(jaxtyping.TypeCheckError, match="downscale_area"):
        resize.downscale_area(np.zeros((4, 4, 3), np.float32), 2.5, 2)  # type: ignore[arg-type]


def test_annotations_that_name_a_shape() -> None:
    assert names_shape(shapes.Images)
    assert names_shape(shapes.Images | None)
    assert names_shape(dict[str, shapes.Templates])
    assert not names_shape(np.ndarray | None)
