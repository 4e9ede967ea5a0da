"""How much of a condition's mean to take from its templates: chosen on people held out, among few and among many.

Against few people more is nearly always better; in a large gallery it can harm. Each trial is one such gallery, and a
share counts only where it harms in none of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lowres_jax.evaluation.centering import centered
from lowres_jax.evaluation.identification import (
    detection_and_identification_rate,
    enrolled_search,
    threshold_at_far,
)
from lowres_jax.utils.shapes import Labels, Templates

FAR = 0.01


@dataclass(frozen=True)
class Trial:
    """People to be found, of whom the first image is enrolled and every other one searched for.

    Attributes:
      labels: (N,) identities of the images.
      originals: (N, D) templates of the images as they are.
      strangers: (S, D) templates of people enrolled besides, one each, who are never searched for.
      mean: (D,) mean of the condition of all of these.
    """

    labels: Labels
    originals: Templates
    strangers: Float[np.ndarray, "strangers dimension"]
    mean: np.ndarray

    def rate(self, probes: Templates, mean: np.ndarray, share: float, enrolled_share: float, strangers: int) -> float:
        """DIR at FAR 1 %, rank 1.

        Args:
          probes: (N, D) templates of the same images as they are searched for.
          mean: (D,) mean of their condition.
          share: share of it that is taken from them.
          enrolled_share: share of the originals' mean that is taken from what is enrolled.
          strangers: how many of the strangers are enrolled.
        """
        first = np.unique(self.labels, return_index=True)[1]
        searched = np.setdiff1d(np.arange(len(self.labels)), first)
        gallery = centered(
            np.concatenate([self.originals[first], self.strangers[:strangers]]), self.mean, enrolled_share
        )
        # Nobody who is searched for has a label below 0.
        enrolled = np.concatenate([self.labels[first], -1 - np.arange(strangers)])
        found = enrolled_search(centered(probes[searched], mean, share), self.labels[searched], gallery, enrolled)
        return detection_and_identification_rate(found, threshold_at_far(found, FAR), 1)


def choose(rates: Mapping[float, Sequence[float]]) -> float:
    """The share with the greatest sum of rates among those that are below those of share 0 in no trial.

    Args:
      rates: share -> rate of each trial; share 0 must be there.
    """
    before = rates[0.0]
    harmless = [share for share, own in rates.items() if all(a >= b for a, b in zip(own, before, strict=True))]
    return max(harmless, key=lambda share: (sum(rates[share]), -share))
