"""Content that builders read, and how much of it at once.

Covers `preparation/alignment.py`, `preparation/archives.py`, `preparation/builders/lfw.py`,
`preparation/builders/portraits.py`, `preparation/record_io.py` too.
"""

import io
import os
import struct
import tarfile
import warnings
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image

from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.preparation import alignment
from lowres_jax.preparation.builders import lfw, portraits
from lowres_jax.preparation.photographs import Photograph, natural_order
from lowres_jax.preparation.sources import open_photographs

pytestmark = pytest.mark.slow

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


def test_an_index_may_begin_at_one(tmp_path):
    write_record_io(tmp_path, [struct.pack("<IfQQ", 0, label, 0, 0) + b"picture%d" % label for label in (3, 1, 2)])
    lines = (tmp_path / "train.idx").read_text().splitlines()
    (tmp_path / "train.idx").write_text("\n".join(lines[1:]))

    found = open_photographs(tmp_path / "train.rec")

    assert found.sources == ["train.rec#1", "train.rec#2"]
    assert [(each.name, each.content) for each in found.read()] == [("0000001", b"picture1"), ("0000002", b"picture2")]


def write_faces_folder(folder):
    """Two people; one of them behind a link, and one picture of the other behind one."""
    for file, content in {"anna/1.jpg": b"one", "anna/2.png": b"two", ".elsewhere/3.jpg": b"three"}.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    (folder / "people").mkdir()
    (folder / "people" / "3.jpg").write_bytes(b"three")
    (folder / "berta").symlink_to("people")
    (folder / "anna" / "4.jpg").symlink_to("../people/3.jpg")
    (folder / "anna" / "up").symlink_to("..")
    (folder / "anna" / "notes.txt").write_text("no picture")
    (folder / "@eaDir").mkdir()
    (folder / "@eaDir" / "1.jpg").write_bytes(b"thumbnail")


def test_an_archive_with_links_gives_what_the_unpacked_folder_gives(tmp_path):
    write_faces_folder(tmp_path / "faces")
    expected = open_photographs(tmp_path / "faces")
    expected_read = sorted((each.name, each.source, each.content) for each in expected.read())
    assert expected_read == [
        ("anna", "anna/1.jpg", b"one"),
        ("anna", "anna/2.png", b"two"),
        ("anna", "anna/4.jpg", b"three"),
        ("berta", "berta/3.jpg", b"three"),
        ("people", "people/3.jpg", b"three"),
    ]
    for name, mode in (("faces.tar", "w"), ("faces.tgz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as archive:
            archive.add(tmp_path / "faces", "set/faces")
        found = open_photographs(tmp_path / name)
        assert sorted((each.name, each.source, each.content) for each in found.read()) == expected_read
        assert sorted(found.sources) == sorted(source for _, source, _ in expected_read)
        assert found.remarks == [
            f"{tmp_path / name}: 1 file is no picture that can be read, ignored: 1 .txt",
            f"{tmp_path / name}: 2 hidden or system folders left out (as .thumbnails, @eaDir)",
        ]


@pytest.mark.parametrize("ending", ["tgz", "zip"])
def test_pictures_in_archives_are_found_by_what_they_hold_and_the_last_of_a_name_counts(tmp_path, ending):
    files = [("set/anna/1.png", encoded(4, 4)), ("set/anna/photo", encoded(4, 5)), ("set/anna/notes", b"no picture")]
    files += [("set/berta/1.png", b"first"), ("set/berta/1.png", b"last")]
    path = tmp_path / f"faces.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the name that comes twice
            for name, content in files:
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for name, content in files:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    found = open_photographs(path)

    assert [(each.source, each.content) for each in found.read()] == [
        ("anna/1.png", encoded(4, 4)),
        ("anna/photo", encoded(4, 5)),
        ("berta/1.png", b"last"),
    ]
    assert found.remarks == [f"{path}: 1 file is no picture that can be read, ignored: 1 without ending"]


def test_zip_archives(tmp_path):
    with zipfile.ZipFile(tmp_path / "lfw.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lfw/Ann_A/Ann_A_0001.jpg", b"one")
        archive.writestr("__MACOSX/lfw/Ann_A/._Ann_A_0001.jpg", b"resource fork")
        archive.writestr("lfw/Andre\N{COMBINING ACUTE ACCENT}_B/b.png", b"two")
        link = zipfile.ZipInfo("lfw/Ann_A/Ann_A_0002.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "Ann_A_0001.jpg")
    found = open_photographs(tmp_path / "lfw.zip")
    assert [(each.name, each.source, each.content) for each in found.read()] == [
        ("Ann_A", "Ann_A/Ann_A_0001.jpg", b"one"),
        ("André_B", "Andre\N{COMBINING ACUTE ACCENT}_B/b.png", b"two"),
        ("Ann_A", "Ann_A/Ann_A_0002.jpg", b"one"),
    ]
    assert found.remarks == [f"{tmp_path / 'lfw.zip'}: 1 hidden or system folder left out (as .thumbnails, @eaDir)"]


def test_archives_are_refused_for_the_true_reason(tmp_path):
    (tmp_path / "a.rar").write_bytes(b"Rar!" + bytes(100))
    with pytest.raises(UserError, match=r"a\.rar: not a readable archive, tar or zip"):
        open_photographs(tmp_path / "a.rar")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("readme.txt", "none")
    with pytest.raises(UserError, match=r"a\.zip: no pictures in the archive \(.*1 file is no picture.*1 \.txt\)"):
        open_photographs(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("a/1.jpg", b"x" * 100)
    content = bytearray((tmp_path / "b.zip").read_bytes())
    content[50] ^= 1
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"b\.zip: a damaged zip archive"):
        list(open_photographs(tmp_path / "b.zip").read())
    # The flag of a password, in both headers.
    content[50] ^= 1
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"b\.zip: .*password.*; unpack it first"):
        list(open_photographs(tmp_path / "b.zip").read())


def test_names_that_are_no_text_and_unicode_forms(tmp_path):
    for name in (os.fsdecode(b"M\xfcller"), "Andre\N{COMBINING ACUTE ACCENT}"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"x")
    found = open_photographs(tmp_path)
    assert sorted(set(found.names)) == ["André", "M\\xfcller"]
    for each in found.read():
        each.source.encode()


def encoded(height: int, width: int) -> bytes:
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def test_large_pictures_go_through_the_detector_in_smaller_numbers():
    small, large = encoded(100, 100), encoded(3000, 3000)
    contents = [small] * 70 + [large] * 3 + [b"no picture"] * 2 + [small]

    chunks = list(alignment.in_chunks(Photograph("a", str(number), each) for number, each in enumerate(contents)))

    # Two pictures of 9 million pixels are over the 17 million that a chunk may have.
    assert [len(chunk) for chunk in chunks] == [64, 7, 1, 4]
    assert [each.source for chunk in chunks for each in chunk] == [str(number) for number in range(76)]


def test_an_enormous_picture_is_unreadable_and_named():
    header = struct.pack(">II5B", 20_000, 20_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + b"\0\0\0\0"
    large = Photograph("a", "a/large.png", content)

    assert list(alignment.in_chunks([large])) == [[large]]
    _, error = alignment._decode(large)

    assert isinstance(error, images.UnreadableImageError)
    assert str(error).startswith("a/large.png: ")


def test_a_margin_repeats_the_outermost_pixels():
    _, content = cv2.imencode(".png", np.asarray([[10, 20], [30, 40]], np.uint8))

    _, image = alignment._decode(Photograph("a", "a/1.png", content.tobytes(), margin=1))

    expected = [[10, 10, 20, 20], [10, 10, 20, 20], [30, 30, 40, 40], [30, 30, 40, 40]]
    np.testing.assert_array_equal(np.round(image[..., 0] * 255), expected)


def test_jpeg_crops_keep_their_color_resolution():
    crop = np.zeros((32, 32, 3), np.float32)
    crop[:, ::2, 0] = 1  # columns of one pixel, which 4:2:0 would blend

    decoded = cv2.imdecode(np.frombuffer(alignment.encode(crop, "jpeg"), np.uint8), 1)[..., ::-1]
    lossless = cv2.imdecode(np.frombuffer(alignment.encode(crop, "png"), np.uint8), 1)[..., ::-1]

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
    (person / "Ann_A_0002.jpg").write_bytes(b"x")
    (tmp_path / "lfw" / "Bob_B_0001.jpg").write_bytes(b"x")
    pairs = "1\nAnn_A\t1\t2\nAnn_A\t1\tBob_B\t1\n"
    for file in ("pairs.txt", "pairsDevTest.txt", "elsewhere/pairs.txt"):
        (tmp_path / file).write_text(pairs)

    found = portraits.photographs(str(tmp_path))
    beside = lfw.photographs(str(tmp_path / "lfw"))
    given = lfw.photographs(str(tmp_path / "lfw"), str(tmp_path / "elsewhere"))

    assert found.companions == [tmp_path / "CREDITS.md"]
    assert found.names.count("Jacinda_Ardern") == 2
    assert [photograph.name for photograph in found.read()] == found.names
    assert beside.companions == [tmp_path / "pairs.txt", tmp_path / "pairsDevTest.txt"]
    assert given.companions == [tmp_path / "elsewhere" / "pairs.txt"]
    (tmp_path / "pairsDevTest.txt").write_text(pairs.replace("Bob_B\t1", "Bob_B\t2"))
    with pytest.raises(UserError, match=r"pairsDevTest\.txt: a pair names Bob_B_0002, not one of the 3 images"):
        lfw.photographs(str(tmp_path / "lfw"))


def test_a_folder_without_pictures_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")

    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "faces.tgz").write_bytes(b"")
    with pytest.raises(UserError, match=r"an archive is given itself: --config\.source=.*/archive/faces\.tgz"):
        open_photographs(tmp_path / "archive")
    with pytest.raises(UserError, match="no pictures in this folder"):
        open_photographs(tmp_path)


def test_names_that_are_equal_as_numbers_have_one_order():
    names = ["s10", "01", "s2", "1", "001", "s\N{SUPERSCRIPT TWO}", "s02"]
    expected = ["001", "01", "1", "s02", "s2", "s10", "s\N{SUPERSCRIPT TWO}"]
    for order in (names, names[::-1], sorted(names)):
        assert sorted(order, key=natural_order) == expected
