"""Records -> batches, by Grain: shuffled over the whole set, decoded ahead in threads, divided between processes.

The position in the data follows from the step alone: no state of an iterator need be kept to resume exactly, also on
another number of processes or devices.
"""

import functools
from collections.abc import Callable, Iterator

import grain
import numpy as np
from jaxtyping import Integer

from lowres_jax.data.records import RecordSource
from lowres_jax.utils import streams

# Batches decoded ahead, for each thread.
_AHEAD = 2
_ENDLESS = 1 << 62

Transform = Callable[[np.ndarray, np.random.Generator], dict[str, np.ndarray]]
Choices = Callable[[np.random.Generator], dict[str, np.ndarray]]


def batches(
    source: RecordSource,
    batch_size: int,
    *,
    seed: int,
    transform: Transform | None = None,
    positions: Integer[np.ndarray, " n"] | None = None,
    start: int = 0,
    process: int = 0,
    processes: int = 1,
    threads: int = 2,
    choices: Choices | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Endless batches: batch number `step` is the same however often a run was stopped, on however many processes.

    Records are shuffled again in each epoch; a batch may end one epoch and begin the next, so that every batch is whole
    and every process has as many as the others.

    Args:
      source: the set.
      batch_size: images of the whole batch, a multiple of `processes`.
      seed: seed of the shuffle and of the transform.
      transform: (crop (H, W, 3) uint8 RGB, generator) -> arrays of one row. The generator depends on seed, step and row
        of the whole batch only. None: image (H, W, 3) uint8.
      positions: the records to take; None: all.
      start: number of the first batch wanted.
      process: number of this process.
      processes: number of processes that divide each batch between them, in rows of equal number.
      threads: number of threads that decode.
      choices: draw of one row for crops that the devices have already, generator -> values; nothing is read then,
        and the generator is that of `transform`.

    Yields:
      This process's rows: what `transform` returns, stacked; label and index (B,) int64, whose they are and which
      records. With `choices` what these return, stacked, and row (B,) int32, places in the ascending `positions`.
    """
    own = batch_size // processes
    wanted = np.arange(len(source)) if positions is None else np.asarray(positions, np.int64)
    # NumPy takes a second for this with a million, and only devices that have the crops already need it.
    ascending = None if choices is None else np.unique(wanted)
    if not len(wanted):
        raise ValueError("there are no records to read")

    @functools.lru_cache(maxsize=3)
    def shuffled(epoch: int) -> Integer[np.ndarray, " n"]:
        return streams.generator(seed, "shuffle", epoch).permutation(wanted)

    # A thread works on a whole batch, its indices included: Grain's own work for an element takes as long as decoding.
    def load(step: int) -> dict[str, np.ndarray]:
        first = process * own
        places = np.arange(own) + int(step) * batch_size + first
        epochs = places // len(wanted)
        indices = np.empty(own, np.int64)
        for epoch in np.unique(epochs):
            indices[epochs == epoch] = shuffled(int(epoch))[places[epochs == epoch] % len(wanted)]
        if choices is not None and ascending is not None:
            drawn = [choices(streams.generator(seed, "row", int(step), row)) for row in range(first, first + own)]
            stacked = {name: np.stack([each[name] for each in drawn]) for name in drawn[0]}
            return stacked | {"row": np.searchsorted(ascending, indices).astype(np.int32)}
        crops, labels = source.crops(indices)
        if transform is None:
            # Not even a generator is made: it would take a fifth of the time.
            return {"image": crops, "label": labels, "index": indices}
        rows = [
            transform(crop, streams.generator(seed, "row", int(step), row))
            for row, crop in enumerate(crops, start=first)
        ]
        stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return stacked | {"label": labels, "index": indices}

    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=_AHEAD * threads)
    return iter(grain.MapDataset.range(start, _ENDLESS).map(load).to_iter_dataset(options))
