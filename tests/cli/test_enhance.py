"""`enhance` from the command line and as a function: values of what it writes, and every refusal.

Covers `enhancement/enlarging.py`, `enhancement/job.py` too.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import pytest
import skimage.data
from ml_collections import ConfigDict
from PIL import Image
from signalled import run_signalled

from lowres_jax.data import images
from lowres_jax.enhancement import enlarging, job
from lowres_jax.enhancement.job import CAUTION
from lowres_jax.errors import UserError
from lowres_jax.localization import align, paste
from lowres_jax.localization.detector import load_detector
from lowres_jax.super_resolution import upscaler as upscaler_module
from lowres_jax.super_resolution.upscaler import UpscalerBySize, load_upscaler, size_remark
from lowres_jax.tasks import enhance
from lowres_jax.utils import filenames as names_module

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def settings(source: Path, output: Path, **changes: object) -> ConfigDict:
    scope: dict = {}
    exec((ROOT / "configs" / "enhance.py").read_text(), scope)
    config = scope["get_config"]()
    config.update(
        {"input": str(source), "output": str(output), "upscaler": ("bicubic",), "detector": "haar", "likeness": False}
        | changes
    )
    return config


def run_main(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lowres_jax.main", "--config=configs/enhance.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def made(folder: Path) -> list[str]:
    """The pictures in a folder, without the account of the run."""
    account = {f"enhance.{ending}" for ending in ("json", "csv", "html")}
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name not in account
    )


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    """A photograph of 200x200 with one face of about 50 pixels."""
    picture = skimage.data.astronaut()[:400, 50:450].astype(np.float32) / 255.0
    return images.to_uint8(cv2.resize(picture, (200, 200), interpolation=cv2.INTER_AREA)) / np.float32(255)


@pytest.fixture
def photograph(tmp_path: Path, astronaut: np.ndarray) -> Path:
    path = tmp_path / "in" / "astronaut.png"
    images.write_image(path, astronaut)
    return path


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Five 32x32 crops of 8-bit values."""
    picture = skimage.data.astronaut()[40:200, 145:305].astype(np.float32) / 255.0
    small = cv2.resize(picture, (48, 48), interpolation=cv2.INTER_AREA)
    return images.to_uint8(np.stack([small[k : k + 32, k : k + 32] for k in range(5)])) / np.float32(255)


@pytest.mark.parametrize("name", ["bicubic", "srgan"])
def test_aligned_crops_are_what_the_upscaler_makes(tmp_path: Path, crops: np.ndarray, name: str) -> None:
    for number, crop in enumerate(crops):
        images.write_image(tmp_path / "in" / f"p{number % 2}" / f"crop{number}.png", crop)
    enhance.run(settings(tmp_path / "in", tmp_path / "out", aligned=True, upscaler=(name,), batch_size=4), tmp_path)
    expected = load_upscaler(name)(crops)
    assert made(tmp_path / "out") == [f"p{n % 2}/crop{n}.png" for n in (0, 2, 4, 1, 3)]
    for number in range(5):
        found = read(tmp_path / "out" / f"p{number % 2}" / f"crop{number}.png")
        assert found.shape == (128, 128, 3)
        assert np.abs(found - expected[number] * 255.0).max() <= 0.5 + 1e-2


def test_aligned_crops_of_one_size_go_together(
    tmp_path: Path, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, crop in enumerate(crops):
        images.write_image(tmp_path / "in" / f"a{number}.png", crop)
        images.write_image(tmp_path / "in" / f"b{number}.png", crop[:24])
    shapes = []
    original = upscaler_module.load_upscaler

    def load(*arguments: str) -> object:
        upscaler = original(*arguments)
        inner = upscaler._enlarge
        upscaler._enlarge = lambda batch: (shapes.append(batch.shape), inner(batch))[1]
        return upscaler

    monkeypatch.setattr(upscaler_module, "load_upscaler", load)
    enhance.run(settings(tmp_path / "in", tmp_path / "out", aligned=True, batch_size=4), tmp_path)
    assert sorted(shapes) == [(1, 24, 32, 3), (1, 32, 32, 3), (4, 24, 32, 3), (4, 32, 32, 3)]
    assert read(tmp_path / "out" / "b3.png").shape == (96, 128, 3)


def test_many_sizes_do_not_mean_many_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_MAX_EXACT_SIZES", 2)
    generator = np.random.default_rng(0)
    pictures = {f"{side}.png": generator.random((side, side, 3), np.float32) for side in (20, 22, 24, 26, 28)}
    for name, picture in pictures.items():
        images.write_image(tmp_path / "in" / name, picture)
    enhance.run(settings(tmp_path / "in", tmp_path / "out", aligned=True), tmp_path)
    for name in pictures:
        expected = load_upscaler("bicubic")(images.read_image(tmp_path / "in" / name)[None])[0]
        assert np.abs(read(tmp_path / "out" / name) - expected * 255).max() < 0.51


def test_a_face_is_cut_at_its_own_resolution(tmp_path: Path, photograph: Path, astronaut: np.ndarray) -> None:
    enhance.run(settings(photograph, tmp_path / "out"), tmp_path)
    (face,) = load_detector("haar").detect(astronaut)
    size = paste.native_size(face, astronaut.shape)
    assert 30 < size < 70
    assert made(tmp_path / "out") == ["astronaut_face1.png"]
    expected = load_upscaler("bicubic")(align.crop_face(astronaut, face, size)[None])[0]
    found = read(tmp_path / "out" / "astronaut_face1.png")
    assert found.shape == (4 * size, 4 * size, 3)
    assert np.abs(found - expected * 255).max() <= 0.51


def test_face_size_reduces_the_crop(tmp_path: Path, photograph: Path, astronaut: np.ndarray) -> None:
    enhance.run(settings(photograph, tmp_path / "out", face_size=32), tmp_path)
    (face,) = load_detector("haar").detect(astronaut)
    expected = load_upscaler("bicubic")(align.crop_face(astronaut, face, 32)[None])[0]
    assert np.abs(read(tmp_path / "out" / "astronaut_face1.png") - expected * 255).max() <= 0.51


def test_paste_back_changes_the_face_only(tmp_path: Path, photograph: Path, astronaut: np.ndarray) -> None:
    enhance.run(
        settings(photograph, tmp_path / "out", paste_back=True, upscaler=("bilinear",), background="bicubic"), tmp_path
    )
    assert made(tmp_path / "out") == ["astronaut_face1.png", "astronaut_x4.png"]
    found = read(tmp_path / "out" / "astronaut_x4.png").astype(int)
    background = images.to_uint8(load_upscaler("bicubic")(astronaut[None])[0]).astype(int)
    assert found.shape == (800, 800, 3)
    (face,) = load_detector("haar").detect(astronaut)
    corners = cv2.invertAffineTransform(align.crop_transform(face, astronaut.shape, 100)) @ np.asarray(
        [[-0.5, 99.5], [-0.5, 99.5], [1, 1]]
    )
    (x0, x1), (y0, y1) = np.rint((corners + 0.5) * 4).astype(int)
    outside = np.ones((800, 800), bool)
    outside[y0 - 1 : y1 + 1, x0 - 1 : x1 + 1] = False
    # Tiles and the whole picture may round differently by one level.
    assert np.abs(found - background)[outside].max() <= 1
    middle = np.s_[(3 * y0 + y1) // 4 : (y0 + 3 * y1) // 4, (3 * x0 + x1) // 4 : (x0 + 3 * x1) // 4]
    bilinear = images.to_uint8(load_upscaler("bilinear")(astronaut[None])[0]).astype(int)
    assert np.abs(found - bilinear)[middle].mean() < 0.4 * np.abs(background - bilinear)[middle].mean() + 0.5
    assert np.abs(found - background)[middle].max() > 5


def test_a_face_enlarged_more_than_its_photograph_is_pasted_to_its_place(
    tmp_path: Path, photograph: Path, astronaut: np.ndarray
) -> None:
    changes = {"paste_back": True, "background": "bicubic", "face_size": 16, "upscaler": ("identity", "identity_x8")}
    enhance.run(settings(photograph, tmp_path / "out", **changes), tmp_path)
    assert read(tmp_path / "out" / "astronaut_face1.png").shape == (128, 128, 3)
    found = read(tmp_path / "out" / "astronaut_x4.png").astype(float)
    background = load_upscaler("bicubic")(astronaut[None])[0].astype(float) * 255
    assert found.shape == background.shape == (800, 800, 3)
    (face,) = load_detector("haar").detect(astronaut)
    x, y = np.rint((face.box.reshape(2, 2).mean(axis=0) + 0.5) * 4).astype(int)
    pasted = found[y - 48 : y + 48, x - 48 : x + 48]
    assert np.abs(pasted - background[y - 48 : y + 48, x - 48 : x + 48]).mean() > 2

    def likeness(right: int, down: int) -> float:
        place = background[y + down - 48 : y + down + 48, x + right - 48 : x + right + 48]
        return float(np.corrcoef(pasted.ravel(), place.ravel())[0, 1])

    shifts = {(right, down): likeness(right, down) for right in (-6, 0, 6) for down in (-6, 0, 6)}
    assert max(shifts, key=lambda shift: shifts[shift]) == (0, 0)
    assert shifts[0, 0] > 0.9


def test_mtcnn_s_face_is_cut_by_its_landmarks(
    tmp_path: Path, photograph: Path, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    enhance.run(settings(photograph.parent, tmp_path / "out", detector="mtcnn", face_size=48), tmp_path)
    assert "pictures: 1, faces: 1, no face: 0, unreadable: 0" in capsys.readouterr().out
    (face,) = load_detector("mtcnn").detect(astronaut)
    assert face.landmarks is not None
    expected = load_upscaler("bicubic")(align.align(astronaut, face.landmarks, 48)[None])[0]
    assert np.abs(read(tmp_path / "out" / "astronaut_face1.png") - expected * 255).max() <= 0.51


def test_the_background_has_the_upscaler_s_scale() -> None:
    doubling = load_upscaler("bilinear", interpolation_scale=2)
    members = UpscalerBySize([doubling])
    assert enlarging.background_of("bicubic", members).scale == 2
    assert enlarging.background_of("bilinear", members) is doubling
    assert enlarging.background_of("same", members) is doubling
    with pytest.raises(UserError, match=r"background=srresnet enlarges x4, config\.upscaler=bilinear x2"):
        enlarging.background_of("srresnet", members)


def test_a_folder_with_all_kinds_of_pictures(
    tmp_path: Path, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    levels = images.to_uint8(astronaut)
    Image.fromarray(levels).convert("L").save(folder / "gray.png")
    shades = np.asarray(Image.fromarray(levels).convert("L")).astype(np.uint16)
    Image.fromarray(shades * np.uint16(257)).save(folder / "sixteen.png")
    Image.fromarray(np.dstack([levels, np.full((200, 200), 255, np.uint8)])).save(folder / "sub" / "alpha.png")
    Image.fromarray(levels[:1, :1]).save(folder / "one.png")
    Image.fromarray(np.full((20, 20_000, 3), 77, np.uint8)).save(folder / "long.png")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("no picture")
    content = (folder / "gray.png").read_bytes()
    (folder / "sub" / "cut.png").write_bytes(content[: len(content) // 2])
    enhance.run(settings(folder, tmp_path / "out", paste_back=True), tmp_path)
    printed = capsys.readouterr().out
    for name in ("empty.jpg", "text.jpg", "cut.png"):
        assert f"{name}: " in printed
    assert "pictures: 5, faces: 3, no face: 2, unreadable: 3, too large to enlarge: 0" in printed
    assert f"no face: {folder / 'long.png'}\n" in printed
    assert made(tmp_path / "out") == [
        "gray_face1.png",
        "gray_x4.png",
        "long_x4.png",
        "one_x4.png",
        "sixteen_face1.png",
        "sixteen_x4.png",
        "sub/alpha_face1.png",
        "sub/alpha_x4.png",
    ]
    long = read(tmp_path / "out" / "long_x4.png")
    assert long.shape == (80, 80_000, 3)
    assert (long == 77).all()
    assert read(tmp_path / "out" / "one_x4.png").tolist() == [[levels[0, 0].tolist()] * 4] * 4
    gray = read(tmp_path / "out" / "gray_face1.png").astype(int)
    assert (gray == read(tmp_path / "out" / "sixteen_face1.png")).all()
    assert (gray[..., 0] == gray[..., 2]).all()


def test_names_that_differ_by_their_ending_do_not_overwrite_each_other(tmp_path: Path, crops: np.ndarray) -> None:
    for name, crop in zip(("a.jpg", "a.png", "b.c.png", "b.png", "a.jpg.png"), crops, strict=True):
        images.write_image(tmp_path / "in" / name, crop)
    enhance.run(settings(tmp_path / "in", tmp_path / "out", aligned=True), tmp_path)
    assert made(tmp_path / "out") == ["a.jpg.png", "a.jpg.png.png", "a.png.png", "b.c.png", "b.png"]
    expected = load_upscaler("bicubic")(crops[1:2])[0]
    assert np.abs(read(tmp_path / "out" / "a.png.png") - expected * 255).max() <= 0.51


def test_refusals(tmp_path: Path, photograph: Path, crops: np.ndarray) -> None:
    folder = photograph.parent
    images.write_image(folder / "crop.png", crops[0])
    with pytest.raises(UserError, match=r"config\.input is empty"):
        enhance.run(settings(folder, tmp_path / "out", input=""), tmp_path)
    for output in (folder, folder / "sub"):
        with pytest.raises(UserError, match="is the input folder or inside it"):
            enhance.run(settings(folder, output), tmp_path)
    with pytest.raises(UserError, match=r"crop\.png there is an input picture"):
        enhance.run(settings(folder / "crop.png", folder, aligned=True), tmp_path)
    with pytest.raises(UserError, match="is a file"):
        enhance.run(settings(folder, folder / "crop.png"), tmp_path)
    with pytest.raises(UserError, match=r"'bicubi'.*did you mean 'bicubic'\?"):
        enhance.run(settings(folder, tmp_path / "out", upscaler=("bicubi",)), tmp_path)
    with pytest.raises(UserError, match="tiles of 8 pixels"):
        enhance.run(settings(folder, tmp_path / "out", tile=8), tmp_path)
    with pytest.raises(UserError, match=r"absent\.h5: no such weight file"):
        enhance.run(
            settings(folder, tmp_path / "out", weights=str(tmp_path / "absent.h5"), upscaler=("srresnet",)), tmp_path
        )
    assert not (tmp_path / "out").exists()


def test_nothing_to_do_is_an_error(tmp_path: Path, crops: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    images.write_image(tmp_path / "in" / "noface.png", np.full((60, 60, 3), 0.5, np.float32))
    with pytest.raises(UserError, match=r"haar found no face \(pictures: 1, .*aligned=true"):
        enhance.run(settings(tmp_path / "in", tmp_path / "out"), tmp_path)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "text.png").write_text("no picture")
    with pytest.raises(UserError, match=r"nothing could be enhanced \(unreadable: 1"):
        enhance.run(settings(tmp_path / "bad", tmp_path / "out"), tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_picture_that_would_grow_too_large_is_named(
    tmp_path: Path, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(enlarging, "MAX_ENLARGED_PIXELS", 128 * 128)
    images.write_image(tmp_path / "in" / "fits.png", crops[0])
    images.write_image(tmp_path / "in" / "large.png", np.pad(crops[0], ((0, 1), (0, 0), (0, 0))))
    enhance.run(settings(tmp_path / "in", tmp_path / "out", aligned=True), tmp_path)
    printed = capsys.readouterr().out
    assert "large.png: would have" in printed
    assert "pictures enlarged: 1" in printed
    assert made(tmp_path / "out") == ["fits.png"]


def test_an_interruption_leaves_nothing_half_written(
    tmp_path: Path, photograph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Image.Image.save

    def save_half(self: Image.Image, file: BinaryIO, format: str, **options: object) -> None:
        if self.width < 800:
            return original(self, file, format=format, **options)
        file.write(b"half a picture")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", save_half)
    with pytest.raises(KeyboardInterrupt):
        enhance.run(settings(photograph, tmp_path / "out", paste_back=True), tmp_path)
    assert made(tmp_path / "out") == ["astronaut_face1.png"]


def test_a_stop_keeps_what_is_complete(tmp_path: Path, crops: np.ndarray) -> None:
    for number in range(6):
        images.write_image(tmp_path / "in" / f"{number}.png", crops[0])
    arguments = [
        "--config=configs/enhance.py",
        f"--config.input={tmp_path / 'in'}",
        f"--config.output={tmp_path / 'out'}",
        "--config.upscaler=bilinear",
        "--config.aligned=true",
        "--config.batch_size=1",
    ]
    ended = run_signalled(*arguments, place="lowres_jax.enhancement.enlarging:too_large", calls=3, collecting=True)
    assert ended.status == 143, ended.error
    assert "Traceback" not in ended.error
    written = made(tmp_path / "out")
    # The signal comes in the main thread, at the third picture. Two threads write: what they have begun they complete.
    assert set(written) <= {"0.png", "1.png", "2.png"}
    assert all(read(tmp_path / "out" / name).shape == (4 * crops.shape[1], 4 * crops.shape[2], 3) for name in written)
    # The same command goes on from there.
    result = run_main(*arguments[1:])
    assert result.returncode == 0, result.stderr
    assert made(tmp_path / "out") == [f"{number}.png" for number in range(6)]
    kept = json.loads((tmp_path / "out" / "enhance.json").read_text())["pictures"]
    assert [len(each["results"]) for each in kept] == [1] * 6


def test_the_command_line(tmp_path: Path, crops: np.ndarray) -> None:
    images.write_image(tmp_path / "in" / "crop.png", crops[0])
    result = run_main(
        f"--config.input={tmp_path / 'in'}",
        f"--config.output={tmp_path / 'out'}",
        "--config.upscaler=bilinear",
        "--config.aligned=true",
    )
    assert result.returncode == 0, result.stderr
    assert "pictures enlarged: 1" in result.stdout
    assert made(tmp_path / "out") == ["crop.png"]
    result = run_main(f"--config.input={tmp_path / 'absent'}", f"--config.output={tmp_path / 'out'}")
    assert result.returncode == 1
    assert result.stderr.strip() == f"error: {tmp_path / 'absent'}: no such file or folder"


def mode(path: Path) -> str:
    with Image.open(path) as image:
        return image.mode


def test_gray_in_gray_out(tmp_path: Path, astronaut: np.ndarray) -> None:
    """A network tints a gray picture by some levels."""
    astronaut = astronaut[:128, 24:152]  # around the face
    images.write_image(tmp_path / "in" / "a.png", images.to_gray(astronaut))
    Image.fromarray(images.to_uint8(images.to_gray(astronaut))).save(
        tmp_path / "in" / "b.png"
    )  # gray in three channels
    enhance.run(settings(tmp_path / "in", tmp_path / "out", upscaler=("srgan",), paste_back=True), tmp_path)
    for name in ("a_face1.png", "a_x4.png", "b_face1.png", "b_x4.png"):
        assert mode(tmp_path / "out" / name) == "L"
    enhance.run(settings(tmp_path / "in", tmp_path / "aligned", upscaler=("srgan",), aligned=True), tmp_path)
    assert mode(tmp_path / "aligned" / "a.png") == "L"
    tinted = load_upscaler("srgan")(images.read_image(tmp_path / "in" / "a.png")[None, :64, :64])[0]
    assert np.ptp(tinted, axis=-1).max() > 1 / 255
    np.testing.assert_allclose(
        read(tmp_path / "aligned" / "a.png")[:160, :160], read_luma(tinted)[:160, :160], atol=1.01
    )


def read_luma(image: np.ndarray) -> np.ndarray:
    return images.to_gray(image) * 255


def test_transparency_is_enlarged_along(
    tmp_path: Path, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    alpha = np.ones(astronaut.shape[:2], np.float32)
    alpha[150:] = 0.2
    images.write_image(tmp_path / "in" / "a.png", astronaut, alpha)
    enhance.run(settings(tmp_path / "in", tmp_path / "out", paste_back=True), tmp_path)
    assert "transparent pictures: 1; their faces were cut out as they look on white" in capsys.readouterr().out
    found = images.read_picture(tmp_path / "out" / "a_x4.png")
    assert found.alpha is not None
    assert found.alpha.shape == (800, 800)
    np.testing.assert_allclose(found.alpha[[100, 700], [50, 50]], [1.0, 0.2], atol=0.01)
    # Colors are the picture's own, not mixed with white.
    expected = load_upscaler("bicubic")(astronaut[None])[0]
    assert np.abs(found.rgb[680:, 40:760] - expected[680:, 40:760]).max() < 0.01
    assert mode(tmp_path / "out" / "a_face1.png") == "RGB"
    enhance.run(settings(tmp_path / "in", tmp_path / "aligned", aligned=True), tmp_path)
    assert mode(tmp_path / "aligned" / "a.png") == "RGBA"


def test_a_turned_photograph_gives_an_upright_face_and_stays_as_it_lies(
    tmp_path: Path, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    images.write_image(tmp_path / "in" / "a.png", np.ascontiguousarray(np.rot90(astronaut, 2)))
    enhance.run(settings(tmp_path / "in", tmp_path / "out", detector="mtcnn", paste_back=True), tmp_path)
    assert "face found in the turned picture: " in capsys.readouterr().out
    crop = read(tmp_path / "out" / "a_face1.png")
    (face,) = load_detector("mtcnn").detect(astronaut)
    expected = align.crop_face(astronaut, face, len(crop))
    assert np.corrcoef(crop.ravel(), expected.ravel())[0, 1] > 0.95
    whole = read(tmp_path / "out" / "a_x4.png")
    assert np.corrcoef(whole.ravel(), np.rot90(load_upscaler("bicubic")(astronaut[None])[0], 2).ravel())[0, 1] > 0.99
    with pytest.raises(UserError, match="found no face"):
        enhance.run(settings(tmp_path / "in", tmp_path / "none", detector="haar", look_again=False), tmp_path)


def test_what_is_passed_over_and_names_that_are_long(
    tmp_path: Path, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "é" * 125
    images.write_image(tmp_path / "in" / f"{long}.png", astronaut)
    (tmp_path / "in" / "b.heic").write_bytes(b"x")
    images.write_image(tmp_path / "in" / ".thumbnails" / "a.png", astronaut)
    Image.fromarray(images.to_uint8(astronaut)).save(tmp_path / "in" / "c.jfif", "JPEG")
    enhance.run(settings(tmp_path / "in", tmp_path / "out"), tmp_path)
    printed = capsys.readouterr().out
    assert "1 file is no picture that can be read, ignored: 1 .heic" in printed
    assert "1 hidden or system folder left out" in printed
    names = made(tmp_path / "out")
    assert names[0] == "c_face1.png"
    assert names[1].startswith("é" * 100)
    assert names[1].endswith("_face1.png")


def test_a_result_that_cannot_be_written_is_counted_and_the_others_are(
    tmp_path: Path, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        images.write_image(tmp_path / "in" / f"{name}.png", astronaut)
    monkeypatch.setattr(
        names_module, "fitting", lambda path, reserve: path.with_name("x" * 300) if path.stem == "a" else path
    )
    enhance.run(settings(tmp_path / "in", tmp_path / "out"), tmp_path)
    printed = capsys.readouterr().out
    assert "cannot be written (File name too long)" in printed
    assert "not written: 1" in printed
    assert made(tmp_path / "out") == ["b_face1.png"]


def test_a_model_for_other_sizes_says_so(tmp_path: Path, crops: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    for size in (16, 32):
        images.write_image(tmp_path / "in" / f"{size}" / "crop.png", crops[0][:size, :size])
        enhance.run(
            settings(tmp_path / "in" / f"{size}", tmp_path / f"out{size}", aligned=True, upscaler=("identity",)),
            tmp_path,
        )
        assert read(tmp_path / f"out{size}" / "crop.png").shape == (4 * size, 4 * size, 3)
        remark = (
            "identity is made for faces of 32 px; those of 16 px (crop.png) are enlarged all the same (identity_x8 is "
            "made for"
        )
        assert (remark in capsys.readouterr().out) == (size == 16)
    # Of several, each picture to its own: nothing to remark, and both come out at 128 px.
    both = settings(tmp_path / "in", tmp_path / "both", aligned=True, upscaler=("identity", "identity_x8"))
    enhance.run(both, tmp_path)
    assert "is made for" not in capsys.readouterr().out
    for size, name in ((16, "identity_x8"), (32, "identity")):
        expected = load_upscaler(name)(crops[:1, :size, :size])[0]
        found = read(tmp_path / "both" / f"{size}" / "crop.png")
        assert np.abs(found - expected * 255.0).max() <= 0.5 + 1e-2
    assert size_remark(load_upscaler("bicubic"), {8: (), 300: ()}) == ""
    assert size_remark(load_upscaler("identity"), {32: (), 24: (), 50: ()}) == ""
    named = {32: ["a"], 90: ["b", "c", "b"], 300: ["c", "d", "e", "f", "g"]}
    assert size_remark(load_upscaler("identity"), named).endswith(
        "; those of 90 to 300 px (b, c, d, e, f and 1 more) are enlarged all the same"
    )


def test_a_second_run_goes_on_and_refuses_other_settings(
    tmp_path: Path, crops: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        images.write_image(tmp_path / "in" / f"{number}.png", crops[number])
    arguments = {"aligned": True}
    enhance.run(settings(tmp_path / "in", tmp_path / "out", **arguments), tmp_path)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("?.png")}
    images.write_image(tmp_path / "in" / "1.png", crops[4])  # another picture by now
    (tmp_path / "out" / "2.png").unlink()
    capsys.readouterr()

    enhance.run(settings(tmp_path / "in", tmp_path / "out", **arguments, batch_size=1), tmp_path)

    printed = capsys.readouterr().out
    assert "done before, and left as they are: 1 pictures" in printed
    assert "pictures enlarged: 2" in printed
    assert (tmp_path / "out" / "0.png").stat().st_mtime_ns == times["0.png"]
    expected = load_upscaler("bicubic")(crops[4:5])[0]
    assert np.abs(read(tmp_path / "out" / "1.png") - expected * 255.0).max() <= 0.5 + 1e-2
    with pytest.raises(UserError, match=r"other settings \(upscaler\)"):
        enhance.run(settings(tmp_path / "in", tmp_path / "out", **arguments, upscaler=("bilinear",)), tmp_path)
    (tmp_path / "out" / "enhance.json").unlink()
    with pytest.raises(UserError, match=r"0\.png \(and 2 more\): exists"):
        enhance.run(settings(tmp_path / "in", tmp_path / "out", **arguments), tmp_path)
    overwritten = settings(tmp_path / "in", tmp_path / "out", **arguments, upscaler=("bilinear",), overwrite=True)
    enhance.run(overwritten, tmp_path)
    expected = load_upscaler("bilinear")(crops[4:5])[0]
    assert np.abs(read(tmp_path / "out" / "1.png") - expected * 255.0).max() <= 0.5 + 1e-2


def test_photographs_that_exist_are_not_overwritten(tmp_path: Path, photograph: Path) -> None:
    images.write_image(tmp_path / "out" / "astronaut_face7.png", np.zeros((4, 4, 3), np.float32))
    images.write_image(tmp_path / "out" / "another_face1.png", np.zeros((4, 4, 3), np.float32))
    with pytest.raises(UserError, match=r"astronaut_face7\.png: exists; --config\.overwrite=true"):
        enhance.run(settings(photograph, tmp_path / "out"), tmp_path)
    assert made(tmp_path / "out") == ["another_face1.png", "astronaut_face7.png"]


def test_what_is_said_of_a_face_and_kept(
    tmp_path: Path, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line and a row for the face, in the input's format with its description, the model, and the way it came."""
    (tmp_path / "in").mkdir()
    exif = Image.Exif()
    exif[270] = "Eileen Collins"
    exif.get_ifd(0x8825)[1] = "N"
    picture = Image.fromarray(images.to_uint8(astronaut))
    picture.save(tmp_path / "in" / "a.jpg", quality=40, exif=exif, dpi=(240, 240))
    changes = {"detector": "mtcnn", "likeness": True, "format": "input", "paste_back": True, "caption": True}
    changes["small_face"] = 256
    enhance.run(settings(tmp_path / "in", tmp_path / "out", upscaler=("srresnet",), **changes), tmp_path)

    printed = capsys.readouterr().out
    kept = json.loads((tmp_path / "out" / "enhance.json").read_text())
    (entry,) = kept["pictures"]
    (row,) = entry["faces"]
    content = (tmp_path / "in" / "a.jpg").read_bytes()
    assert entry["sha256"] == hashlib.sha256(content).hexdigest()
    assert [Path(each).name for each in entry["results"]] == ["a_face1.jpg", "a_x4.jpg"]
    assert row["model"] == "srresnet"
    assert row["enlarged_to"] == 4 * row["size"]
    assert abs(row["jpeg_quality"] - 40) <= 1
    assert 0 < row["quality"] < 1
    assert f"a.jpg face 1 at {row['box'][0]:.0f},{row['box'][1]:.0f}: {row['size']} px, x4 by srresnet" in printed
    assert "(JPEG quality 40" in printed
    assert printed.count(CAUTION) == 1
    with Image.open(tmp_path / "out" / "a_x4.jpg") as image:
        assert image.getexif()[270] == "Eileen Collins"
        assert not image.getexif().get_ifd(0x8825)
        assert image.info["dpi"] == (240, 240)
        assert image.width == 800
        assert image.height > 800  # with its caption
        assert entry["sha256"].encode() in image.info["xmp"]
        assert b'lowres:Model="srresnet and bicubic"' in image.info["xmp"]
    assert "a.jpg, face 1" in (tmp_path / "out" / "enhance.html").read_text()


def test_faces_go_to_the_model_for_their_size_and_condition(
    tmp_path: Path, astronaut: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    """One rule with the page: a face of 64 px and more goes through no network; noise and JPEG choose among models."""
    small = cv2.resize(astronaut, (100, 100), interpolation=cv2.INTER_AREA)
    images.write_image(tmp_path / "in" / "large.png", astronaut)
    images.write_image(tmp_path / "in" / "small.png", small)
    Image.fromarray(images.to_uint8(small)).save(tmp_path / "in" / "small_compressed.jpg", quality=40)
    upscaler = ("identity", "identity_footage")
    enhance.run(settings(tmp_path / "in", tmp_path / "out", upscaler=upscaler, detector="mtcnn"), tmp_path)
    rows = [each["faces"][0] for each in json.loads((tmp_path / "out" / "enhance.json").read_text())["pictures"]]
    assert [row["model"] for row in rows] == ["bicubic", "identity", "identity_footage"]
    assert rows[0]["size"] >= 64
    assert rows[0]["remark"].startswith("large enough: from 64 px on no network; --config.small_face=256 sends")
    assert rows[2]["remark"] == "JPEG quality 40"
    printed = capsys.readouterr()
    assert "x4 by identity_footage" in printed.out
    assert "compiling the models, once:   0%" in printed.err
    assert "enhance with identity,identity_footage: 100%" in printed.err


def test_a_slow_background_is_announced(photograph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bicubic = load_upscaler("bicubic")
    assert enlarging.announcement(bicubic, [photograph], 128, 32) == ""
    network = load_upscaler("srresnet")
    assert enlarging.announcement(network, [photograph], 64, 32) == ""  # some seconds
    times = iter([100.0, 110.0])
    monkeypatch.setattr(enlarging.time, "perf_counter", lambda: next(times))
    # 200 x 200 pixels in tiles of 64 that share 32 are 39 tiles, of 10 s each.
    said = enlarging.announcement(network, [photograph], 64, 32)
    assert said.startswith("srresnet enlarges the whole photographs too, 0.0 megapixels: about 7 min; ")
