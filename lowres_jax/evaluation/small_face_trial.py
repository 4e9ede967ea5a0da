"""How well a recognizer reads small faces while it learns to: of people held out, among strangers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lowres_jax.data.degradations import low_resolution
from lowres_jax.data.records import RecordSource
from lowres_jax.evaluation.centering import centered, condition_mean
from lowres_jax.evaluation.validation import evenly
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.recognition.training.small_faces import SmallFaceTransform

_SIZES = (8, 16, 24, 32)
_IMAGES = 300
_FAR = 0.001


@dataclass(frozen=True)
class SmallFaceTrial:
    """Faces of people that the training does not see, small and enlarged, and what they are compared with.

    Attributes:
      images: size -> (B, size of the input, same, 3) float32 in [0, 1], enlarged by the models.
      own: (B, D) templates of their originals, by the recognizer of what is enrolled.
      others: (B, D) unit means of the same person's other originals.
      strangers: (S, D) templates of other people's originals.
      is_stranger: (B, S) bool, whose they are not.
    """

    images: dict[int, np.ndarray]
    own: np.ndarray
    others: np.ndarray
    strangers: np.ndarray
    is_stranger: np.ndarray

    @classmethod
    def of(
        cls,
        source: RecordSource,
        positions: np.ndarray,
        samples: SmallFaceTransform,
        teacher: Recognizer,
        crowd: np.ndarray | None,
    ) -> "SmallFaceTrial":
        """Reads the people held out.

        Args:
          source: the prepared set.
          positions: their records; at least two of everybody.
          samples: enlarges as the training does.
          teacher: recognizer of what is enrolled.
          crowd: (S, H, H, 3) originals of people who are nobody of the set; None: the people held out, each other.
        """
        positions = positions[evenly(len(positions), _IMAGES)]
        crops, labels = source.crops(positions)
        high = crops.astype(np.float32) / np.float32(255.0)
        own = teacher.templates(high)
        others = np.stack([own[labels == label].sum(axis=0) for label in labels]) - own
        alone = np.linalg.norm(others, axis=1) < 1e-6
        others[alone] = own[alone]
        others /= np.linalg.norm(others, axis=1, keepdims=True)
        images = {
            size: samples.enlarged(low_resolution(high, size), True).astype(np.float32) / np.float32(255.0)
            for size in _SIZES
        }
        strangers = own if crowd is None else teacher.templates(crowd)
        differ = labels[:, None] != labels if crowd is None else np.ones((len(own), len(strangers)), bool)
        return cls(images, own, others, strangers, differ)

    def figures(self, recognizer: Recognizer) -> Iterator[tuple[str, float]]:
        """For each size the mean cosine to the own original, and the rate at which a face is verified.

        That rate is of comparisons with the person's other pictures, centered, at the similarity that one of 1,000
        comparisons with a stranger reaches.
        """
        enrolled_mean = condition_mean(self.strangers)
        others, strangers = centered(self.others, enrolled_mean), centered(self.strangers, enrolled_mean)
        for size, images in self.images.items():
            templates = recognizer.templates(images)
            yield f"cosine_{size}px", float(np.mean(np.sum(templates * self.own, axis=1)))
            probes = centered(templates, condition_mean(templates))
            limit = np.quantile((probes @ strangers.T)[self.is_stranger], 1.0 - _FAR)
            yield f"verification_{size}px", float(np.mean(np.sum(probes * others, axis=1) >= limit))


def largest_face(figures: Mapping[str, float], reference: Mapping[str, float]) -> int:
    """The largest size in pixels up to which more faces are verified at each size than by the reference; 0: at none."""
    largest = 0
    for size in _SIZES:
        if figures[f"verification_{size}px"] <= reference[f"verification_{size}px"]:
            break
        largest = size
    return largest
