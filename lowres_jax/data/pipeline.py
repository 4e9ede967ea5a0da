"""Records -> batches, by Grain: a shuffle over the whole set, worker threads, exact resume, one share a process."""

from collections.abc import Sequence

import grain
import numpy as np

from lowres_jax.data.records import RecordSource

# Batches decoded ahead; each worker thread has one at hand.
_AHEAD = 4


def batches(
    source: RecordSource,
    batch_size: int,
    seed: int | None = None,
    epochs: int | None = 1,
    indices: Sequence[int] | np.ndarray | None = None,
    process: int = 0,
    processes: int = 1,
    threads: int = 2,
) -> grain.IterDataset:
    """Batches of a prepared set.

    The iterator's `get_state` and `set_state` resume at the very next batch. Records are decoded ahead in threads
    (OpenCV leaves Python's lock alone meanwhile), with a bounded number of batches waiting.

    Args:
      source: the set.
      batch_size: records of a batch on this process; the last batch of all epochs may be smaller.
      seed: of the shuffle, another order in each epoch; None keeps the set's order.
      epochs: how often each record comes; None: forever.
      indices: positions of the records to take; None: all.
      process: number of this process.
      processes: how many share the records; every record goes to exactly one of them in an epoch.
      threads: that decode.

    Returns:
      Batches of image (B, size, size, 3) uint8, label (B,) int64 and index (B,) int64, the position in the source.
    """
    wanted = np.arange(len(source)) if indices is None else np.asarray(indices, np.int64)
    positions = grain.MapDataset.source(wanted)
    if seed is not None:
        positions = positions.seed(seed).shuffle()
    # Shuffled before it is divided: each epoch gives a process other records, together always all.
    positions = positions.repeat(epochs)[process::processes]

    def load(batch: np.ndarray) -> dict[str, np.ndarray]:
        images, labels = source.crops(batch)
        return {"image": images, "label": labels, "index": batch}

    # A thread decodes a whole batch: Grain's own work for an element is as long as the decoding of a record.
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=_AHEAD)
    return positions.batch(batch_size, drop_remainder=False).map(load).to_iter_dataset(options)
