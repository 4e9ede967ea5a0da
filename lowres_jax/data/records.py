"""Prepared data sets: random access to TFRecords, decoded by TFDS, without TensorFlow.

The record files are mapped into memory and indexed once; a record is checked against its CRC whenever it is read.
Format: https://www.tensorflow.org/tutorials/load_data/tfrecord (length, its CRC, data, its CRC).
"""

import functools
import json
import mmap
import operator
import struct
from pathlib import Path
from typing import Any, SupportsIndex

import google_crc32c
import numpy as np
import tensorflow_datasets as tfds

from lowres_jax.data import lfw_pairs
from lowres_jax.errors import UserError

_HEADER, _FOOTER = 12, 4
_FACTS = ("label", "name", "source", "detected")


class RecordSource:
    """The records of a prepared data set, by position. Threads may share it; Grain takes it as a data source.

    Attributes:
      directory: folder with the record files and `dataset_info.json`.
    """

    def __init__(self, directory: Path):
        self.directory = directory
        self._features = tfds.features.FeaturesDict.from_config(str(directory))
        self._files: list[tuple[Path, mmap.mmap | bytes]] = []
        self._positions: list[tuple[int, int, int]] = []  # file, offset of the data, length
        for path in sorted(directory.glob("*.tfrecord-*")):
            self._index(path)

    def _index(self, path: Path) -> None:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
        number, offset = len(self._files), 0
        self._files.append((path, content))
        while offset < len(content):
            header = content[offset : offset + _HEADER]
            length = struct.unpack_from("<Q", header)[0] if len(header) == _HEADER else 0
            if len(header) < _HEADER or _masked_crc(header[:8]) != struct.unpack_from("<I", header, 8)[0]:
                raise self._damaged(path, offset, "its length is wrong")
            if offset + _HEADER + length + _FOOTER > len(content):
                raise self._damaged(path, offset, "the file ends within it")
            self._positions.append((number, offset + _HEADER, length))
            offset += _HEADER + length + _FOOTER

    def _damaged(self, path: Path, offset: int, what: str) -> UserError:
        return UserError(
            f"{path}: damaged at byte {offset:,} (record {len(self._positions):,}): {what}; "
            "prepare the data set again with --config.overwrite=true"
        )

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
        return _with_text(self._features.deserialize_example_np(self._data(operator.index(index))))

    def _data(self, index: int) -> bytes:
        number, offset, length = self._positions[index]
        path, content = self._files[number]
        data = content[offset : offset + length]
        if _masked_crc(data) != struct.unpack_from("<I", content[offset + length : offset + length + _FOOTER])[0]:
            raise UserError(
                f"{path}: record {index:,} is damaged (its checksum is wrong); "
                "prepare the data set again with --config.overwrite=true"
            )
        return data

    @functools.cached_property
    def _facts(self) -> dict[str, list[Any]]:
        """What is known of every record, without decoding a crop."""
        skip = {"image": tfds.decode.SkipDecoding()}
        wanted: dict[str, list[Any]] = {name: [] for name in _FACTS}
        for index in range(len(self)):
            record = _with_text(self._features.deserialize_example_np(self._data(index), decoders=skip))
            for name in _FACTS:
                wanted[name].append(record[name])
        return wanted

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64 identities."""
        return np.asarray(self._facts["label"], np.int64)

    @property
    def names(self) -> np.ndarray:
        """(N,) str, the person on each."""
        return np.asarray(self._facts["name"], str)

    @property
    def sources(self) -> list[str]:
        """(N,) file names of the photographs."""
        return self._facts["source"]

    @property
    def detected(self) -> np.ndarray:
        """(N,) bool: whether the detector found the face; the others are centre crops."""
        return np.asarray(self._facts["detected"], bool)

    @property
    def has_pairs(self) -> bool:
        """Whether the set came with LFW's pairs."""
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


def _masked_crc(data: bytes) -> int:
    """The CRC-32C of TFRecord files, rotated and shifted by a constant."""
    value = google_crc32c.value(data)
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _with_text(record: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value.decode() if isinstance(value, bytes) and key != "image" else value for key, value in record.items()
    }


def version_directory(directory: Path) -> Path | None:
    """The folder of a prepared set's newest version: the folder itself, or one in it; None without one."""
    directory = Path(directory)
    candidates = [directory, *sorted(directory.glob("[0-9]*.[0-9]*.[0-9]*"), reverse=True)]
    return next((each for each in candidates if (each / "dataset_info.json").is_file()), None)


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
        raise UserError(
            f"{directory}: no prepared data set; "
            f"run: python -m lowres_jax.main --config=configs/prepare_{builder or 'orl_faces'}.py"
        )
    try:
        source = RecordSource(found)
    except OSError as error:
        raise UserError(f"{found}: cannot be read ({error.strerror or error})") from error
    splits = json.loads((found / "dataset_info.json").read_text())["splits"]
    announced = sum(int(length) for split in splits for length in split["shardLengths"])
    if announced != len(source):
        raise UserError(
            f"{found}: {len(source):,} records, but {announced:,} were written; files are missing: "
            "prepare the data set again with --config.overwrite=true"
        )
    return source
