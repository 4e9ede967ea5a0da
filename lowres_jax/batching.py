"""Runs of any number of images through functions that are compiled for one batch shape."""

from collections.abc import Callable

import jax
import numpy as np

from lowres_jax import interruption


def default_batch_size() -> int:
    """A CPU is quickest while the activations of a batch stay in its cache; an accelerator wants to be filled."""
    return 16 if jax.default_backend() == "cpu" else 256


def map_batches(function: Callable[[np.ndarray], jax.Array], images: np.ndarray, batch_size: int) -> np.ndarray:
    """Applies a compiled function to images, batch by batch, with as few batch shapes as possible.

    The ragged last batch is padded with zeros to the full size; fewer images than one batch are padded to a power of
    two. The next batch is handed to the device before the last result is fetched.

    Args:
      function: (b, ...) -> (b, ...), rows independent of each other.
      images: (B, ...), B > 0.
      batch_size: most rows of one call.

    Returns:
      (B, ...) results in order.
    """
    count = len(images)
    batch_size = min(batch_size, 1 << (count - 1).bit_length())
    results: list[np.ndarray] = []
    pending: tuple[jax.Array, int] | None = None
    for start in interruption.interruptible(range(0, count, batch_size)):
        batch = images[start : start + batch_size]
        padding = [(0, batch_size - len(batch))] + [(0, 0)] * (images.ndim - 1)
        running = function(np.pad(batch, padding)), len(batch)
        if pending is not None:
            results.append(np.asarray(pending[0])[: pending[1]])
        pending = running
    assert pending is not None
    results.append(np.asarray(pending[0])[: pending[1]])
    return np.concatenate(results)
