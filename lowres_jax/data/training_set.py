"""Which records a training learns from, and which it is validated on."""

from dataclasses import dataclass

import numpy as np

from lowres_jax.errors import UserError


@dataclass(frozen=True)
class Split:
    """Records to learn from and to validate on; no person is in both.

    Attributes:
      training: positions, ascending.
      validation: positions, ascending.
    """

    training: np.ndarray
    validation: np.ndarray


def split_identities(labels: np.ndarray, held_out: float, seed: int) -> Split:
    """Holds a share of the people out.

    Args:
      labels: (N,) identities.
      held_out: share of the people, from 0 (nobody) to below 1; somebody if not 0.
      seed: of the draw.

    Raises:
      UserError: nobody would be left to learn from.
    """
    people = np.unique(labels)
    count = max(1, round(held_out * len(people))) if held_out else 0
    if not 0 <= held_out < 1 or count >= len(people):
        raise UserError(
            f"config.held_out={held_out}: holds {count} of {len(people)} people out; nobody is left to train on"
        )
    drawn = np.random.default_rng(seed).permutation(people)[:count]
    held = np.isin(labels, drawn)
    return Split(np.flatnonzero(~held), np.flatnonzero(held))


def choose_sharp(sharpness: np.ndarray, positions: np.ndarray, threshold: float, count: int, seed: int) -> np.ndarray:
    """The original's selection: crops drawn at random among those above a sharpness threshold.

    Args:
      sharpness: (N,) of all records, variance of the Laplacian.
      positions: the records to choose from.
      threshold: least sharpness.
      count: how many; 0: all that are sharp.
      seed: of the draw.

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
    return np.sort(np.random.default_rng(seed).permutation(sharp)[:count]) if count else sharp
