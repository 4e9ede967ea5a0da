"""Centering in a search: each template by its own condition, in the gallery, the probe and the thresholds alike."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lowres_jax.evaluation.centering import centered
from lowres_jax.faces.centering import Centering
from lowres_jax.faces.reader import FaceReader
from lowres_jax.localization.detector import Face
from lowres_jax.matching import calibration
from lowres_jax.matching.calibration import Calibration
from lowres_jax.pretrained import cards
from lowres_jax.pretrained.conditions import Condition
from lowres_jax.super_resolution.upscaler import UpscalerBySize, load_upscaler

ORIGINALS = Condition(1.0, np.asarray([0.5, 0.0], np.float32))
SMALL = {16: Condition(0.5, np.asarray([0.0, 0.8], np.float32)), 32: Condition(1.0, np.asarray([0.2, 0.2], np.float32))}


@pytest.fixture
def upscalers() -> UpscalerBySize:
    return UpscalerBySize([load_upscaler("bicubic")])


@pytest.fixture
def centering(upscalers: UpscalerBySize) -> Centering:
    return Centering(ORIGINALS, {upscalers.members[0]: SMALL})


class Recognizer:
    """Every face -> the same template."""

    name, input_size, dimension = "sface", 112, 2

    def templates(self, images: np.ndarray) -> np.ndarray:
        found = np.tile(np.asarray([0.6, 0.8], np.float32), (len(images), 1))
        found.flags.writeable = False  # as those of a network are
        return found


def test_by_hand(centering: Centering, upscalers: UpscalerBySize) -> None:
    templates = np.asarray([[0.6, 0.8]], np.float32)
    # (.6, .8) less (.5, 0); less half of (0, .8); less (.2, .2).
    np.testing.assert_allclose(centering(templates, None, 0), np.asarray([[0.1, 0.8]]) / np.sqrt(0.65), rtol=1e-6)
    upscaler = upscalers.members[0]
    np.testing.assert_allclose(centering(templates, upscaler, 16), np.asarray([[0.6, 0.4]]) / np.sqrt(0.52), rtol=1e-6)
    np.testing.assert_allclose(centering(templates, upscaler, 32), np.asarray([[0.4, 0.6]]) / np.sqrt(0.52), rtol=1e-6)
    assert Centering()(templates, upscaler, 16) is templates


def test_the_nearest_size_in_ratio(centering: Centering, upscalers: UpscalerBySize) -> None:
    upscaler = upscalers.members[0]
    # 24 / 16 = 1.5, 32 / 24 = 1.33.
    assert centering.of(upscaler, 24) == (32, SMALL[32])
    assert centering.of(upscaler, 8) == (16, SMALL[16])
    (eight, double) = centering.nearest_sizes(upscalers, [0, 16, 64, 8, 32])
    assert "8 px are centered as those of 16 px, the nearest size on the card of bicubic" in eight
    assert "64 px are centered as those of 32 px" in double
    assert Centering().nearest_sizes(upscalers, [8]) == []


def test_every_template_of_a_picture_by_its_own_condition(centering: Centering, upscalers: UpscalerBySize) -> None:
    sizes = {16: 12.0, 32: 30.0, 0: 200.0}
    picture = np.full((400, 400, 3), 0.5, np.float32)
    faces = [Face(np.asarray([10, 10, 10 + side, 10 + side], np.float32), 1.0) for side in sizes.values()]
    reader = FaceReader(
        SimpleNamespace(detect_batch=None),  # type: ignore[arg-type]
        upscalers,
        Recognizer(),
        small_face=64,
        centering=centering,
    )
    views = reader._views([(picture, face) for face in faces])
    found = {view.cut_size: view.template for view in views}
    assert 0 in found
    assert len(found) > 1
    raw = np.asarray([[0.6, 0.8]], np.float32)
    for size, template in found.items():
        condition = centering.of(upscalers.members[0] if size else None, size)[1]
        np.testing.assert_allclose(template, centered(raw, condition.mean, condition.share)[0], rtol=1e-6)


def test_thresholds_are_of_centered_templates(
    centering: Centering, upscalers: UpscalerBySize, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))
    crops = np.zeros((4, 128, 128, 3), np.uint8)

    class Source:
        directory, labels, detected = tmp_path / "set", np.arange(4), np.ones(4, bool)
        names, sources = np.asarray(list("abcd")), list("abcd")

        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> dict[str, Any]:
            return {"image": crops[index]}

    monkeypatch.setattr(calibration, "open_records", lambda directory: Source())
    raw = np.tile(np.asarray([0.6, 0.8], np.float32), (4, 1))
    for _ in range(2):  # from the networks, and from what was kept
        made = Calibration(tmp_path / "a" / "b", Recognizer(), upscalers, 0, 0, centering=centering)
        np.testing.assert_allclose(made.templates(0), centering(raw, None, 0), rtol=1e-6)
        np.testing.assert_allclose(made.templates(16), centering(raw, upscalers.members[0], 16), rtol=1e-6)
    # What is kept is as the networks gave it: without centering it is the same file, unchanged.
    plain = Calibration(tmp_path / "a" / "b", Recognizer(), upscalers, 0, 0)
    np.testing.assert_allclose(plain.templates(0), raw)


def test_what_cards_say(upscalers: UpscalerBySize) -> None:
    """All or nothing: a centered template is not to be compared with one that is not."""
    found = Centering.of_cards(Recognizer128(), upscalers)
    assert found.active
    assert found.remarks == []
    other = UpscalerBySize([load_upscaler("bilinear")])
    without = Centering.of_cards(Recognizer128(), other)
    assert not without.active
    assert without.remarks == [
        "bilinear: its card has no centering for sface, so that templates are compared as they are "
        "(export_weights measures it)"
    ]
    assert found.described != without.described
    assert not cards.load_card("bilinear", "super_resolution").centering


class Recognizer128(Recognizer):
    """Stand-in whose templates have the length of SFace's."""

    dimension = 128
