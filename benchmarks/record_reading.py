"""Records/s of our reader under Grain and of TFDS's own (tf.data), on the same files in one run.

    python benchmarks/record_reading.py PREPARED_SET...

PREPARED_SET as ~/.cache/lowres_jax/datasets/orl_faces/mtcnn. An otherwise idle machine is needed for figures worth
quoting.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

from lowres_jax.data import pipeline
from lowres_jax.data.records import RecordSource, open_records

_BATCH = 64


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for directory in arguments.sets:
        source = open_records(directory)
        rates: dict[str, list[float]] = {"ours": [], "tf.data": []}
        for _ in range(arguments.rounds):
            rates["ours"].append(_ours(source, arguments.records))
            rates["tf.data"].append(_tf_data(source.directory, len(source), arguments.records))
        medians = {name: statistics.median(values) for name, values in rates.items()}
        kilobytes = sum(file.stat().st_size for file in source.directory.glob("*.tfrecord-*")) / len(source) / 1000
        print(
            f"{directory}: {len(source):,} records of {kilobytes:.1f} KB; decoded records/s, {os.cpu_count()} "
            f"processors: ours {medians['ours']:,.0f}, tf.data {medians['tf.data']:,.0f}"
        )


def _ours(source: RecordSource, count: int) -> float:
    iterator = pipeline.batches(source, _BATCH, seed=0)
    next(iterator)  # threads have started
    begin, rounds = time.perf_counter(), -(-count // _BATCH)
    for _ in range(rounds):
        next(iterator)
    return rounds * _BATCH / (time.perf_counter() - begin)


def _tf_data(directory: Path, length: int, count: int) -> float:
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(str(directory))
    split = next(iter(builder.info.splits))
    # A small set would be kept decoded in memory.
    options = tfds.ReadConfig(try_autocache=False)
    data = (
        builder.as_dataset(split=split, shuffle_files=False, read_config=options)
        .repeat(-(-count // length))
        .batch(_BATCH)
        .prefetch(2)
    )
    iterator = iter(data)
    seen = len(next(iterator)["label"])
    begin, first = time.perf_counter(), seen
    for batch in iterator:
        seen += len(batch["label"])
    return (seen - first) / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
