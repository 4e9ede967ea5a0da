"""Splits of records: those to train on, and those to validate on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer, Shaped

from lowres_jax.errors import UserError
from lowres_jax.utils import streams

_NAMED = 5


@dataclass(frozen=True)
class Split:
    """Records to learn from and to validate on; no person is in both.

    Attributes:
      training: positions, ascending.
      validation: positions, ascending.
    """

    training: np.ndarray
    validation: np.ndarray


def split_identities(labels: Shaped[np.ndarray, " N"], held_out: float, seed: int) -> Split:
    """Holds a share of the people out.

    Args:
      labels: (N,) identities.
      held_out: share of the people, from 0 (nobody) to below 1; somebody if not 0.
      seed: seed of the draw.

    Raises:
      UserError: nobody would be left to learn from.
    """
    people = np.unique(labels)
    count = max(1, round(held_out * len(people))) if held_out else 0
    if not 0 <= held_out < 1 or count >= len(people):
        raise UserError(
            f"config.held_out={held_out}: holds {count} of {len(people)} people out; nobody is left to train on"
        )
    # As it always was: who was held out of the trainings of the models that ship is held out of what starts from them.
    drawn = np.random.default_rng(seed).permutation(people)[:count]
    held = np.isin(labels, drawn)
    return Split(np.flatnonzero(~held), np.flatnonzero(held))


def choose_sharp(
    sharpness: Shaped[np.ndarray, " N"], positions: Integer[np.ndarray, " n"], threshold: float, count: int, seed: int
) -> Integer[np.ndarray, " chosen"]:
    """Selection of Orsini and Rossi 2022: crops drawn at random among those above a sharpness threshold.

    Args:
      sharpness: (N,) of all records, variance of the Laplacian.
      positions: the records to choose from.
      threshold: least sharpness.
      count: number of crops; 0: all that are sharp.
      seed: seed of the draw.

    Returns:
      Positions, ascending.

    Raises:
      UserError: there are too few; the message says how many.
    """
    sharp = positions[sharpness[positions] >= threshold]
    if len(sharp) < max(count, 1):
        ordered = np.sort(sharpness[positions])[::-1]
        enough = f"; {count:,} are above {np.floor(ordered[count - 1]):g}" if 0 < count <= len(ordered) else ""
        raise UserError(
            f"config.sharpness={threshold:g}: only {len(sharp):,} of {len(positions):,} crops are that sharp, "
            f"config.crops={count:,} were asked for{enough}"
        )
    return np.sort(streams.generator(seed, "sharp crops").permutation(sharp)[:count]) if count else sharp


@dataclass(frozen=True)
class ClassSplit:
    """The people whom a recognizer learns to tell apart.

    Attributes:
      training: positions to learn from, ascending.
      validation: positions of further images of the same people, ascending.
      class_of: (L,) int32: number of the class of each label, -1 for people who are not learned.
      classes: number of people.
    """

    training: np.ndarray
    validation: np.ndarray
    class_of: np.ndarray
    classes: int


def split_classes(
    labels: Shaped[np.ndarray, " N"],
    folders: Sequence[str] | np.ndarray,
    identities: int,
    held_out: float,
    held_out_images: float,
    seed: int,
) -> ClassSplit:
    """Chooses people and splits their images.

    Args:
      labels: (N,) identities, from 0.
      folders: (N,) folder of each person's pictures, for messages.
      identities: the first so many people; 0: all.
      held_out: share of the people, of whom nothing is learned.
      held_out_images: share of everybody's images, at least one if not 0.
      seed: seed of the draws.

    Raises:
      UserError: nobody is left; or somebody has one image only, and some are to be held out.
    """
    people = np.unique(labels[split_identities(labels, held_out, seed).training])
    people = people[:identities] if identities else people
    if len(people) < 2:
        raise UserError(f"config.identities={identities}: a recognizer needs two people or more to tell apart")
    generator = streams.generator(seed, "images held out")
    training, validation, alone = [], [], []
    for person in people:
        own = generator.permutation(np.flatnonzero(labels == person))
        held = max(1, round(held_out_images * len(own))) if held_out_images else 0
        if held >= len(own):
            alone.append(str(folders[own[0]]))
            continue
        validation.append(own[:held])
        kept = own[held:]
        training.append(kept)
    if alone:
        named = ", ".join(alone[:_NAMED]) + (", ..." if len(alone) > _NAMED else "")
        raise UserError(
            f"config.held_out_images={held_out_images}: {len(alone):,} of {len(people):,} people have too few images "
            f"to hold one out: {named}; choose 0, or a set with two images or more of everybody"
        )
    class_of = np.full(int(labels.max()) + 1, -1, np.int32)
    class_of[people] = np.arange(len(people))
    return ClassSplit(np.sort(np.concatenate(training)), np.sort(np.concatenate(validation)), class_of, len(people))
