"""Base of all builders: the description of a set's records, and their division into files that are written apart."""

import itertools
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Writing records is the one thing that needs TensorFlow, whose greetings at start-up help nobody.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow_datasets as tfds
from tqdm import tqdm

from lowres_jax.errors import UserError
from lowres_jax.preparation import alignment, shards
from lowres_jax.preparation.alignment import Alignment, Counts
from lowres_jax.preparation.beam import Workers, WorkersFailedError
from lowres_jax.preparation.photographs import Photograph, Photographs, natural_order
from lowres_jax.runtime.signals import interruptible

# How often in a row workers may fail without a file finished in between.
_ATTEMPTS = 3
_PROGRESS_SECONDS = 0.5


@dataclass
class AlignedFacesConfig(tfds.core.BuilderConfig):
    """One way to prepare a set.

    Attributes:
      alignment: settings by which photographs become crops.
      shard_size: photographs whose records are in one file.
      platform: value of `config.platform`, for workers.
    """

    alignment: Alignment = field(default_factory=Alignment)
    shard_size: int = 2048
    platform: str | None = None


class AlignedFaces(tfds.core.ShardBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Base of the builders, whose photographs the subclass's `prepare` task hands over.

    This process makes the shards in turn, or each is made by whatever worker of Apache Beam takes it. The files are the
    same.
    """

    VERSION = tfds.core.Version("1.0.0")
    SPLIT = "test"
    DESCRIPTION = ""
    CITATION = ""

    def __init_subclass__(cls, **kwargs: Any):
        # TFDS has an "lfw" of its own, and no two builders of one name in its register.
        super().__init_subclass__(skip_registration=True, **kwargs)

    def __init__(self, *, photographs: Photographs, workers: Workers | None = None, **kwargs: Any):
        self._photographs = photographs
        self._workers = workers
        self._progress: tqdm | None = None
        self.counts = Counts()
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        settings = self.builder_config.alignment
        size = settings.crop_size
        image = tfds.features.Image(shape=(size, size, 3), encoding_format=settings.image_format)
        features = {
            "image": image,
            "label": np.int64,
            "name": tfds.features.Text(),
            "source": tfds.features.Text(),
            "box": tfds.features.Tensor(shape=(4,), dtype=np.float32),
            "landmarks": tfds.features.Tensor(shape=(5, 2), dtype=np.float32),
            "has_landmarks": np.bool_,
            "score": np.float32,
            "detector": tfds.features.Text(),
            "detected": np.bool_,
            "sharpness": np.float32,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DESCRIPTION,
            citation=self.CITATION,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,  # records keep the order of the photographs
        )

    def _example_writer(self) -> shards.WholeShardWriter:
        return shards.WholeShardWriter(file_format=self.info.file_format)

    def _shard_iterators_per_split(self, dl_manager: Any) -> dict[str, list[Callable[[], Iterator[shards.Example]]]]:
        del dl_manager  # nothing is downloaded
        names = sorted(set(self._photographs.names), key=natural_order)
        labels = {name: label for label, name in enumerate(names)}
        total, size = len(self._photographs.names), self.builder_config.shard_size
        bounds = [(start, min(start + size, total)) for start in range(0, total, size)]
        if self._workers is None:
            reading = self._photographs.read()
            return {self.SPLIT: [self._in_turn(reading, stop - start, labels) for start, stop in bounds]}
        wanted = [self._for_a_worker(number, len(bounds), *each, labels) for number, each in enumerate(bounds)]
        self._have_written(wanted, self._workers)
        for shard in wanted:
            self.counts.merge(shards.read_counts(shard.counts_path))
        return {self.SPLIT: [shard.written for shard in wanted]}

    def _in_turn(
        self, reading: Iterator[Photograph], count: int, labels: dict[str, int]
    ) -> Callable[[], Iterator[shards.Example]]:
        """Makes the examples of the next `count` photographs."""

        def make() -> Iterator[shards.Example]:
            detector = shards.detector(self.builder_config.alignment.detector)
            found = alignment.records(itertools.islice(reading, count), detector, self.builder_config.alignment)
            return shards.examples(self._counted(interruptible(found)), labels, self.counts)

        return make

    def _for_a_worker(self, number: int, of: int, start: int, stop: int, labels: dict[str, int]) -> shards.Shard:
        """The input of a worker for the photographs from `start` to before `stop`, and no more."""
        part = self._photographs.part(start, stop)
        path = self._get_filename_template(self.SPLIT).sharded_filepath(shard_index=number, num_shards=of)
        return shards.Shard(
            part,
            {name: labels[name] for name in part.names},
            self.builder_config.alignment,
            self.info.features,
            path,
            path.parent / f"{path.name}{shards.COUNTS}",
            self.builder_config.platform,
        )

    def _counted(self, records: Iterator[alignment.Record]) -> Iterator[alignment.Record]:
        """The records, with the bar moved on."""
        assert self._progress is not None
        for record in records:
            self._progress.update()
            counts = {"no_face": len(self.counts.undetected), "unreadable": len(self.counts.unreadable)}
            self._progress.set_postfix(counts, refresh=False)
            yield record

    def _download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """Makes the shards, in turn or by workers, and counts what came up."""
        total = len(self._photographs.names)
        with tqdm(total=total, unit="image", desc=self.name, dynamic_ncols=True) as self._progress:
            super()._download_and_prepare(*args, **kwargs)
        # Notes for workers, theirs, and what those that died left.
        for path in [*self.data_path.glob(f"*{shards.COUNTS}"), *self.data_path.glob(".*")]:
            path.unlink()

    def _have_written(self, wanted: Sequence[shards.Shard], workers: Workers) -> None:
        """Has workers write shards; where some fail, has others continue with what is missing.

        Raises:
          UserError: workers failed thrice in a row without a finished shard, or said what is wrong.
        """
        failures, missing = 0, list(wanted)
        notes = {shard.path: shards.note(shard) for shard in wanted}
        with self._watched():
            while missing:
                try:
                    workers.run(shards.write, [notes[shard.path] for shard in missing])
                    error = None
                except WorkersFailedError as raised:
                    _raise_if_users(raised)
                    error = raised
                left = [shard for shard in missing if not shard.path.exists()]
                failures = failures + 1 if len(left) == len(missing) else 0
                missing = left
                if not missing:
                    break
                line = _last_line(error) if error else "it did not write what it was asked to"
                if failures == _ATTEMPTS:
                    raise UserError(
                        f"{self.name}: Apache Beam failed {_ATTEMPTS} times without a file of records finished in "
                        f"between ({line}); nothing was kept"
                    ) from error
                done = f"{len(wanted) - len(missing)} of {len(wanted)} files of records are written"
                tqdm.write(f"{self.name}: a worker failed ({line}); {done}, going on with the others", sys.stderr)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Moves the bar on by what workers have written, as far as it has come to whole files."""
        done, progress = threading.Event(), self._progress
        assert progress is not None

        def move() -> None:
            finished = len(list(self.data_path.glob("*.tfrecord-*[0-9]"))) * self.builder_config.shard_size
            if min(progress.total, finished) > progress.n:
                progress.update(min(progress.total, finished) - progress.n)

        def watch() -> None:
            while not done.wait(_PROGRESS_SECONDS):
                move()

        watching = threading.Thread(target=watch, name="progress", daemon=True)
        watching.start()
        try:
            yield
        finally:
            done.set()
            watching.join()
            move()


def _raise_if_users(error: WorkersFailedError) -> None:
    """Raises what a worker said to the user, which its engine hands on as a part of a text."""
    told = re.findall(r"^(?:\S*: )?lowres_jax\.errors\.UserError: (.+)$", str(error), re.MULTILINE)
    if told:
        raise UserError(told[-1].partition(" [while running")[0]) from error


def _last_line(error: WorkersFailedError) -> str:
    """The line that says what went wrong, of an error whose text may be a whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].partition(" [while running")[0] if lines else "it says nothing"
