"""Pictures of every kind people have, and of every kind that is broken."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import BmpImagePlugin, Image, ImageCms

from lowres_jax.data import images
from lowres_jax.errors import UserError

COLORS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[0, 0, 0], [128, 64, 32], [255, 255, 255]]], np.uint8)


def encoded(picture: Image.Image, image_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


def mode_of(path: Path) -> str:
    with Image.open(path) as image:
        return image.mode


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_lossless_formats_keep_every_value(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(COLORS).save(path)
    image = images.read_image(path)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, COLORS.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("image_format", ["jpeg", "webp"])
def test_lossy_formats_are_close(image_format: str) -> None:
    plain = np.full((32, 32, 3), (200, 100, 50), np.uint8)
    image = images.decode_image(encoded(Image.fromarray(plain), image_format, quality=95), "picture")
    np.testing.assert_allclose(image, plain / 255, atol=3 / 255)


def test_gray_is_repeated_over_the_channels() -> None:
    gray = np.array([[0, 51], [102, 255]], np.uint8)
    image = images.decode_image(encoded(Image.fromarray(gray), "png"), "gray")
    np.testing.assert_allclose(image, np.repeat(gray[..., None], 3, -1) / 255, atol=1e-7)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_16_bit_gray_keeps_its_range(suffix: str) -> None:
    gray = np.array([[0, 257], [32768, 65535]], np.uint16)
    content = cv2.imencode(suffix, gray)[1].tobytes()
    image = images.decode_image(content, "gray16")
    np.testing.assert_allclose(image, np.repeat(gray[..., None], 3, -1) / 65535, atol=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".ppm"])
def test_16_bit_color_keeps_its_range(suffix: str) -> None:
    color = np.array([[[65535, 0, 32768], [256, 65280, 1000]]], np.uint16)
    content = cv2.imencode(suffix, color[..., ::-1])[1].tobytes()
    # Pillow keeps the upper eight bits of 16-bit color.
    np.testing.assert_allclose(images.decode_image(content, "color16"), color / 65535, atol=1 / 255)


def test_transparent_pixels_lie_on_white() -> None:
    pixels = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 51]]], np.uint8)
    image = images.decode_image(encoded(Image.fromarray(pixels), "png"), "alpha")
    # The last is 20 % black over white.
    np.testing.assert_allclose(image, [[[1, 0, 0], [1, 1, 1], [0.8, 0.8, 0.8]]], atol=1 / 255)


def test_transparency_of_16_bit_and_palette_pictures() -> None:
    deep = np.dstack([np.full((2, 2, 3), 65535, np.uint16) // 2, np.array([[0, 65535], [65535, 0]], np.uint16)])
    image = images.decode_image(cv2.imencode(".png", deep)[1].tobytes(), "alpha16")
    np.testing.assert_allclose(image[..., 0], [[1, 0.5], [0.5, 1]], atol=1 / 255)
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 0, 255])
    image = images.decode_image(encoded(palette, "png", transparency=0), "palette")
    np.testing.assert_array_equal(image, [[[1, 1, 1], [0, 0, 1]]])


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda image: image),
        (2, lambda image: image[:, ::-1]),
        (3, lambda image: image[::-1, ::-1]),
        (6, lambda image: np.rot90(image, -1)),
        (8, lambda image: np.rot90(image, 1)),
    ],
)
def test_exif_rotation_is_applied(orientation: int, upright: object) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(COLORS), "png", exif=exif)
    np.testing.assert_allclose(images.decode_image(content, "turned"), upright(COLORS) / 255, atol=1e-7)


def test_tiny_and_narrow_pictures_are_read() -> None:
    assert images.decode_image(encoded(Image.fromarray(COLORS[:1, :1]), "png"), "tiny").tolist() == [[[1, 0, 0]]]
    narrow = np.zeros((20, 20_000, 3), np.uint8)
    narrow[:, -1] = 255
    image = images.decode_image(encoded(Image.fromarray(narrow), "png"), "narrow")
    assert image.shape == (20, 20_000, 3)
    assert image.sum() == 60


def test_a_picture_that_would_fill_the_memory_is_refused_at_once() -> None:
    content = encoded(Image.new("1", (20_000, 20_000)), "png")
    with pytest.raises(images.UnreadableImageError, match=r"^huge: .*178,956,970 pixels; cut or shrink it first$"):
        images.decode_image(content, "huge")


@pytest.mark.parametrize("image_format", ["jpeg", "png", "webp", "tiff", "bmp"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_truncated_files_are_named(image_format: str, kept: float) -> None:
    content = encoded(Image.fromarray(noise(64, 64)), image_format)
    with pytest.raises(images.UnreadableImageError, match=r"^cut\.jpg: ") as error:
        images.decode_image(content[: int(len(content) * kept)], "cut.jpg")
    assert "\n" not in str(error.value)


def test_files_that_are_no_pictures_are_named(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.jpg", tmp_path / "text.jpg"
    empty.touch()
    text.write_text("not a picture")
    with pytest.raises(images.UnreadableImageError, match=r"empty\.jpg: the file is empty"):
        images.read_image(empty)
    with pytest.raises(images.UnreadableImageError, match=r"text\.jpg: not a picture of a known format"):
        images.read_image(text)
    with pytest.raises(images.UnreadableImageError, match=r"absent\.jpg: cannot be read \(No such file"):
        images.read_image(tmp_path / "absent.jpg")
    with pytest.raises(images.UnreadableImageError, match="cannot be read"):
        images.read_image(tmp_path)


@pytest.mark.parametrize("damage", range(20))
def test_damaged_bytes_give_a_picture_or_the_one_error(damage: int) -> None:
    random = np.random.default_rng(damage)
    for image_format in ("png", "jpeg", "tiff", "webp", "bmp", "ppm", "gif", "avif", "jpeg2000"):
        content = bytearray(encoded(Image.fromarray(noise(16, 16)), image_format))
        for position in random.integers(0, min(len(content), 200), 8):
            content[position] = random.integers(0, 256)
        try:
            assert images.decode_image(bytes(content), "damaged").shape[-1] == 3
        except images.UnreadableImageError as error:
            assert str(error).startswith("damaged: ")  # noqa: PT017


def test_writing_rounds_clips_and_reads_back(tmp_path: Path) -> None:
    image = np.array([[[-0.5, 0.0, 1.5], [0.1, 0.5, 254.6 / 255]]], np.float32)
    path = tmp_path / "new" / "picture.png"
    images.write_image(path, image)
    # 25.5 and 127.5 round to the even neighbor.
    np.testing.assert_array_equal(images.to_uint8(images.read_image(path)), [[[0, 0, 255], [26, 128, 255]]])
    with pytest.raises(UserError, match="names no picture format"):
        images.write_image(tmp_path / "picture.txt", image)


def wide_gamut_profile() -> bytes:
    """A matrix profile with Adobe RGB's primaries (adapted to D50) and a gamma of 2.2, written by hand (ICC.1:2010)."""
    gamma = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)

    def xyz(*values: float) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))

    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"Wide\0" + bytes(78 + 1),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma),
    }
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content
    header = struct.pack(">I4sI4s4s4s", start + len(data), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return header + table + data


def test_a_wide_gamut_is_converted_to_srgb() -> None:
    profile = wide_gamut_profile()
    skin = np.full((4, 4, 3), (200, 150, 120), np.uint8)
    found = images.decode_image(encoded(Image.fromarray(skin), "png", icc_profile=profile), "skin")[0, 0] * 255
    # By hand: Adobe RGB -> linear (gamma 2.2) -> XYZ (D50) -> linear sRGB -> sRGB's curve.
    linear = (np.asarray([200, 150, 120]) / 255) ** 2.2
    to_xyz = np.asarray([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
    srgb_to_xyz = np.asarray([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
    values = np.linalg.solve(srgb_to_xyz, to_xyz @ linear)
    expected = 255 * np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
    assert expected[0] - 200 > 15  # what would be missing
    np.testing.assert_allclose(found, expected, atol=1.5)


@pytest.mark.parametrize("profile", [b"no profile", b"", wide_gamut_profile()[:200]])
def test_a_damaged_profile_is_not_the_pixels(profile: bytes) -> None:
    content = encoded(Image.fromarray(COLORS), "png", icc_profile=profile)
    np.testing.assert_array_equal(images.decode_image(content, "picture"), COLORS.astype(np.float32) / 255)
    gray = encoded(Image.fromarray(COLORS[..., 0]), "png", icc_profile=wide_gamut_profile())
    assert images.decode_picture(gray, "gray with a color profile").gray


def test_srgb_stays_as_it_is() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = noise(16, 16)
    found = images.decode_image(encoded(Image.fromarray(pixels), "png", icc_profile=profile), "picture")
    np.testing.assert_array_equal(images.to_uint8(found), pixels)


def test_only_the_orientation_of_exif_is_read() -> None:
    """Orientation 6, and an exposure time whose numerator is no 32-bit number: Pillow cannot write that back."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHII", 0x829A, 5, 1, 38)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0) + b"\xff" * 4 + b"\0" * 4
    content = encoded(Image.fromarray(COLORS.repeat(8, 0).repeat(8, 1)), "jpeg", exif=exif, quality=95)
    assert images.decode_image(content, "turned").shape == (24, 16, 3)
    damaged = encoded(Image.fromarray(COLORS), "png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    np.testing.assert_array_equal(images.to_uint8(images.decode_image(damaged, "damaged EXIF")), COLORS)


@pytest.mark.parametrize("kind", [struct.error, RuntimeError, MemoryError, AttributeError])
def test_whatever_a_decoder_raises_is_one_unreadable_picture(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    def strange(image: Image.Image) -> None:
        raise kind("unpack requires a buffer\nof 4 bytes")

    content = encoded(Image.new("RGB", (4, 4)), "bmp")
    monkeypatch.setattr(Image.Image, "load", strange)
    monkeypatch.setattr(BmpImagePlugin.BmpImageFile, "load", strange)
    with pytest.raises(images.UnreadableImageError, match=r"^a\.bmp: .*unpack requires a buffer of 4 bytes\)$"):
        images.decode_image(content, "a.bmp")


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.asarray([[0.0, 0.25], [1.02, 0.5]], np.float32), [[0, 0.25], [1, 0.5]]),  # [0, 1], resampled
        (np.asarray([[0.0, 51.0], [255.0, 127.5]], np.float32), [[0, 0.2], [1, 0.5]]),
        (np.asarray([[0, 51], [255, 102]], np.int32), [[0, 0.2], [1, 0.4]]),
        (np.asarray([[0, 6553.5], [65535, 100]], np.int32), [[0, 0.1], [1, 100 / 65535]]),
        (np.asarray([[0, 819], [4095, 2047.5]], np.uint16), [[0, 0.2], [1, 0.5]]),  # 12 bits in 16
        (np.asarray([[0, 819], [40950, 2048]], np.uint16), [[0, 819 / 65535], [40950 / 65535, 2048 / 65535]]),
    ],
)
def test_the_range_of_a_tiff_is_found(pixels: np.ndarray, expected: list[list[float]]) -> None:
    found = images.decode_image(encoded(Image.fromarray(pixels), "tiff"), "measured.tif")
    np.testing.assert_allclose(found[..., 0], expected, atol=2e-4)
    assert images.is_gray(found)


def test_the_range_of_a_tiff_is_stated_or_refused() -> None:
    pixels = np.asarray([[0, 1000], [2000, 500]], np.uint16)
    content = encoded(Image.fromarray(pixels), "tiff", tiffinfo={281: 4000})
    np.testing.assert_allclose(images.decode_image(content, "stated")[..., 0], pixels / 4000, atol=1e-6)
    for wrong in (np.asarray([[0, 10_000_000]], np.int32), np.asarray([[-40.0, 30]], np.float32)):
        with pytest.raises(images.UnreadableImageError, match=r"^depth: its values go .* nothing says which is"):
            images.decode_image(encoded(Image.fromarray(wrong), "tiff"), "depth")
    with pytest.raises(images.UnreadableImageError, match="nothing says which is black and white"):
        images.decode_image(encoded(Image.fromarray(np.asarray([[0.5, np.nan]], np.float32)), "tiff"), "depth")


def test_12_bit_colors_in_a_tiff_keep_their_range() -> None:
    colors = np.random.default_rng(0).integers(0, 4096, (8, 9, 3)).astype(np.uint16)
    colors[0, 0] = 4095
    content = cv2.imencode(".tif", colors[..., ::-1])[1].tobytes()
    np.testing.assert_allclose(images.decode_image(content, "colors"), colors / 4095, atol=1e-6)


def test_gray_and_transparency_are_kept_in_files(tmp_path: Path) -> None:
    gray = np.repeat(np.asarray([[0.2, 0.4]], np.float32)[..., None], 3, -1)
    images.write_image(tmp_path / "gray.png", gray)
    assert mode_of(tmp_path / "gray.png") == "L"
    alpha = np.asarray([[1.0, 0.2]], np.float32)
    images.write_image(tmp_path / "alpha.png", gray * [1, 0.5, 1], alpha)
    found = images.read_picture(tmp_path / "alpha.png")
    np.testing.assert_allclose(found.alpha, alpha, atol=1 / 500)
    np.testing.assert_allclose(found.rgb, gray * [1, 0.5, 1], atol=1 / 500)
    np.testing.assert_allclose(found.on_white()[0, 1], [0.88, 0.84, 0.88], atol=1 / 255)
    images.write_image(tmp_path / "both.png", gray, alpha)
    assert mode_of(tmp_path / "both.png") == "LA"
    assert images.read_picture(tmp_path / "both.png").gray


def test_luma_by_hand() -> None:
    np.testing.assert_allclose(images.to_gray(np.asarray([[[1.0, 0, 0], [0.5, 0.5, 0.5]]]))[0, :, 1], [0.299, 0.5])
