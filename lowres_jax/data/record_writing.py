"""Writes TFRecord files as TFDS lays them out, without TensorFlow: parts of sets for machines that have none."""

import json
import struct
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from lowres_jax.data.records import RecordSource, masked_crc
from lowres_jax.runtime.signals import interruptible


def framed(data: bytes) -> bytes:
    """A record of a TFRecord file: length, its CRC, data, its CRC."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def with_jpeg(example: bytes, crop: np.ndarray, quality: int) -> bytes:
    """A serialized Example, its image replaced by a crop (H, W, 3) uint8 RGB as JPEG of a quality of 1 to 100."""
    message = tf_example_pb2.Example.FromString(example)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    encoded = cv2.imencode(".jpg", crop[..., ::-1], options)[1].tobytes()
    message.features.feature["image"].bytes_list.value[:] = [encoded]
    return message.SerializeToString()


def records_within(source: RecordSource, positions: Iterable[int], quality: int, size: int) -> list[bytes]:
    """The first records, as JPEG, that fit into a number of bytes.

    Args:
      source: a prepared set.
      positions: positions of the records, the more important ones first.
      quality: quality of JPEG, 1 to 100.
      size: bytes that they may take together in a file.

    Returns:
      Serialized Examples.
    """
    records: list[bytes] = []
    for position in interruptible(positions):
        crop = source.crops(np.asarray([position]))[0][0]
        record = with_jpeg(source.example(position), crop, quality)
        size -= len(framed(record))
        if size < 0:
            break
        records.append(record)
    return records


def write_set(folder: Path, like: RecordSource, records: list[bytes]) -> None:
    """Writes a prepared set of JPEG crops in one file, which TFDS opens as it does those it wrote itself.

    Args:
      folder: folder of the set's version, as "DATA_DIR/casia_webface/mtcnn_jpeg/1.0.0".
      like: the set that the records were taken from.
      records: serialized Examples.
    """
    folder.mkdir(parents=True)
    features = dict(tfds.features.FeaturesDict.from_config(str(like.directory)))
    features["image"] = tfds.features.Image(shape=features["image"].shape, encoding_format="jpeg")
    tfds.features.FeaturesDict(features).save_config(str(folder))
    described = json.loads((like.directory / "dataset_info.json").read_text())
    split = described["splits"][0]["name"]
    file_name = f"{described['name']}-{split}.tfrecord-00000-of-00001"
    (folder / file_name).write_bytes(b"".join(map(framed, records)))
    described["splits"] = [
        described["splits"][0]
        | {"shardLengths": [str(len(records))], "numBytes": str((folder / file_name).stat().st_size)}
    ]
    (folder / "dataset_info.json").write_text(json.dumps(described, indent=1))
