"""Galleries of planted templates, and faces read from pictures.

Covers `matching/enrollment.py` too.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from lowres_jax.data import images
from lowres_jax.faces.reader import FaceReader, nearest_cut_size
from lowres_jax.localization import align, paste
from lowres_jax.localization.detector import Face, load_detector
from lowres_jax.matching.gallery import Gallery, people_in, people_of_several_folders
from lowres_jax.super_resolution.upscaler import UpscalerBySize, load_upscaler


def unit(degrees: float) -> np.ndarray:
    return np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))], np.float32)


def test_people_are_enrolled_by_the_mean_of_their_templates():
    gallery = Gallery({"anna": [unit(0), unit(40)], "bert": [unit(90)]})

    np.testing.assert_allclose(gallery.templates[0], unit(20), atol=1e-6)
    matches = gallery.search(unit(50), ranks=5, similarity=2.0)
    assert [match.name for match in matches] == ["anna", "bert"]
    assert matches[0].similarity == pytest.approx(np.cos(np.deg2rad(30)), abs=1e-6)
    assert matches[1].similarity == pytest.approx(np.cos(np.deg2rad(40)), abs=1e-6)


def test_a_search_tells_of_the_first_and_of_all_who_reach_the_threshold():
    gallery = Gallery({str(angle): [unit(angle)] for angle in (70, 10, 20, 10.0001, 40, 30)})

    def names(ranks: int, degrees: float) -> list[str]:
        return [match.name for match in gallery.search(unit(0), ranks, float(np.cos(np.deg2rad(degrees))))]

    assert names(2, 5) == ["10", "10.0001"]
    assert names(1, 35) == ["10", "10.0001", "20", "30"]
    assert names(100, 5) == ["10", "10.0001", "20", "30", "40", "70"]
    assert names(3, 15) == ["10", "10.0001", "20"]
    assert names(0, 5) == []


def test_people_by_subfolder_or_file(tmp_path):
    paths = [tmp_path / name for name in ("zoe.jpg", "anna/1.jpg", "anna/old/2.jpg", "anna.png")]

    found = people_in(tmp_path, paths)

    assert list(found) == ["anna", "zoe"]
    assert found["anna"] == [tmp_path / "anna/1.jpg", tmp_path / "anna/old/2.jpg", tmp_path / "anna.png"]
    assert people_in(Path("a/b.jpg"), [Path("a/b.jpg")]) == {"b": [Path("a/b.jpg")]}


def test_everybody_who_was_meant_is_there(tmp_path):
    for folder in ("anna", "empty", ".thumbnails", "@eaDir", "Andre\N{COMBINING ACUTE ACCENT}"):
        (tmp_path / folder).mkdir()
    paths = [tmp_path / "anna/1.jpg", tmp_path / "Andre\N{COMBINING ACUTE ACCENT}/1.jpg"]

    found = people_in(tmp_path, paths)

    assert {name: len(own) for name, own in found.items()} == {"André": 1, "anna": 1, "empty": 0}


def test_a_gallery_one_level_too_high_is_noticed(tmp_path):
    people = {
        "people": [tmp_path / "people" / name for name in ("anna/1.jpg", "bert/1.jpg", "bert/2.jpg")],
        "carl": [tmp_path / "carl" / name for name in ("1.jpg", "old/2.jpg")],
    }
    assert people_of_several_folders(tmp_path, people) == {"people": ["anna", "bert"]}


def test_cut_sizes_are_the_nearest_in_ratio():
    assert [nearest_cut_size(size) for size in (8, 11, 12, 20, 27, 28, 33, 40, 63)] == [
        8,
        8,
        16,
        24,
        24,
        32,
        32,
        48,
        64,
    ]


class Planted:
    """Finds the same face in every picture wider than 100 pixels."""

    name, sure_score = "planted", 0.0

    def __init__(self, face: Face):
        self.face = face

    def detect(self, image: np.ndarray) -> list[Face]:
        return [self.face] if image.shape[1] > 100 else []

    def detect_batch(self, pictures) -> list[list[Face]]:
        return [self.detect(picture) for picture in pictures]


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return skimage.data.astronaut().astype(np.float32) / 255.0


@pytest.fixture(scope="module")
def face(astronaut) -> Face:
    return load_detector("mtcnn").detect(astronaut)[0]


def test_a_large_face_is_cut_and_not_enlarged(tmp_path, recognizer, astronaut, face):
    images.write_image(tmp_path / "large.png", astronaut)
    (tmp_path / "text.jpg").write_text("no picture")
    images.write_image(tmp_path / "none.png", astronaut[:64, :64])
    reader = FaceReader(
        Planted(face), UpscalerBySize([load_upscaler("bicubic")]), recognizer, small_face=64, look_again=False
    )

    large, text, none = reader.read([tmp_path / name for name in ("large.png", "text.jpg", "none.png")])

    assert text.problem.startswith(str(tmp_path / "text.jpg"))
    assert (none.problem, none.faces) == ("", [])
    (view,) = large.faces
    expected = align.crop_face(astronaut, face)
    assert view.cut_size == 0
    assert view.native_size == paste.native_size(face, astronaut.shape)
    assert view.native_size > 64
    np.testing.assert_array_equal(view.crop, images.to_uint8(expected))
    np.testing.assert_allclose(view.template, recognizer.templates(expected[None])[0], atol=2e-5)
    assert large.chosen("largest") is view


def test_a_small_face_is_cut_at_its_size_and_enlarged(tmp_path, recognizer, astronaut, face):
    scale = 30 / paste.native_size(face, astronaut.shape)
    side = round(512 * scale)
    picture = images.to_uint8(cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA)) / np.float32(255)
    small = Face(face.box * (side / 512), 1.0, (face.landmarks + 0.5) * (side / 512) - 0.5)
    images.write_image(tmp_path / "small.png", picture)
    upscaler = load_upscaler("bicubic")
    reader = FaceReader(Planted(small), UpscalerBySize([upscaler]), recognizer, small_face=64)

    (found,) = reader.read([tmp_path / "small.png"])

    (view,) = found.faces
    assert (view.native_size, view.cut_size) == (30, 32)
    cut = align.crop_face(picture, small, 32)
    np.testing.assert_array_equal(view.cut, images.to_uint8(cut))
    np.testing.assert_array_equal(view.crop, images.to_uint8(upscaler(cut[None])[0]))
    original = recognizer.templates(align.crop_face(astronaut, face)[None])[0]
    assert view.template @ original > 0.7  # .72 when this was written; unrelated people: about 0
