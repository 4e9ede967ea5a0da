"""One file of records: what a worker makes of its part of the photographs, wherever it runs."""

import dataclasses
import functools
import json
import os
import pickle
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core import example_serializer, writer
from tensorflow_datasets.proto import tf_example_pb2

from lowres_jax import __version__
from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.localization.detector import Detector, load_detector
from lowres_jax.preparation import alignment
from lowres_jax.preparation.alignment import Alignment, Counts, Record
from lowres_jax.preparation.photographs import Photographs

Example = tuple[int, dict[str, Any]]

# Ending of the files in which workers say what they came across.
COUNTS = ".counts.json"


def examples(records: Iterator[Record], labels: dict[str, int], counts: Counts) -> Iterator[Example]:
    """The records that TFDS writes: the readable ones with their labels, numbered; all are counted."""
    for record in records:
        counts.add(record)
        if not isinstance(record, images.UnreadableImageError):
            yield counts.photographs, {"label": labels[record["name"]], **record}


@functools.lru_cache(1)
def detector(name: str) -> Detector:
    """A detector, kept with what it has compiled for all shards that a process makes."""
    return load_detector(name)


@dataclass(frozen=True)
class Shard:
    """The input of a worker of Apache Beam that writes one shard.

    Attributes:
      photographs: the part of the set that is in it.
      labels: number of each person on them.
      alignment: settings by which they become crops.
      features: features of the records.
      path: path of the shard.
      counts_path: file for what came up, written when the shard is through.
      platform: value of `config.platform`.
      version: version of the program that asks for it.
      sender: host and process that ask for it.
    """

    photographs: Photographs
    labels: dict[str, int]
    alignment: Alignment
    features: tfds.features.FeaturesDict
    path: epath.Path
    counts_path: epath.Path
    platform: str | None
    version: str = __version__
    sender: tuple[str, int] = field(default_factory=lambda: (socket.gethostname(), os.getpid()))

    def write(self) -> None:
        """Writes the shard, and what came up.

        Raises:
          UserError: the worker has another version of the program, or the photographs cannot be read.
        """
        here = socket.gethostname()
        if self.version != __version__:
            raise UserError(
                f"{here}: this worker has lowres_jax {__version__}, {self.sender[0]} has {self.version}; install the "
                "same version on all of them"
            )
        if (here, os.getpid()) != self.sender:
            _set_up(self.platform)
        serializer = example_serializer.ExampleSerializer(self.features.get_serialized_info())
        whole = WholeShardWriter(file_format=tfds.core.FileFormat.TFRECORD)
        writer.ShardWriter(self.features, serializer, whole).write(self._examples(), self.path)

    def _examples(self) -> Iterator[Example]:
        counts = Counts()
        found = alignment.records(self.photographs.read(), detector(self.alignment.detector), self.alignment)
        yield from examples(found, self.labels, counts)
        # The shard's own file comes to its place after this one.
        self.counts_path.write_text(json.dumps(dataclasses.asdict(counts) | {"people": sorted(counts.people)}))

    def written(self) -> Iterator[Example]:
        """Stands for the examples of a shard that is written: as many, and empty."""
        counts = read_counts(self.counts_path)
        return ((number, {}) for number in range(counts.photographs - len(counts.unreadable)))


def note(shard: Shard) -> str:
    """Writes down what a shard needs, beside where it will be: so a pipeline holds names only, however large the set.

    Returns:
      Path of the note, for `write`.
    """
    path = shard.path.parent / f".{shard.path.name}.note"
    path.write_bytes(pickle.dumps(shard))
    return os.fspath(path)


def write(path: str) -> None:
    """Writes the shard that a note tells of: what a worker does.

    Raises:
      UserError: see `Shard.write`.
    """
    pickle.loads(epath.Path(path).read_bytes()).write()


def read_counts(path: epath.Path) -> Counts:
    """The result of a `Shard`."""
    said = json.loads(path.read_text())
    return Counts(**said | {"people": set(said["people"])})


class WholeShardWriter(writer.ExampleWriter):
    """Writes a shard whole or not at all, and not again where it is written."""

    def write(self, path: epath.PathLike, examples: Any) -> Any:
        """See `ExampleWriter`."""
        path = epath.Path(path)
        if path.exists():
            return None
        # Two workers may be at it, where an engine takes one for dead that is slow.
        unfinished = path.parent / f".{path.name}-{socket.gethostname()}-{os.getpid()}"
        super().write(unfinished, ((key, _in_order(example)) for key, example in examples))
        unfinished.replace(path)
        return None


def _in_order(example: bytes) -> bytes:
    """A serialized tf.train.Example with its features in one order: each process has its own, drawn at its start."""
    return tf_example_pb2.Example.FromString(example).SerializeToString(deterministic=True)


@functools.lru_cache(1)
def _set_up(platform: str | None) -> None:
    """The beginning of a run of `main`."""
    from ml_collections import ConfigDict

    from lowres_jax.runtime import environment

    environment.initialize(ConfigDict({"platform": platform}))
