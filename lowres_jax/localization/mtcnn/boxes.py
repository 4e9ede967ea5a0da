"""Candidate boxes of several images, and non-maximum suppression."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Shaped

from lowres_jax.localization.detector import Face

_BLOCK = 1024  # rows of the overlap matrix at once: memory stays small for a crowd


@dataclass
class Candidates:
    """Boxes on their way through the cascade.

    Attributes:
      image: (n,) which image a box is of.
      boxes: (n, 4) float64 x0, y0, x1, y1 in pixels.
      scores: (n,) float32.
      level: (n,) of the pyramid; meaningless after the first network.
      landmarks: (n, 5, 2) x, y in pixels, after the last network.
    """

    image: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    level: np.ndarray
    landmarks: np.ndarray | None = None

    @staticmethod
    def join(parts: Sequence["Candidates"]) -> "Candidates":
        """One set of several, in order."""
        empty = Candidates(np.zeros(0, int), np.zeros((0, 4)), np.zeros(0, np.float32), np.zeros(0, int))
        every = [empty, *parts]
        fields = ("image", "boxes", "scores", "level")
        return Candidates(*(np.concatenate([getattr(part, field) for part in every]) for field in fields))

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, indices: Shaped[np.ndarray, " n"]) -> "Candidates":
        """A subset, by numbers or by a mask."""
        landmarks = None if self.landmarks is None else self.landmarks[indices]
        return Candidates(
            self.image[indices], self.boxes[indices], self.scores[indices], self.level[indices], landmarks
        )

    def above(self, threshold: float) -> "Candidates":
        """Those whose score passes a threshold."""
        return self.take(self.scores > threshold)

    def adjusted(self, scores: Shaped[np.ndarray, " n"], offsets: Shaped[np.ndarray, "n 4"]) -> "Candidates":
        """With a network's scores (n,) and its offsets (n, 4) in units of the box, whose sides count one pixel more."""
        return replace(self, boxes=self.boxes + offsets * np.tile(self._sides(), 2), scores=scores)

    def points(self, landmarks: Shaped[np.ndarray, "n 10"]) -> Float[np.ndarray, "n 5 2"]:
        """Landmarks (n, 10) in units of the box, x first -> (n, 5, 2) float32 in pixels."""
        points = landmarks.reshape(-1, 2, 5).transpose(0, 2, 1).astype(np.float64)
        return (points * self._sides()[:, None] + self.boxes[:, None, :2] - 1).astype(np.float32)

    def squared(self) -> "Candidates":
        """Every box as the square around it with the same center."""
        centers = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        half = (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1, initial=-np.inf)[:, None] / 2
        return replace(self, boxes=np.concatenate([centers - half, centers + half], axis=1))

    def suppressed(
        self,
        threshold: float,
        overlap: "Callable[[np.ndarray, np.ndarray], np.ndarray] | None" = None,
        within_levels: bool = False,
    ) -> "Candidates":
        """Non-maximum suppression within each image (and level): see `unsuppressed`.

        Images come one after the other, and within each (and within each level) the highest score first.
        """
        groups = self.image
        if within_levels:
            groups = groups * (int(self.level.max(initial=0)) + 1) + self.level
        kept = [np.zeros(0, int)]
        for group in np.unique(groups):
            members = np.flatnonzero(groups == group)
            # P-Net's best scores are often equal (1.0), so the package's very sorting decides which of them wins.
            ordered = members[np.argsort(self.scores[members].astype(np.float64))[::-1]]
            kept.append(ordered[unsuppressed(self.boxes[ordered], threshold, overlap or overlap_of_union)])
        return self.take(np.concatenate(kept))

    def faces(self, images: int, height: int, width: int) -> list[list[Face]]:
        """Faces of each image, highest score first, boxes clipped to the image's pixels."""
        assert self.landmarks is not None
        limits = np.asarray([width, height, width, height]) - 1
        boxes = np.clip(self.boxes, 0, limits).astype(np.float32)
        found: list[list[Face]] = [[] for _ in range(images)]
        for image, box, score, landmarks in zip(self.image, boxes, self.scores, self.landmarks, strict=True):
            found[image].append(Face(box, float(score), landmarks))
        return found

    def _sides(self) -> np.ndarray:
        return self.boxes[:, 2:] - self.boxes[:, :2] + 1


def unsuppressed(
    boxes: Shaped[np.ndarray, "n 4"], threshold: float, overlap: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Bool[np.ndarray, " n"]:
    """Mask of the boxes that no better one overlaps by more than a threshold.

    As in the package mtcnn a box that is itself suppressed still suppresses others (the usual greedy algorithm would
    let these live), which makes it one matrix operation.

    Args:
      boxes: (n, 4) x0, y0, x1, y1, best first.
      threshold: largest overlap that is kept.
      overlap: (a, 4), (b, 4) -> (a, b).

    Returns:
      (n,) bool.
    """
    kept = np.ones(len(boxes), bool)
    for start in range(0, len(boxes), _BLOCK):
        stop = min(start + _BLOCK, len(boxes))
        too_much = overlap(boxes[:stop], boxes[start:stop]) > threshold
        better = np.arange(stop)[:, None] < np.arange(start, stop)[None, :]
        kept[start:stop] = ~(too_much & better).any(axis=0)
    return kept


def overlap_of_union(first: Shaped[np.ndarray, "a 4"], second: Shaped[np.ndarray, "b 4"]) -> Shaped[np.ndarray, "a b"]:
    """Intersection over union, (a, 4), (b, 4) -> (a, b)."""
    shared = _intersection(first, second)
    return shared / (_areas(first)[:, None] + _areas(second)[None, :] - shared)


def overlap_of_smaller(
    first: Shaped[np.ndarray, "a 4"], second: Shaped[np.ndarray, "b 4"]
) -> Shaped[np.ndarray, "a b"]:
    """Intersection over the smaller box, (a, 4), (b, 4) -> (a, b)."""
    return _intersection(first, second) / np.minimum(_areas(first)[:, None], _areas(second)[None, :])


def _intersection(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=2)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
