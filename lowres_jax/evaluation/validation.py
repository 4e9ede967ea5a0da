"""Evaluation of a generator while it trains: on people held out, and on View 1 of LFW where it is prepared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer, Shaped

from lowres_jax.data.records import RecordSource
from lowres_jax.data.resize import upscale_bicubic
from lowres_jax.evaluation import image_quality, verification
from lowres_jax.recognition.recognizer import Recognizer

Reduce = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
VIEWS = "view1_train", "view1_test"


@dataclass(frozen=True)
class HeldOut:
    """Faces of people that the training does not see.

    Attributes:
      low: (B, h, h, 3) float32 RGB in [0, 1].
      high: (B, H, H, 3), their originals.
      templates: (B, D) of the originals, by the judge.
    """

    low: np.ndarray
    high: np.ndarray
    templates: np.ndarray

    @classmethod
    def of(
        cls, low: Shaped[np.ndarray, "B h h 3"], high: Shaped[np.ndarray, "B H H 3"], judge: Recognizer
    ) -> "HeldOut":
        """With the originals' templates."""
        return cls(low, high, judge.templates(high))

    def figures(self, enlarged: Shaped[np.ndarray, "B H H 3"], judge: Recognizer) -> Iterator[tuple[str, float]]:
        """PSNR (RGB, no border), SSIM and identity cosine: means over the faces.

        Args:
          enlarged: (B, H, H, 3) in [0, 1].
          judge: a recognizer.
        """
        yield "psnr", float(np.minimum(image_quality.psnr(enlarged, self.high), 100.0).mean())
        yield "ssim", float(image_quality.ssim(enlarged, self.high).mean())
        yield "identity_cosine", float(image_quality.identity_cosine(judge.templates(enlarged), self.templates).mean())


@dataclass(frozen=True)
class View1:
    """A share of LFW's View 1, which is for choosing.

    Attributes:
      low: (N, h, h, 3) float32, each image once.
      high: (N, H, H, 3) float32, HR.
      pairs: positions of the training pairs and of the test pairs in these, (P, 2) each.
      same: (P,) bool for the training pairs and for the test pairs.
    """

    low: np.ndarray
    high: np.ndarray
    pairs: tuple[np.ndarray, np.ndarray]
    same: tuple[np.ndarray, np.ndarray]

    @classmethod
    def load(cls, source: RecordSource, count: int, reduce: Reduce) -> "View1":
        """Reads a share of both lists.

        Args:
          source: LFW with its pairs.
          count: pairs of each list at most, evenly taken, so that half are of the same person.
          reduce: crops (N, S, S, 3) uint8 -> low and high.
        """
        chosen, same = [], []
        for view in VIEWS:
            pairs = source.pairs(view)
            rows = evenly(len(pairs.same), count)
            chosen.append(np.stack([pairs.first, pairs.second], axis=-1)[rows])
            same.append(np.asarray(pairs.same, bool)[rows])
        images, places = np.unique(np.concatenate(chosen), return_inverse=True)
        places = places.reshape(-1, 2)
        low, high = reduce(source.crops(images)[0])
        return cls(low, high, (places[: len(same[0])], places[len(same[0]) :]), (same[0], same[1]))

    def accuracy(self, images: Shaped[np.ndarray, "N H H 3"], judge: Recognizer) -> float:
        """Share of the test pairs decided rightly, by the threshold of the training pairs.

        Args:
          images: (N, H, H, 3), enlarged or the originals.
          judge: a recognizer.
        """
        return self.accuracy_of(judge.templates(images))

    def accuracy_of(self, templates: Shaped[np.ndarray, "N D"]) -> float:
        """The same, of templates (N, D) of the images."""
        scores = [np.sum(templates[pairs[:, 0]] * templates[pairs[:, 1]], axis=-1) for pairs in self.pairs]
        threshold = verification.best_threshold(scores[0], self.same[0])
        return float(np.mean((scores[1] > threshold) == self.same[1]))


def evenly(length: int, count: int) -> Integer[np.ndarray, " n"]:
    """Positions of at most `count` of `length` things, evenly taken, ascending."""
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))


def bicubic(low: Shaped[np.ndarray, "B h h 3"], size: int) -> Shaped[np.ndarray, "B size size 3"]:
    """Bicubic enlargement, the baseline of every generator: (B, h, h, 3) -> (B, size, size, 3)."""
    return np.stack([upscale_bicubic(image, size, size) for image in low])
