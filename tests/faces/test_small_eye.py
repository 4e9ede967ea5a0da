"""A recognizer of small faces: reads those that are searched for, and nothing else; thresholds are measured so.

Covers `faces/centering.py`, `faces/reader.py` too.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lowres_jax.faces.centering import Centering
from lowres_jax.faces.reader import Eye, FaceReader
from lowres_jax.localization.detector import Face
from lowres_jax.matching import calibration
from lowres_jax.matching.calibration import Calibration
from lowres_jax.pretrained import cards, conditions
from lowres_jax.pretrained.conditions import Condition
from lowres_jax.super_resolution.upscaler import UpscalerBySize, load_upscaler


class Constant:
    """Every face -> one template."""

    name, input_size, dimension = "sface", 112, 2

    def __init__(self, angle: float):
        self.template = np.asarray([np.cos(angle), np.sin(angle)], np.float32)

    def templates(self, images: np.ndarray) -> np.ndarray:
        return np.tile(self.template, (len(images), 1))


@pytest.fixture(scope="module")
def upscalers() -> UpscalerBySize:
    return UpscalerBySize([load_upscaler("bicubic")])


def test_only_small_faces_that_are_searched_for(upscalers: UpscalerBySize) -> None:
    plain, small = Constant(0.2), Constant(1.0)
    minus = Centering(
        Condition(0.0, np.zeros(2, np.float32)), {upscalers.members[0]: {32: Condition(1.0, np.asarray([0.5, 0.0]))}}
    )
    reader = FaceReader(
        SimpleNamespace(detect_batch=None),  # type: ignore[arg-type]
        upscalers,
        plain,
        small_face=64,
        small=Eye(small, minus, largest=32),
    )
    picture = np.full((400, 400, 3), 0.5, np.float32)
    faces = [Face(np.asarray([10, 10, 10 + side, 10 + side], np.float32), 1.0) for side in (30.0, 45.0, 200.0)]
    views = reader._views([(picture, face) for face in faces])
    assert [view.cut_size for view in views] == [32, 48, 0]
    moved = small.template - [0.5, 0.0]
    np.testing.assert_allclose(views[0].template, moved / np.linalg.norm(moved), rtol=1e-6)
    np.testing.assert_allclose(views[0].as_enrolled, plain.template, rtol=1e-6)
    for view in views[1:]:
        np.testing.assert_allclose(view.template, plain.template, rtol=1e-6)
        assert view.enrolled_template is None
    for view in reader.for_enrollment()._views([(picture, face) for face in faces]):
        np.testing.assert_allclose(view.template, plain.template, rtol=1e-6)


def test_thresholds_are_of_small_faces_read_so(
    upscalers: UpscalerBySize, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))

    class Source:
        directory, labels, detected = tmp_path / "set", np.arange(4), np.ones(4, bool)

        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> dict[str, Any]:
            return {"image": np.zeros((128, 128, 3), np.uint8)}

    monkeypatch.setattr(calibration, "open_records", lambda directory: Source())
    plain, small = Constant(0.2), Constant(1.0)
    eye = Eye(small, Centering(), largest=16)
    monkeypatch.setattr(calibration, "models", lambda recognizer, _: [float(recognizer.template[0])])
    made = Calibration(tmp_path / "a" / "b", plain, upscalers, 0, 0, small=eye)
    cases = ((0, False, plain), (0, True, plain), (16, False, plain), (16, True, small), (24, True, plain))
    for size, searched, expected in cases:
        found = made.templates(size, searched)
        np.testing.assert_allclose(found, np.tile(expected.template, (4, 1)), rtol=1e-6)
    # Enrolled from 16 px and searched for at 16 px: by two recognizers.
    threshold = made.threshold(0.5, ((16,),), 16)
    assert threshold.similarity == pytest.approx(float(plain.template @ small.template), abs=1e-3)


def test_its_centering_is_on_its_own_card(upscalers: UpscalerBySize, monkeypatch: pytest.MonkeyPatch) -> None:
    """All templates are centered, or none: without a table there is none."""
    mean = np.asarray([0.1, 0.2], np.float32)
    centering = Centering(Condition(1.0, mean), {upscalers.members[0]: {16: Condition(1.0, mean)}})
    tables = {"bicubic": {16: Condition(1.0, 2 * mean)}}
    monkeypatch.setattr(cards, "load_card", lambda name, room: SimpleNamespace(name=name))
    monkeypatch.setattr(conditions, "read", lambda card, judge, dimension: tables.get(judge, {}))
    own = centering.of_small_faces(Constant(0.0), upscalers)
    assert own is not None
    np.testing.assert_allclose(own.of(upscalers.members[0], 16)[1].mean, 2 * mean)
    tables.clear()
    assert centering.of_small_faces(Constant(0.0), upscalers) is None
    plain = Centering().of_small_faces(Constant(0.0), upscalers)
    assert plain is not None
    assert not plain.active
