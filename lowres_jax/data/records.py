"""Prepared data sets: random access to TFRecords, without TensorFlow.

The record files are mapped into memory and indexed once; a record is checked against its CRC whenever it is read.
Format: https://www.tensorflow.org/tutorials/load_data/tfrecord (length, its CRC, data, its CRC).

A record is a tf.train.Example, parsed by TFDS's own message class, and its crop is decoded by TFDS's own image feature.
Only the fields between are unpacked here: TFDS's `deserialize_example_np` takes 0.2 ms for them, as long as a JPEG
takes to decode, and holds Python's lock meanwhile; this takes 0.03 ms. A test compares both, field by field.
"""

import functools
import hashlib
import importlib.util
import json
import mmap
import operator
import re
import struct
from pathlib import Path
from typing import Any, SupportsIndex

import google_crc32c
import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Bool, Float, Integer, Shaped
from tensorflow_datasets.proto import tf_example_pb2

from lowres_jax.data import lfw_pairs
from lowres_jax.errors import UserError

_HEADER, _FOOTER = 12, 4
_FACTS = ("label", "name", "source", "detected", "sharpness")


class RecordSource:
    """The records of a prepared data set, by position. Threads may share it; Grain takes it as a data source.

    Attributes:
      directory: folder with the record files and `dataset_info.json`.
    """

    def __init__(self, directory: Path):
        self.directory = directory
        features = tfds.features.FeaturesDict.from_config(str(directory))
        self._decode_image = features["image"].decode_example_np
        # TensorInfo works its dtype out at every look, which takes longer than all the rest.
        tensors = {name: info for name, info in features.get_tensor_info().items() if name != "image"}
        self._kinds = {name: (tuple(info.shape), np.dtype(info.np_dtype)) for name, info in tensors.items()}
        self._files: list[tuple[Path, mmap.mmap | bytes]] = []
        positions: list[tuple[int, int, int]] = []
        for path in sorted(directory.glob("*.tfrecord-*")):
            positions += self._index(path, len(positions))
        # File, offset of the data, length of each record.
        self._positions = np.asarray(positions, np.int64).reshape(-1, 3)

    def _index(self, path: Path, before: int) -> list[tuple[int, int, int]]:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
        number, offset = len(self._files), 0
        positions: list[tuple[int, int, int]] = []
        self._files.append((path, content))
        while offset < len(content):
            header = content[offset : offset + _HEADER]
            length = struct.unpack_from("<Q", header)[0] if len(header) == _HEADER else 0
            if len(header) < _HEADER or masked_crc(header[:8]) != struct.unpack_from("<I", header, 8)[0]:
                raise _damaged(path, offset, before + len(positions), "its length is wrong")
            if offset + _HEADER + length + _FOOTER > len(content):
                raise _damaged(path, offset, before + len(positions), "the file ends within it")
            positions.append((number, offset + _HEADER, length))
            offset += _HEADER + length + _FOOTER
        return positions

    def __reduce__(self) -> tuple[type["RecordSource"], tuple[Path]]:
        # Worker processes map the files again: a map cannot be sent.
        return RecordSource, (self.directory,)

    def __len__(self) -> int:
        return len(self._positions)

    def __repr__(self) -> str:
        # Grain compares this when it resumes.
        return f"RecordSource({str(self.directory)!r}, {len(self)} records)"

    def __getitem__(self, index: SupportsIndex) -> dict[str, Any]:
        """A record, its crop decoded.

        Args:
          index: position, from 0.

        Returns:
          image (size, size, 3) uint8 RGB, label int, name and source str, box (4,) and landmarks (5, 2) float32 in
          pixels of the photograph, has_landmarks bool, score float, detector str, detected bool, sharpness float.

        Raises:
          UserError: the record is damaged.
        """
        fields = tf_example_pb2.Example.FromString(self.example(operator.index(index))).features.feature
        record = {name: _value(fields[name], *kind) for name, kind in self._kinds.items()}
        return {"image": self._decode_image(fields["image"].bytes_list.value[0])} | record

    def crops(self, indices: Integer[np.ndarray, " B"]) -> tuple[np.ndarray, np.ndarray]:
        """The crops of several records and their labels.

        Args:
          indices: (B,) int64 positions.

        Returns:
          Images (B, size, size, 3) uint8 RGB and labels (B,) int64.

        Raises:
          UserError: a record is damaged.
        """
        encoded, labels = [], np.empty(len(indices), np.int64)
        for row, index in enumerate(indices.tolist()):
            fields = tf_example_pb2.Example.FromString(self.example(index)).features.feature
            encoded.append(fields["image"].bytes_list.value[0])
            labels[row] = fields["label"].int64_list.value[0]
        return np.stack([self._decode_image(each) for each in encoded]), labels

    def example(self, index: int) -> bytes:
        """A record as it lies in its file: a serialized tf.train.Example.

        Raises:
          UserError: the record is damaged.
        """
        number, offset, length = self._positions[index].tolist()
        path, content = self._files[number]
        data = content[offset : offset + length]
        if masked_crc(data) != struct.unpack_from("<I", content[offset + length : offset + length + _FOOTER])[0]:
            raise UserError(
                f"{path}: record {index:,} is damaged (its checksum is wrong); "
                "prepare the data set again with --config.overwrite=true"
            )
        return data

    @functools.cached_property
    def _facts(self) -> dict[str, list[Any]]:
        """The facts of every record, without decoding a crop."""
        facts: dict[str, list[Any]] = {name: [] for name in _FACTS}
        for index in range(len(self)):
            fields = tf_example_pb2.Example.FromString(self.example(index)).features.feature
            for name in _FACTS:
                if name in self._kinds:
                    facts[name].append(_value(fields[name], *self._kinds[name]))
        return facts

    @property
    def labels(self) -> Integer[np.ndarray, " N"]:
        """(N,) int64 identities."""
        return np.asarray(self._facts["label"], np.int64)

    @property
    def names(self) -> Shaped[np.ndarray, " N"]:
        """(N,) str, the person on each."""
        return np.asarray(self._facts["name"], str)

    @property
    def sources(self) -> list[str]:
        """(N,) file names of the photographs."""
        return self._facts["source"]

    @property
    def detected(self) -> Bool[np.ndarray, " N"]:
        """(N,) bool: whether the detector found the face; the others are center crops."""
        return np.asarray(self._facts["detected"], bool)

    @property
    def sharpness(self) -> Float[np.ndarray, " N"]:
        """(N,) float32 variance of the Laplacian of each crop."""
        return np.asarray(self._facts["sharpness"], np.float32)

    def digest(self) -> str:
        """A digest of the content of all records: what is made from them is kept under it."""
        digest = hashlib.sha256()
        for path, content in self._files:
            digest.update(path.name.encode() + hashlib.sha256(content).digest())
        return digest.hexdigest()

    @property
    def has_pairs(self) -> bool:
        """True if the set came with LFW's pairs."""
        return (self.directory / lfw_pairs.VIEW_FILES["view2"]).is_file()

    def pairs(self, view: str) -> lfw_pairs.PairIndices:
        """LFW's pairs of a view as positions of records.

        Args:
          view: "view2", "view1_train" or "view1_test".

        Raises:
          UserError: the set has no such pairs, or one of them names a missing image.
        """
        pairs = lfw_pairs.load_pairs(self.directory, view)
        return lfw_pairs.locate_pairs(pairs, self.sources, str(self.directory / lfw_pairs.VIEW_FILES[view]))


def masked_crc(data: bytes) -> int:
    """The CRC-32C of TFRecord files, rotated and shifted by a constant."""
    value = google_crc32c.value(data)
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _damaged(path: Path, offset: int, record: int, what: str) -> UserError:
    return UserError(
        f"{path}: damaged at byte {offset:,} (record {record:,}): {what}; "
        "prepare the data set again with --config.overwrite=true"
    )


def _value(field: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """One field of an Example as TFDS gives it: a number, a text, or an array of the feature's shape and dtype."""
    if field.HasField("bytes_list"):
        return field.bytes_list.value[0].decode()
    values = (field.int64_list if field.HasField("int64_list") else field.float_list).value
    return np.array(values, dtype).reshape(shape) if shape else dtype.type(values[0]).item()


def version_directory(directory: Path) -> Path | None:
    """The folder of a prepared set's newest version: the folder itself, or one in it; None without one."""
    directory = Path(directory)
    # TFDS writes into "1.0.0.incomplete..." until the set is whole.
    versions = [each for each in directory.glob("[0-9]*") if re.fullmatch(r"\d+\.\d+\.\d+", each.name)]
    versions.sort(key=lambda each: [int(part) for part in each.name.split(".")], reverse=True)
    candidates = [] if ".incomplete" in directory.name else [directory, *versions]
    return next((each for each in candidates if (each / "dataset_info.json").is_file()), None)


def missing_files(directory: Path, count: int) -> list[str]:
    """Missing record files of a set of `count` files: endings, as "tfrecord-00003-of-00007"."""
    there = {path.name.rpartition(".")[2] for path in directory.glob("*.tfrecord-*")}
    return [ending for number in range(count) if (ending := f"tfrecord-{number:05d}-of-{count:05d}") not in there]


def preparing(builder: str) -> str:
    """The command that prepares a set; where TensorFlow is not installed, which writes TFRecords, that too."""
    install = "" if importlib.util.find_spec("tensorflow") else "pip install 'lowres-jax[prepare]' && "
    return f"{install}lowres-jax prepare_{builder}"


def open_records(directory: Path) -> RecordSource:
    """Opens a prepared data set.

    Args:
      directory: "DATA_DIR/orl_faces/mtcnn", or the version's folder in it.

    Raises:
      UserError: the set is not prepared, is incomplete, or damaged.
    """
    found = version_directory(directory)
    if found is None:
        builder = Path(directory).parent.name
        raise UserError(f"{directory}: no prepared data set; run: {preparing(builder or 'orl_faces')}")
    try:
        splits = json.loads((found / "dataset_info.json").read_text())["splits"]
        lengths = [int(length) for split in splits for length in split["shardLengths"]]
        announced = sum(lengths)
        lost = missing_files(found, len(lengths))
        if lost:
            raise UserError(
                f"{found}: {len(lost)} of {len(lengths)} files of records are missing, {lost[0]} among them; copy the "
                "set again, or prepare it again with --config.overwrite=true"
            )
        source = RecordSource(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{found}: its description is damaged ({error}); prepare the data set again with --config.overwrite=true"
        ) from error
    if announced != len(source):
        raise UserError(
            f"{found}: {len(source):,} records, but {announced:,} were written; a file was cut short: "
            "prepare the data set again with --config.overwrite=true"
        )
    return source
