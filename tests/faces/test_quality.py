"""Quality of a face, by hand."""

import numpy as np
import pytest

from lowres_jax.faces import quality as module
from lowres_jax.faces.quality import features, quality, templates_and_lengths
from lowres_jax.recognition.recognizer import load_recognizer


def test_features_by_hand() -> None:
    assert features(64, 9.5) == (6.0, 9.5)
    # Larger faces are reduced: their size adds nothing.
    assert features(500, 9.5) == (7.0, 9.5)


def test_quality_is_a_share_of_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WEIGHTS", (0.5, 1.0))
    monkeypatch.setattr(module, "_CONSTANT", -12.0)
    # Odds of e^(.5 * 6 + 9 - 12) = 1, and of 3.
    assert quality(64, 9.0) == pytest.approx(0.5)
    assert quality(64, 9.0 + np.log(3.0)) == pytest.approx(0.75)


def test_larger_faces_and_those_that_a_network_sees_well_are_better() -> None:
    assert 0.0 < quality(16, 9.0) < quality(64, 9.0) < quality(64, 12.0) < 1.0


def test_lengths_are_those_of_the_embeddings_and_templates_the_same() -> None:
    crops = np.random.default_rng(0).random((2, 112, 112, 3), np.float32)
    recognizer = load_recognizer("sface")
    templates, lengths = templates_and_lengths(recognizer, crops)
    np.testing.assert_allclose(templates, recognizer.templates(crops), atol=1e-6)
    assert lengths is not None
    np.testing.assert_allclose(templates * lengths[:, None], recognizer.embeddings(crops), atol=1e-5)  # type: ignore[attr-defined]

    class Other:
        name = "other"

        def templates(self, images: np.ndarray) -> np.ndarray:
            return np.ones((len(images), 1), np.float32)

    assert templates_and_lengths(Other(), crops)[1] is None  # type: ignore[arg-type]
