"""Record sets of made pictures, written by hand as TFDS lays them out: without TensorFlow, in milliseconds."""

import itertools
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import google_crc32c
import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from lowres_jax.data import lfw_pairs

FIELDS = {
    "label": np.int64,
    "name": tfds.features.Text(),
    "landmarks": tfds.features.Tensor(shape=(5, 2), dtype=np.float32),
    "score": np.float32,
    "source": tfds.features.Text(),
    "detected": np.bool_,
    "sharpness": np.float32,
}


def framed(data: bytes) -> bytes:
    """A TFRecord: length, its CRC, data, its CRC, as the format's documentation has it."""

    def masked(content: bytes) -> bytes:
        value = google_crc32c.value(content)
        return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) % 2**32)

    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def example(image: bytes, number: int, label: int | None = None, source: str = "a/b.jpg") -> bytes:
    message = tf_example_pb2.Example()
    feature = message.features.feature
    feature["image"].bytes_list.value.append(image)
    feature["label"].int64_list.value.append(number if label is None else label)
    feature["name"].bytes_list.value.append(f"Zoë {number if label is None else label}".encode())
    feature["source"].bytes_list.value.append(source.encode())
    feature["landmarks"].float_list.value.extend(np.arange(10) + number / 3)
    feature["score"].float_list.value.append(number / 7)
    feature["detected"].int64_list.value.append(number % 2)
    feature["sharpness"].float_list.value.append(100.0 * number)
    return message.SerializeToString()


def write_set(
    folder: Path,
    crops: np.ndarray,
    labels: Sequence[int] | None = None,
    shards: Sequence[int] = (),
    form: str = "png",
    sources: Sequence[str] = (),
) -> Path:
    """A set of crops (N, H, W, 3) uint8 RGB; record number n has sharpness 100 n.

    Args:
      folder: the set's, as "made/mtcnn"; its version is 1.0.0.
      crops: the pictures.
      labels: label of each; by default its number.
      shards: number of records in each file; by default all in one.
      form: "png" or "jpeg".
      sources: file names of the pictures; by default all the same.
    """
    folder = folder / "1.0.0"
    folder.mkdir(parents=True)
    image = tfds.features.Image(shape=crops.shape[1:], encoding_format=form)
    tfds.features.FeaturesDict({"image": image, **FIELDS}).save_config(str(folder))
    ending = ".jpg" if form == "jpeg" else ".png"
    shards = list(shards) or [len(crops)]
    numbers = iter(range(len(crops)))
    for shard, length in enumerate(shards):
        with (folder / f"made-test.tfrecord-{shard:05d}-of-{len(shards):05d}").open("wb") as file:
            for number in itertools.islice(numbers, length):
                content = cv2.imencode(ending, crops[number][..., ::-1])[1].tobytes()
                label = None if labels is None else labels[number]
                file.write(framed(example(content, number, label, *sources[number : number + 1])))
    splits = [{"name": "test", "shardLengths": [str(length) for length in shards]}]
    (folder / "dataset_info.json").write_text(json.dumps({"name": folder.parent.parent.name, "splits": splits}))
    return folder


def write_pairs(folder: Path, people: int) -> None:
    """Both lists of LFW's View 1: of the people P0, P1, ... each with itself and with the next, pictures 1 and 2."""
    same = [f"P{person}\t1\t2" for person in range(people)]
    other = [f"P{person}\t1\tP{(person + 1) % people}\t2" for person in range(people)]
    for view in ("view1_train", "view1_test"):
        (folder / lfw_pairs.VIEW_FILES[view]).write_text("\n".join([str(people), *same, *other]) + "\n")
