"""What goes with a picture through every format, and the mark that says what was done to it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from lowres_jax.data import images, metadata

SUFFIXES = (".png", ".jpg", ".tif", ".webp")


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A JPEG with a description, a date, an exposure, a place, 300 dpi, a profile, that lies on its side."""
    exif = Image.Exif()
    exif[270], exif[315], exif[33432], exif[306] = "Wedding", "A. Nown", "(c) 1998", "1998:05:01 10:00:00"
    exif[274] = 6
    exif.get_ifd(0x8769)[0x9003] = "1998:05:01 09:59:58"
    exif.get_ifd(0x8769)[0xA002] = 999
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    smooth = np.add.outer(np.arange(24), np.arange(40))[..., None] * np.asarray([1, 2, 3])
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(smooth.astype(np.uint8)).save(
        tmp_path / "a.jpg", exif=exif, dpi=(300, 300), icc_profile=profile, quality=60, subsampling=0
    )
    return tmp_path / "a.jpg"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("place", [False, True])
def test_nothing_is_lost(photograph: Path, tmp_path: Path, suffix: str, place: bool) -> None:
    read = images.read_picture(photograph)
    assert read.rgb.shape == (40, 24, 3)  # upright
    result = tmp_path / f"b{suffix}"
    xmp = metadata.mark("identity", True, "a & <odd>.jpg", "ab" * 32)
    images.write_image(result, read.rgb, metadata=read.metadata, place=place, xmp=xmp)

    with Image.open(result) as image:
        exif = image.getexif()
        assert [exif[tag] for tag in (270, 315, 33432, 306)] == [
            "Wedding",
            "A. Nown",
            "(c) 1998",
            "1998:05:01 10:00:00",
        ]
        assert exif.get(274, 1) == 1
        assert image.size == (24, 40)
        taken = exif.get_ifd(0x8769)
        assert taken[0x9003] == "1998:05:01 09:59:58"
        assert 0xA002 not in taken
        assert dict(exif.get_ifd(0x8825)) == ({1: "N", 2: (52.0, 31.0, 12.0)} if place else {})
        assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])))
        if suffix != ".webp":
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        image.load()
        packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or image.tag_v2[700]  # type: ignore[attr-defined]
    packet = packet if isinstance(packet, bytes) else packet.encode()
    assert packet == xmp
    for said in (
        b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia",
        b'lowres:Model="identity"',
        b"ab" * 32,
        b'lowres:Input="a &amp; &lt;odd&gt;.jpg"',
    ):
        assert said in packet
    # Read again it is the same picture: nothing turns it twice.
    tolerance = 0.002 if suffix in (".png", ".tif") else 0.1
    assert np.abs(images.read_image(result) - read.rgb).max() < tolerance


def test_a_gray_picture_has_no_profile_of_colors(photograph: Path, tmp_path: Path) -> None:
    read = images.read_picture(photograph)
    images.write_image(tmp_path / "b.png", images.to_grey(read.rgb), metadata=read.metadata)
    with Image.open(tmp_path / "b.png") as image:
        assert image.mode == "L"
        assert "icc_profile" not in image.info


def test_texts_of_a_png_become_exif(tmp_path: Path) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Author", "A. Nown")
    chunks.add_text("Description", "Wedding")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=chunks)
    read = images.read_picture(tmp_path / "a.png")
    images.write_image(tmp_path / "b.jpg", read.rgb, metadata=read.metadata)
    with Image.open(tmp_path / "b.jpg") as image:
        assert (image.getexif()[315], image.getexif()[270]) == ("A. Nown", "Wedding")


def test_a_picture_without_anything(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    read = images.read_picture(tmp_path / "a.png")
    assert read.metadata == metadata.Metadata(file_format="PNG")
    images.write_image(tmp_path / "b.png", read.rgb, metadata=read.metadata)
    with Image.open(tmp_path / "b.png") as image:
        assert image.info == {}


def test_damaged_descriptions_cost_nothing_else(photograph: Path, tmp_path: Path) -> None:
    content = photograph.read_bytes()
    start = content.index(b"Exif\0\0") + 14
    damaged = content[:start] + b"\xff" * 60 + content[start + 60 :]
    (tmp_path / "b.jpg").write_bytes(damaged)
    read = images.read_picture(tmp_path / "b.jpg")
    images.write_image(tmp_path / "c.png", read.rgb, metadata=read.metadata)
    assert images.read_image(tmp_path / "c.png").shape == read.rgb.shape


@pytest.mark.parametrize("quality", [20, 30, 50, 75, 90, 100])
def test_quality_of_a_jpeg(quality: int) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (9, 99, 200)).save(buffer, "JPEG", quality=quality)
    found = images.decode_picture(buffer.getvalue(), "a.jpg").metadata.jpeg_quality
    assert abs(found - quality) <= 1
    assert metadata.jpeg_quality({}) == 0


def test_interpolation_invents_nothing() -> None:
    packet = metadata.mark("bicubic", False, "a.jpg", "00")
    assert b"digitalsourcetype/algorithmicallyEnhanced" in packet
    assert b"invented" not in packet


def test_jpeg_has_no_transparency(tmp_path: Path) -> None:
    alpha = np.zeros((8, 8), np.float32)
    alpha[:, 4:] = 1.0
    images.write_image(tmp_path / "a.jpg", np.zeros((8, 8, 3), np.float32), alpha)
    found = images.read_image(tmp_path / "a.jpg")
    assert found[:, :3].min() > 0.95
    assert found[:, 5:].max() < 0.05
