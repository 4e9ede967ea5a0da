"""The judge of a recognizer that learns to read small faces."""

from types import SimpleNamespace

import numpy as np
import pytest

from lowres_jax.data.degradations import low_resolution
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
    trial = SmallFaceTrial({16: np.zeros((80, 2, 2, 3), np.uint8)}, own, rest, own, labels[:, None] != labels)

    class Answering:
        def __init__(self, templates: np.ndarray):
            self.templates = lambda images: templates

    assert dict(trial.figures(Answering(own))) == {"cosine_16px": pytest.approx(1.0), "verification_16px": 1.0}  # type: ignore[arg-type]
    wrong = dict(trial.figures(Answering(np.roll(own, 4, axis=0))))  # type: ignore[arg-type]
    assert wrong["verification_16px"] < 0.1


class Gray:
    """Gray value of a picture -> template at that angle."""

    def templates(self, images: np.ndarray) -> np.ndarray:
        angles = images.mean(axis=(1, 2, 3))
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


class Faces:
    """Six gray pictures of three people; of pairs (0, 1) and (2, 3) show one person each, (0, 4) two."""

    labels = np.asarray([5, 5, 6, 6, 7, 7])
    values = np.asarray([0, 20, 100, 120, 200, 220], np.uint8)

    def crops(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images = np.broadcast_to(self.values[positions, None, None, None], (len(positions), 32, 32, 3))
        return images, self.labels[positions]

    def pairs(self, view: str) -> SimpleNamespace:
        first, second = ([0, 0], [1, 4]) if view == "view1_train" else ([2], [3])
        return SimpleNamespace(
            first=np.asarray(first), second=np.asarray(second), same=np.asarray([True, False][: len(first)])
        )


class Copies:
    """A reduction, and an enlargement that changes nothing but the type."""

    def small(self, crops: np.ndarray, size: int) -> np.ndarray:
        return low_resolution(crops, size)

    def enlarged(self, low: np.ndarray, by_model: bool) -> np.ndarray:
        assert by_model
        return np.rint(low * 255).astype(np.uint8)


def angles(templates: np.ndarray) -> list[float]:
    return np.rint(255 * np.arctan2(templates[:, 1], templates[:, 0])).tolist()


def test_pairs_of_view_1() -> None:
    trial = SmallFaceTrial.of_pairs(Faces(), 10, Copies(), Gray())  # type: ignore[arg-type]
    assert angles(trial.own) == [20, 120]
    assert angles(trial.others) == angles(trial.strangers) == [0, 100]
    assert trial.is_stranger.tolist() == [[False, True], [True, False]]
    assert {size: images.shape for size, images in trial.images.items()} == {
        size: (2, size, size, 3) for size in (8, 16, 24, 32)
    }
    assert [np.unique(images).tolist() for images in trial.images.values()] == [[20, 120]] * 4


def test_people_held_out() -> None:
    trial = SmallFaceTrial.of_people(Faces(), np.arange(5), Copies(), Gray())  # type: ignore[arg-type]
    assert angles(trial.own) == [0, 20, 100, 120, 200]
    # Of a person with one picture that one.
    assert angles(trial.others) == [20, 0, 120, 100, 200]
    assert trial.is_stranger[0].tolist() == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ((0.3, 0.9, 0.96, 0.99), 16),
        ((0.1, 0.9, 0.99, 0.99), 0),
        ((0.3, 0.9, 0.99, 0.99), 32),
        ((0.3, 0.81, 0.99, 0.99), 8),  # one point may be chance
    ],
)
def test_largest_face(rates: tuple[float, ...], expected: int) -> None:
    """A size counts only if the change is better there and at every smaller size."""
    reference = (0.1, 0.8, 0.96, 0.96)

    def figures(values: tuple[float, ...]) -> dict[str, float]:
        return {f"verification_{size}px": value for size, value in zip((8, 16, 24, 32), values, strict=True)}

    assert largest_face(figures(rates), figures(reference)) == expected
