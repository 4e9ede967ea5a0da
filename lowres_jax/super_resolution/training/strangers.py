"""The strangers of a training: the templates of all its crops, measured once and kept in the cache folder."""

import contextlib
import hashlib
from typing import Protocol

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer, Shaped
from tqdm import tqdm

from lowres_jax.data.records import RecordSource
from lowres_jax.runtime import environment, signals
from lowres_jax.super_resolution.training.losses import Strangers, centered
from lowres_jax.super_resolution.training.transform import center
from lowres_jax.utils.files import write_atomically

_BATCH = 32


class Judge(Protocol):
    """The part of a recognizer that is used, see `recognition.recognizer.Recognizer`."""

    name: str

    def templates(self, images: Shaped[np.ndarray, "B H W 3"]) -> Shaped[np.ndarray, "B D"]:
        """(B, H, W, 3) in [0, 1] -> (B, D) unit vectors."""


def load(source: RecordSource, positions: Integer[np.ndarray, " n"], size: int, recognizer: Judge) -> Strangers:
    """The strangers among some records.

    Args:
      source: the prepared set.
      positions: the records to learn from.
      size: side of the crops that a training cuts from their middle.
      recognizer: recognizer of the loss.
    """
    positions = np.unique(positions)
    found = templates(source, positions, size, recognizer)
    mean = found.mean(axis=0)
    unit = centered(jnp.asarray(found), jnp.asarray(mean))
    return Strangers(np.asarray(unit), source.labels[positions].astype(np.int32), mean)


def templates(
    source: RecordSource, positions: Shaped[np.ndarray, " N"], size: int, recognizer: Judge
) -> Float[np.ndarray, "B D"]:
    """Unit templates (N, D) of some records, kept in the cache folder.

    Args:
      source: the prepared set.
      positions: (N,) records, ascending.
      size: side of the crops that a training cuts from their middle.
      recognizer: recognizer that makes them.
    """
    parts = source.digest(), recognizer.name, size
    digest = hashlib.sha256(repr(parts).encode() + positions.astype(np.int64).tobytes()).hexdigest()
    path = environment.cache_folder() / "strangers" / f"{digest}.npy"
    found = None
    # A file that is damaged is made again.
    with contextlib.suppress(FileNotFoundError, ValueError, EOFError):
        found = np.load(path)
    if found is None:
        found = _templates(source, positions, size, recognizer)
        with write_atomically(path) as file:
            np.save(file, found)
    return np.asarray(found)


def _templates(source: RecordSource, positions: np.ndarray, size: int, recognizer: Judge) -> np.ndarray:
    parts = np.split(positions, range(_BATCH, len(positions), _BATCH))
    found = []
    for part in tqdm(parts, desc=f"strangers, by {recognizer.name}", unit="batch", dynamic_ncols=True):
        signals.check()
        crops = np.stack([center(crop, size) for crop in source.crops(part)[0]])
        found.append(recognizer.templates(crops.astype(np.float32) / np.float32(255.0)))
    return np.concatenate(found)
