"""Pictures of every kind people have, and of every kind that is broken."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lowres_jax.data import images
from lowres_jax.errors import UserError

COLOURS = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[0, 0, 0], [128, 64, 32], [255, 255, 255]]], np.uint8)


def encoded(picture: Image.Image, image_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_lossless_formats_keep_every_value(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(COLOURS).save(path)
    image = images.read_image(path)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, COLOURS.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("image_format", ["jpeg", "webp"])
def test_lossy_formats_are_close(image_format: str) -> None:
    plain = np.full((32, 32, 3), (200, 100, 50), np.uint8)
    image = images.decode_image(encoded(Image.fromarray(plain), image_format, quality=95), "picture")
    np.testing.assert_allclose(image, plain / 255, atol=3 / 255)


def test_grey_is_repeated_over_the_channels() -> None:
    grey = np.array([[0, 51], [102, 255]], np.uint8)
    image = images.decode_image(encoded(Image.fromarray(grey), "png"), "grey")
    np.testing.assert_allclose(image, np.repeat(grey[..., None], 3, -1) / 255, atol=1e-7)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_16_bit_grey_keeps_its_range(suffix: str) -> None:
    grey = np.array([[0, 257], [32768, 65535]], np.uint16)
    content = cv2.imencode(suffix, grey)[1].tobytes()
    image = images.decode_image(content, "grey16")
    np.testing.assert_allclose(image, np.repeat(grey[..., None], 3, -1) / 65535, atol=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".ppm"])
def test_16_bit_colour_keeps_its_range(suffix: str) -> None:
    colour = np.array([[[65535, 0, 32768], [256, 65280, 1000]]], np.uint16)
    content = cv2.imencode(suffix, colour[..., ::-1])[1].tobytes()
    # Pillow keeps the upper eight bits of 16-bit colour.
    np.testing.assert_allclose(images.decode_image(content, "colour16"), colour / 65535, atol=1 / 255)


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
    content = encoded(Image.fromarray(COLOURS), "png", exif=exif)
    np.testing.assert_allclose(images.decode_image(content, "turned"), upright(COLOURS) / 255, atol=1e-7)


def test_tiny_and_narrow_pictures_are_read() -> None:
    assert images.decode_image(encoded(Image.fromarray(COLOURS[:1, :1]), "png"), "tiny").tolist() == [[[1, 0, 0]]]
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
    for image_format in ("png", "jpeg", "tiff", "webp", "bmp", "ppm"):
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
    # 25.5 and 127.5 round to the even neighbour.
    np.testing.assert_array_equal(images.to_uint8(images.read_image(path)), [[[0, 0, 255], [26, 128, 255]]])
    with pytest.raises(UserError, match="names no picture format"):
        images.write_image(tmp_path / "picture.txt", image)


def test_listing_pictures(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/c.png", "a/note.txt", ".hidden.jpg", "a/._c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert images.list_images(tmp_path) == [tmp_path / "a/c.png", tmp_path / "b.JPG"]
    assert images.list_images(tmp_path / "b.JPG") == [tmp_path / "b.JPG"]


def test_listing_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "note.txt").touch()
    with pytest.raises(UserError, match="no pictures in this folder"):
        images.list_images(tmp_path)
    with pytest.raises(UserError, match="no such file or folder"):
        images.list_images(tmp_path / "absent")
