"""Records read without TensorFlow, against TFDS's own decoders, on files written by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds
from made_records import example, write_set

from lowres_jax.data.records import open_records, version_directory
from lowres_jax.errors import UserError


@pytest.fixture(params=["png", "jpeg"])
def directory(request, tmp_path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    return write_set(tmp_path / "made" / "mtcnn", pixels, shards=(3, 2), form=request.param)


def test_every_field_is_what_tfds_decodes(directory):
    source = open_records(directory.parent)
    features = tfds.features.FeaturesDict.from_config(str(directory))

    assert len(source) == 5
    for index in range(5):
        record = source[index]
        image = cv2.imencode(".png", record["image"][..., ::-1])[1].tobytes()
        expected = features.deserialize_example_np(example(image, index))
        assert record.keys() == expected.keys()
        for name, value in expected.items():
            value = value.decode() if name in ("name", "source") else value
            assert type(record[name]) is type(value)
            np.testing.assert_array_equal(record[name], value)
            if isinstance(value, np.ndarray):
                assert record[name].dtype == value.dtype
        data = source.example(index)
        np.testing.assert_array_equal(record["image"], features.deserialize_example_np(data)["image"])
    assert source[-1]["name"] == "Zoë 4"
    with pytest.raises(IndexError):
        source[5]


def test_facts_of_all_records_come_without_their_images(directory):
    source = open_records(directory.parent)

    assert source.labels.tolist() == [0, 1, 2, 3, 4]
    assert source.names.tolist() == [f"Zoë {number}" for number in range(5)]
    assert source.sources == ["a/b.jpg"] * 5
    assert source.detected.tolist() == [False, True, False, True, False]
    assert source.sharpness.tolist() == [0.0, 100.0, 200.0, 300.0, 400.0]
    assert not source.has_pairs


def test_the_newest_whole_version_is_opened(directory):
    newer = directory.with_name("1.10.0")
    older = directory.with_name("1.9.0")
    unfinished = directory.with_name("2.0.0.incompleteABC123")
    for folder in (newer, older, unfinished):
        folder.mkdir()
        (folder / "dataset_info.json").write_text("{}")

    assert version_directory(directory.parent) == newer
    assert version_directory(directory) == directory
    assert version_directory(unfinished) is None


@pytest.mark.parametrize(
    ("file", "content"), [("dataset_info.json", "{"), ("features.json", "{}"), ("features.json", "")]
)
def test_a_damaged_description_is_named(directory, file, content):
    (directory / file).write_text(content)

    with pytest.raises(UserError, match=r"1\.0\.0: its description is damaged .*overwrite=true"):
        open_records(directory)


def test_a_damaged_record_of_a_later_shard_has_its_number_in_the_set(directory):
    shard = directory / "made-test.tfrecord-00001-of-00002"
    content = bytearray(shard.read_bytes())
    shard.write_bytes(content[:-1])

    with pytest.raises(UserError, match=r"00001-of-00002: damaged at byte .* \(record 4\): the file ends within it"):
        open_records(directory)

    content[-20] ^= 4
    shard.write_bytes(content)
    source = open_records(directory)
    assert source[3]["label"] == 3
    with pytest.raises(UserError, match="record 4 is damaged"):
        source[4]
