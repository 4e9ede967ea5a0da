"""A set without known label errors."""

import json
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.evaluation.evaluation_set import EvaluationSet
from lowres_jax.evaluation.protocols import LabelErrors

SOURCES = ["A/A_0001.jpg", "A/A_0002.jpg", "B/B_0001.jpg", "C/C_0001.jpg", "C/C_0002.jpg"]
SET = EvaluationSet(
    images=np.arange(5),
    labels=np.asarray([0, 0, 1, 2, 2]),
    names=np.asarray(["A", "A", "B", "C", "C"]),
    detected=np.asarray([True, True, True, True, False]),
    pairs=np.asarray([[0, 1], [3, 4], [0, 2], [2, 4]]),
    same=np.asarray([True, True, False, False]),
    folds=np.asarray([1, 2, 1, 2]),
)


def test_images_are_left_out_and_names_joined(tmp_path: Path) -> None:
    file = tmp_path / "errors.json"
    file.write_text(json.dumps({"exclude": ["C_0001", "Z_0009"], "same_person": {"B": "A", "Y": "A"}}))
    found = SET.without(LabelErrors.read(file), SOURCES)
    assert found.images.tolist() == [0, 1, 2, 4]
    assert found.labels.tolist() == [0, 0, 0, 2]
    # The pair of C_0001 is gone; A and B are one person; positions are those among the images that are left.
    assert found.pairs.tolist() == [[0, 1], [0, 2], [2, 3]]
    assert found.same.tolist() == [True, True, False]
    assert found.folds.tolist() == [1, 1, 2]
    assert found.undetected == 1
    assert SET.labels.tolist() == [0, 0, 1, 2, 2]


def test_what_is_no_list_of_errors(tmp_path: Path) -> None:
    file = tmp_path / "errors.json"
    for content in ("{", "[]", '{"exclude": []}'):
        file.write_text(content)
        with pytest.raises(UserError, match=r"config\.label_errors=.*no list of label errors"):
            LabelErrors.read(file)
    with pytest.raises(UserError, match="none of its images and names are in this set"):
        SET.without(LabelErrors(frozenset({"Q_0001"}), {"Q": "R"}), SOURCES)
