"""The judge of a recognizer that learns to read small faces."""

import numpy as np
import pytest

from lowres_jax.evaluation.small_face_trial import SmallFaceTrial, largest_face


def test_by_hand() -> None:
    """Perfect templates verify all; those of somebody else none."""
    generator = np.random.default_rng(1)
    centers = generator.normal(size=(20, 32))
    labels = np.repeat(np.arange(20), 4)
    own = centers[labels] + 0.3 * generator.normal(size=(80, 32))
    own = (own / np.linalg.norm(own, axis=1, keepdims=True)).astype(np.float32)
    rest = np.stack([own[labels == label].sum(axis=0) for label in labels]) - own
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    trial = SmallFaceTrial({16: np.zeros((80, 2, 2, 3))}, own, rest, own, labels[:, None] != labels)

    class Answering:
        def __init__(self, templates: np.ndarray):
            self.templates = lambda images: templates

    assert dict(trial.figures(Answering(own))) == {"cosine_16px": pytest.approx(1.0), "verification_16px": 1.0}  # type: ignore[arg-type]
    wrong = dict(trial.figures(Answering(np.roll(own, 4, axis=0))))  # type: ignore[arg-type]
    assert wrong["verification_16px"] < 0.1


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ((0.3, 0.9, 0.96, 0.97), 16),
        ((0.1, 0.9, 0.98, 0.99), 0),
        ((0.3, 0.9, 0.98, 0.99), 32),
        ((0.3, 0.9, 0.9, 0.99), 16),
    ],
)
def test_largest_face(rates: tuple[float, ...], expected: int) -> None:
    """A size counts only if the change is better there and at every smaller size."""
    reference = (0.1, 0.8, 0.96, 0.98)

    def figures(values: tuple[float, ...]) -> dict[str, float]:
        return {f"verification_{size}px": value for size, value in zip((8, 16, 24, 32), values, strict=True)}

    assert largest_face(figures(rates), figures(reference)) == expected
