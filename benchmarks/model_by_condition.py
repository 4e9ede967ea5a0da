"""Tests whether the model by a photograph's condition is better than always one, by a judge in no model's loss.

    python -m lowres_jax.pretrained.fetch dlib && pip install 'lowres-jax[judges]'
    python benchmarks/model_by_condition.py --photographs 32

Faces of LFW's View 1 (needs configs/prepare_lfw.py) are reduced to 32 px and stand in photographs of 25 faces, half of
which are blurred, noisy and saved as JPEG, each drawn by itself. `enhance` sees the photographs only: their noise and
their JPEG quality.
"""

import argparse
from collections.abc import Sequence

import cv2
import numpy as np
import skimage.data

from lowres_jax.data import images
from lowres_jax.data.degradations import Degradation, footage
from lowres_jax.data.images import DecodedImage
from lowres_jax.data.records import open_records
from lowres_jax.enhancement import faults
from lowres_jax.evaluation import image_quality
from lowres_jax.evaluation.validation import View1
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import cli, environment
from lowres_jax.super_resolution.upscaler import enlarge_to, load_upscaler, load_upscaler_by_size

_SIDE, _SIZE = 5, 32  # faces in a row of a photograph; pixels of a face
_BACKGROUNDS = ("astronaut", "coffee", "chelsea", "rocket")  # photographs of scikit-image
_NAMES = ("bicubic", "identity", "identity_footage")


def background(name: str) -> np.ndarray:
    """A photograph of scikit-image at two thirds of its size, sharp as a camera's, float32 in [0, 1]."""
    picture = getattr(skimage.data, name)()
    height, width = (2 * side // 3 for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.float32) / 255


def photograph(
    crops: np.ndarray, background: np.ndarray, degraded: bool, generator: np.random.Generator
) -> DecodedImage:
    """A photograph with 25 faces in its upper left corner, as a camera saves it.

    Args:
      crops: (25, 128, 128, 3) float32 in [0, 1].
      background: (H, W, 3) float32 in [0, 1], larger than the faces.
      degraded: true if it is blurred, noisy and compressed; a photograph that is not is a JPEG of quality 95.
      generator: draws how much.
    """
    drawn = Degradation.of(footage())
    blur = generator.uniform(*drawn.blur) if degraded else 0.0
    noise, quality = generator.uniform(*drawn.noise), int(generator.uniform(*drawn.jpeg))
    small = np.stack([Degradation(blur=(blur, blur)).apply(crop, _SIZE, generator) for crop in crops])
    rows = small.reshape(_SIDE, _SIDE, _SIZE, _SIZE, 3).transpose(0, 2, 1, 3, 4)
    whole = cv2.GaussianBlur(background, (0, 0), blur) if blur else background.copy()
    whole[: _SIDE * _SIZE, : _SIDE * _SIZE] = rows.reshape(_SIDE * _SIZE, _SIDE * _SIZE, 3)
    if degraded:
        whole = whole + generator.normal(0.0, noise / 255.0, whole.shape).astype(np.float32)
    content = images.to_uint8(np.clip(whole, 0.0, 1.0))[..., ::-1]
    _, encoded = cv2.imencode(".jpg", content, [cv2.IMWRITE_JPEG_QUALITY, quality if degraded else 95])
    return images.decode_picture(encoded.tobytes(), "photograph.jpg")


def faces_in(picture: DecodedImage) -> np.ndarray:
    """(25, 32, 32, 3) of a photograph, in the order of its crops."""
    corner = picture.rgb[: _SIDE * _SIZE, : _SIDE * _SIZE]
    cells = corner.reshape(_SIDE, _SIZE, _SIDE, _SIZE, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(cells.reshape(_SIDE**2, _SIZE, _SIZE, 3))


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=32, help="number of photographs, half of them degraded")
    parser.add_argument("--judge", default="dlib")
    given = parser.parse_args(argv)
    environment.enable_compilation_cache()
    judge = load_recognizer(given.judge)

    def reduce(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        high = crops.astype(np.float32) / np.float32(255.0)
        return high, high

    source = open_records(environment.datasets_folder() / "lfw" / "mtcnn")
    high = View1.load(source, 13 * given.photographs, reduce).high[: given.photographs * _SIDE**2]
    generator, backgrounds = np.random.default_rng(0), [background(name) for name in _BACKGROUNDS]
    groups = high.reshape(-1, _SIDE**2, *high.shape[1:])
    degraded = np.arange(len(groups)) % 2 == 1
    pictures = [
        photograph(own, backgrounds[number // 2 % len(backgrounds)], bad, generator)
        for number, (own, bad) in enumerate(zip(groups, degraded, strict=True))
    ]
    low = np.concatenate([faces_in(picture) for picture in pictures])
    told = [bool(faults.of_picture(picture, faults.noise_level(picture.rgb))) for picture in pictures]
    upscalers = load_upscaler_by_size(("identity", "identity_x8", "identity_footage"))
    chosen = np.repeat([upscalers.for_face(_SIZE, bad).name for bad in told], _SIDE**2)
    bad = np.repeat(degraded, _SIDE**2)
    print(
        f"{len(low)} faces of {_SIZE} px in {len(groups)} photographs, {degraded.sum()} of them degraded; judge ",
        end="",
    )
    print(f"judge {judge.name}; degraded photographs told {np.mean(np.asarray(told)[degraded]):.0%}, ", end="")
    print(f"clean ones taken for degraded {np.mean(np.asarray(told)[~degraded]):.0%}")
    originals = judge.templates(high[: len(low)])
    cosines = {}
    for name in _NAMES:
        upscaler = load_upscaler(name)
        made = np.concatenate([enlarge_to(upscaler, part, 128) for part in np.array_split(low, len(groups))])
        cosines[name] = image_quality.identity_cosine(judge.templates(made), originals)
    cosines["by condition"] = np.where(chosen == "identity", cosines["identity"], cosines["identity_footage"])
    print(f"{'identity cosine (SE)':20}  clean            degraded         all              choice less this")
    for name, own in cosines.items():
        parts = [own[~bad], own[bad], own, cosines["by condition"] - own]
        cells = [f"{part.mean():.4f} ({part.std(ddof=1) / len(part) ** 0.5:.4f})" for part in parts]
        print(f"{name:20}  {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    cli.run(main)
