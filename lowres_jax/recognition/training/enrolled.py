"""Targets of a recognizer that learns to read small faces: templates of originals, and strangers."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Integer

from lowres_jax.data.records import RecordSource
from lowres_jax.recognition.recognizer import NetworkRecognizer
from lowres_jax.super_resolution.training import strangers
from lowres_jax.super_resolution.training.losses import Strangers, centered


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Enrolled:
    """Templates of the crops that are learned from, as they are enrolled.

    Attributes:
      templates: (N, D) unit vectors of all records of the set; zeros for those that are not learned from.
      others: (N, D) unit vectors: mean of the person's other crops; of somebody with one, this one.
      strangers: people from whom a face is told apart.
    """

    templates: Any
    others: Any
    strangers: Strangers


def load(source: RecordSource, positions: Integer[np.ndarray, " n"], teacher: NetworkRecognizer) -> Enrolled:
    """Templates of some records by a teacher, measured once and kept in the cache folder.

    Args:
      source: the prepared set.
      positions: the records to learn from.
      teacher: recognizer of what is enrolled.
    """
    positions = np.unique(positions)
    own = strangers.templates(source, positions, source[int(positions[0])]["image"].shape[0], teacher)
    labels = source.labels[positions]
    templates, others = (np.zeros((len(source), own.shape[1]), np.float32) for _ in range(2))
    templates[positions] = own
    for label in np.unique(labels):
        chosen = labels == label
        rest = own[chosen].sum(axis=0) - own[chosen] if chosen.sum() > 1 else own[chosen]
        others[positions[chosen]] = rest / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-12)
    mean = own.mean(axis=0)
    unit = np.asarray(centered(jnp.asarray(own), jnp.asarray(mean)))
    return Enrolled(templates, others, Strangers(unit, labels.astype(np.int32), mean))
