"""Evaluation of a recognizer that learns to read small faces: faces of View 1 of LFW, or of people held out.

View 1 decides where LFW is prepared: on 29 people held out, of the set that is learned from, a recognizer was better
that was worse on LFW (docs/notebook/recognizer_of_small_faces.md).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer

from lowres_jax.data.records import RecordSource
from lowres_jax.evaluation.centering import centered, condition_mean
from lowres_jax.evaluation.validation import VIEWS, evenly
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.recognition.training.small_faces import SmallFaceTransform

_SIZES = (8, 16, 24, 32)
_IMAGES = 300
_FAR = 0.001
# About the standard error of a difference of two rates of 500 faces.
_CLEARLY = 0.02


@dataclass(frozen=True)
class SmallFaceTrial:
    """Faces of people that the training does not see, small and enlarged, and what they are compared with.

    Attributes:
      images: size -> (B, size of the input, same, 3) uint8, enlarged by the models.
      own: (B, D) templates of their originals, by the recognizer of what is enrolled.
      others: (B, D) templates of the same person's other originals.
      strangers: (S, D) templates of other people's originals.
      is_stranger: (B, S) bool, whose they are not.
    """

    images: dict[int, np.ndarray]
    own: np.ndarray
    others: np.ndarray
    strangers: np.ndarray
    is_stranger: np.ndarray

    @classmethod
    def of_people(
        cls,
        source: RecordSource,
        positions: Integer[np.ndarray, " n"],
        samples: SmallFaceTransform,
        teacher: Recognizer,
    ) -> "SmallFaceTrial":
        """Faces of people held out, each compared with the mean of the person's other pictures and with everybody else.

        Args:
          source: the prepared set.
          positions: positions of their records.
          samples: enlarges as the training does.
          teacher: recognizer of what is enrolled.
        """
        positions = positions[evenly(len(positions), _IMAGES)]
        high, labels = _read(source, positions)
        own = teacher.templates(high)
        others = np.stack([own[labels == label].sum(axis=0) for label in labels]) - own
        alone = np.linalg.norm(others, axis=1) < 1e-6
        others[alone] = own[alone]
        others /= np.linalg.norm(others, axis=1, keepdims=True)
        return cls(_small(high, samples), own, others, own, labels[:, None] != labels)

    @classmethod
    def of_pairs(
        cls, source: RecordSource, count: int, samples: SmallFaceTransform, teacher: Recognizer
    ) -> "SmallFaceTrial":
        """Pairs of View 1 of LFW: the second picture is small; the first ones of all pairs are enrolled as they are.

        Args:
          source: LFW with its pairs.
          count: largest number of pairs.
          samples: enlarges as the training does.
          teacher: recognizer of what is enrolled.
        """
        chosen = []
        for view in VIEWS:
            pairs = source.pairs(view)
            both = np.stack([pairs.first, pairs.second], axis=-1)[np.asarray(pairs.same, bool)]
            chosen.append(both[evenly(len(both), count // len(VIEWS))])
        first, second = np.concatenate(chosen).T
        enrolled, labels = _read(source, first)
        others = teacher.templates(enrolled)
        high, _ = _read(source, second)
        return cls(_small(high, samples), teacher.templates(high), others, others, labels[:, None] != labels)

    def figures(self, recognizer: Recognizer) -> Iterator[tuple[str, float]]:
        """For each size the mean cosine to the own original, and the rate at which a face is verified.

        That rate is of comparisons with the person's other pictures, centered, at the similarity that one of 1,000
        comparisons with a stranger reaches.
        """
        enrolled_mean = condition_mean(self.strangers)
        others, strangers = centered(self.others, enrolled_mean), centered(self.strangers, enrolled_mean)
        for size, images in self.images.items():
            templates = recognizer.templates(images.astype(np.float32) / np.float32(255.0))
            yield f"cosine_{size}px", float(np.mean(np.sum(templates * self.own, axis=1)))
            probes = centered(templates, condition_mean(templates))
            limit = np.quantile((probes @ strangers.T)[self.is_stranger], 1.0 - _FAR)
            yield f"verification_{size}px", float(np.mean(np.sum(probes * others, axis=1) >= limit))


def _read(source: RecordSource, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    crops, labels = source.crops(positions)
    return crops.astype(np.float32) / np.float32(255.0), labels


def _small(high: np.ndarray, samples: SmallFaceTransform) -> dict[int, np.ndarray]:
    return {size: samples.enlarged(samples.small(high, size), True) for size in _SIZES}


def largest_face(figures: Mapping[str, float], reference: Mapping[str, float]) -> int:
    """The largest size in pixels up to which clearly more faces are verified than by the reference; 0: at none."""
    largest = 0
    for size in _SIZES:
        if figures[f"verification_{size}px"] < reference[f"verification_{size}px"] + _CLEARLY:
            break
        largest = size
    return largest
