"""What builders read, and how much of it at once."""

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.preparation.builders import aligned_faces, lfw, portraits
from lowres_jax.preparation.photographs import Photograph, natural_order, open_photographs

MAGIC = struct.pack("<I", 0xCED7230A)


def parts_of(payload: bytes) -> bytes:
    """A record as MXNet writes it: split at every aligned magic number, which is left out."""
    cuts = [place for place in range(0, len(payload) - 3, 4) if payload[place : place + 4] == MAGIC]
    starts, ends = [0, *(cut + 4 for cut in cuts)], [*cuts, len(payload)]
    written = b""
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        kind = 0 if not cuts else 1 if number == 0 else 3 if end == len(payload) else 2
        written += MAGIC + struct.pack("<I", kind << 29 | end - start) + payload[start:end] + bytes((start - end) % 4)
    return written


def write_record_io(folder, payloads):
    content, index = b"", ""
    for key, payload in enumerate(payloads):
        index += f"{key}\t{len(content)}\n"
        content += parts_of(payload)
    (folder / "train.rec").write_bytes(content)
    (folder / "train.idx").write_text(index)


def test_a_picture_that_holds_the_magic_number_is_put_together(tmp_path):
    picture = b"JPEG" + MAGIC + b"more" + MAGIC + b"end"
    listed = struct.pack("<IfQQ", 2, 0, 0, 0) + struct.pack("<ff", 3, 4)
    several_labels = struct.pack("<IfQQ", 2, 0, 2, 0) + struct.pack("<ff", 9, 1)
    write_record_io(tmp_path, [listed, struct.pack("<IfQQ", 0, 5, 1, 0) + picture, several_labels + picture, b"list"])

    found = list(open_photographs(tmp_path).read())

    assert [(each.name, each.content, each.source) for each in found] == [
        ("0000005", picture, "train.rec#1"),
        ("0000009", picture, "train.rec#2"),
    ]


def test_without_a_head_record_zero_is_a_picture(tmp_path):
    write_record_io(tmp_path, [struct.pack("<IfQQ", 0, label, 0, 0) + b"picture!" for label in (3, 1)])

    assert open_photographs(tmp_path / "train.rec").names == ["0000003", "0000001"]


def encoded(height: int, width: int) -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def test_large_pictures_go_through_the_detector_in_smaller_numbers():
    small, large = encoded(100, 100), encoded(3000, 3000)
    contents = [small] * 70 + [large] * 3 + [b"no picture"] * 2 + [small]

    chunks = list(aligned_faces.in_chunks(Photograph("a", str(number), each) for number, each in enumerate(contents)))

    # Two pictures of 9 million pixels are over the 17 million that a chunk may have.
    assert [len(chunk) for chunk in chunks] == [64, 7, 1, 4]
    assert [each.source for chunk in chunks for each in chunk] == [str(number) for number in range(76)]


def test_an_enormous_picture_is_unreadable_and_named():
    header = struct.pack(">II5B", 20_000, 20_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + b"\0\0\0\0"
    large = Photograph("a", "a/large.png", content)

    assert list(aligned_faces.in_chunks([large])) == [[large]]
    _, error = aligned_faces._decode(large)

    assert isinstance(error, images.UnreadableImageError)
    assert str(error).startswith("a/large.png: ")


def test_a_margin_repeats_the_outermost_pixels():
    _, content = cv2.imencode(".png", np.asarray([[10, 20], [30, 40]], np.uint8))

    _, image = aligned_faces._decode(Photograph("a", "a/1.png", content.tobytes(), margin=1))

    expected = [[10, 10, 20, 20], [10, 10, 20, 20], [30, 30, 40, 40], [30, 30, 40, 40]]
    np.testing.assert_array_equal(np.round(image[..., 0] * 255), expected)


def test_jpeg_crops_keep_their_colour_resolution():
    crop = np.zeros((32, 32, 3), np.float32)
    crop[:, ::2, 0] = 1  # columns of one pixel, which 4:2:0 would blend

    decoded = cv2.imdecode(np.frombuffer(aligned_faces.encode(crop, "jpeg"), np.uint8), 1)[..., ::-1]
    lossless = cv2.imdecode(np.frombuffer(aligned_faces.encode(crop, "png"), np.uint8), 1)[..., ::-1]

    np.testing.assert_allclose(decoded, crop * 255, atol=30)
    np.testing.assert_array_equal(lossless, crop * 255)


def test_credits_and_pairs_accompany_their_sets(tmp_path):
    with pytest.raises(UserError, match=r"person_a_1\.jpg: no such file; leave config\.source empty"):
        portraits.photographs(str(tmp_path))
    pictures = [f"{kind}_{number}.jpg" for kind in ("person_a", "person_b", "impostor") for number in (1, 2)]
    for file in [*pictures, "CREDITS.md"]:
        (tmp_path / file).write_bytes(b"x")
    person = tmp_path / "lfw" / "Ann_A"
    person.mkdir(parents=True)
    (person / "Ann_A_0001.jpg").write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    for folder, text in ((tmp_path, "beside"), (tmp_path / "elsewhere", "given")):
        (folder / "pairs.txt").write_text(text)
    (tmp_path / "pairsDevTest.txt").write_text("beside")

    found = portraits.photographs(str(tmp_path))
    beside = lfw.photographs(str(tmp_path / "lfw"))
    given = lfw.photographs(str(tmp_path / "lfw"), str(tmp_path / "elsewhere"))

    assert found.companions == [tmp_path / "CREDITS.md"]
    assert found.names.count("Jacinda_Ardern") == 2
    assert [photograph.name for photograph in found.read()] == found.names
    assert beside.companions == [tmp_path / "pairs.txt", tmp_path / "pairsDevTest.txt"]
    assert given.companions == [tmp_path / "elsewhere" / "pairs.txt"]


def test_a_folder_without_pictures_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")

    with pytest.raises(UserError, match="no pictures in this folder"):
        open_photographs(tmp_path)


def test_names_that_are_equal_as_numbers_have_one_order():
    names = ["s10", "01", "s2", "1", "001", "s\N{SUPERSCRIPT TWO}", "s02"]
    expected = ["001", "01", "1", "s02", "s2", "s10", "s\N{SUPERSCRIPT TWO}"]
    for order in (names, names[::-1], sorted(names)):
        assert sorted(order, key=natural_order) == expected
