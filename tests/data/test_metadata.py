"""Metadata of a picture through every format, and the mark that says what was done to it.

Covers `data/xmp.py` too.
"""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from lowres_jax.data import images, metadata, xmp

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
    marked = xmp.mark("identity", True, "a & <odd>.jpg", "ab" * 32)
    assert images.write_image(result, read.rgb, metadata=read.metadata, place=place, marked=marked) == []

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
    images.write_image(tmp_path / "b.png", images.to_gray(read.rgb), metadata=read.metadata)
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


def packet_of(path: Path) -> str:
    with Image.open(path) as image:
        image.load()
        found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or image.tag_v2[700]  # type: ignore[attr-defined]
    return found.decode() if isinstance(found, bytes) else found


def again(path: Path, result: Path, place: bool = False) -> list[str]:
    """Writes a picture again, with its metadata and a mark."""
    read = images.read_picture(path)
    marked = xmp.mark("identity", True, path.name, "00")
    return images.write_image(result, read.rgb, metadata=read.metadata, place=place, marked=marked)


PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" photoshop:Credit="The Credit" photoshop:City="Town" '
    'photoshop:Instructions="Ask first" tiff:Orientation="6">'
    "<dc:creator><rdf:Seq><rdf:li>Jörg Müller</rdf:li></rdf:Seq></dc:creator>"
    '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© José</rdf:li></rdf:Alt></dc:rights>'
    '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">東京</rdf:li></rdf:Alt></dc:description>'
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("place", [False, True])
def test_what_xmp_says_goes_along(tmp_path: Path, suffix: str, place: bool) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", xmp=PACKET)
    assert again(tmp_path / "a.jpg", tmp_path / f"b{suffix}", place) == []
    found = packet_of(tmp_path / f"b{suffix}")
    for said in (
        "Jörg Müller",
        "© José",
        "東京",
        "The Credit",
        "Ask first | Enlarged by identity",
        'lowres:Model="identity"',
    ):
        assert said in found, said
    # What describes the old file stays there; the place goes along only if asked for.
    assert "Orientation" not in found
    assert ("Town" in found) == place


def iim(*datasets: tuple[int, int, bytes]) -> bytes:
    return b"".join(bytes([0x1C, one, two]) + struct.pack(">H", len(text)) + text for one, two, text in datasets)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("encoding", "declared"), [("utf-8", True), ("utf-8", False), ("latin-1", False)])
def test_what_iptc_records_say_goes_along(tmp_path: Path, suffix: str, encoding: str, declared: bool) -> None:
    records = iim(
        *([(1, 90, b"\x1b%G")] if declared else []),
        (2, 80, "Jörg".encode(encoding)),
        (2, 116, b"(c) IIM"),
        (2, 120, b"The caption"),
        (2, 25, b"one"),
        (2, 25, b"two"),
        (2, 55, b"19980501"),
        (2, 90, b"Town"),
    )
    resources = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records + b"\0" * (len(records) % 2)
    segment = b"Photoshop 3.0\0" + resources
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", extra=b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment)
    again(tmp_path / "a.jpg", tmp_path / f"b{suffix}")
    found = packet_of(tmp_path / f"b{suffix}")
    for said in ("Jörg", "(c) IIM", "The caption", "one</rdf:li>", "two</rdf:li>", "1998-05-01"):
        assert said in found, said
    assert "Town" not in found


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_that_are_not_ascii(tmp_path: Path, suffix: str) -> None:
    """EXIF in UTF-8, as exiftool and telephones write it; "ö" once became "??"."""
    exif = Image.Exif()
    exif[315], exif[270] = "Jörg Müller".encode(), "東京 café".encode()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + "Kommentar ü".encode("utf-16-be")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    again(tmp_path / "a.jpg", tmp_path / f"b{suffix}")
    with Image.open(tmp_path / f"b{suffix}") as image:
        found = image.getexif()
        # Pillow reads the bytes as Latin-1.
        assert [found[tag].encode("latin-1").decode() for tag in (315, 270)] == ["Jörg Müller", "東京 café"]
        assert found.get_ifd(0x8769)[0x9286][8:].decode("utf-16-be") == "Kommentar ü"


def test_comments_and_texts(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", comment=b"The comment")
    chunks = PngImagePlugin.PngInfo()
    for name, text in (("parameters", "steps: 20"), ("Author", "Jörg Müller"), ("Source", "a scan")):
        chunks.add_itxt(name, text)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=chunks)
    again(tmp_path / "a.jpg", tmp_path / "b.jpg")
    again(tmp_path / "a.png", tmp_path / "b.png")
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.info["comment"] == b"The comment"
    with Image.open(tmp_path / "b.png") as image:
        assert [image.text[name] for name in ("parameters", "Author", "Source")] == [
            "steps: 20",
            "Jörg Müller",
            "a scan",
        ]
        assert image.getexif()[315].encode("latin-1").decode() == "Jörg Müller"
    # Other formats have a place for neither; XMP has.
    for suffix in (".png", ".tif", ".webp"):
        again(tmp_path / "a.jpg", tmp_path / f"c{suffix}")
        assert "Comment: The comment" in packet_of(tmp_path / f"c{suffix}")
    for suffix in (".jpg", ".tif", ".webp"):
        again(tmp_path / "a.png", tmp_path / f"d{suffix}")
        assert "parameters: steps: 20" in packet_of(tmp_path / f"d{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_too_long_is_cut_with_a_line(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[270], exif[315] = "x" * 70_000, "A. Nown"
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("workflow", "y" * 70_000)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", exif=exif, pnginfo=chunks)
    remarks = again(tmp_path / "a.png", tmp_path / f"b{suffix}")
    expected = []
    if suffix != ".png":
        expected.append("Text: too long for XMP, left out")
    if suffix == ".jpg":
        expected.append("EXIF ImageDescription: too long for a JPEG, left out")
    assert remarks == [f"{tmp_path / f'b{suffix}'}: {each}" for each in expected]
    with Image.open(tmp_path / f"b{suffix}") as image:
        assert image.getexif()[315] == "A. Nown"
        assert (270 in image.getexif()) == (suffix != ".jpg")
    assert images.read_image(tmp_path / f"b{suffix}").shape == (8, 8, 3)


@pytest.mark.parametrize(
    "damaged", [b"<x", b"\xff\xfe", PACKET[:-200], b'<!DOCTYPE a [<!ENTITY b "c">]>' + PACKET, b"", b"\0" * 100]
)
def test_a_damaged_packet_counts_as_none(damaged: bytes) -> None:
    made, _ = xmp.packet(damaged, b"\x1c\x02", {}, {"{urn:lowres_jax:1.0/}Model": "m"}, place=False)
    assert b'lowres:Model="m"' in made
    assert b"The Credit" not in made
    assert xmp.packet(damaged, b"", {}, {}, place=False)[0] == b""


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
    packet, left_out = xmp.packet(b"", b"", {}, xmp.mark("bicubic", False, "a.jpg", "00"), place=False)
    assert b"digitalsourcetype/algorithmicallyEnhanced" in packet
    assert b"invented" not in packet
    assert left_out == []


def test_jpeg_has_no_transparency(tmp_path: Path) -> None:
    alpha = np.zeros((8, 8), np.float32)
    alpha[:, 4:] = 1.0
    images.write_image(tmp_path / "a.jpg", np.zeros((8, 8, 3), np.float32), alpha)
    found = images.read_image(tmp_path / "a.jpg")
    assert found[:, :3].min() > 0.95
    assert found[:, 5:].max() < 0.05
