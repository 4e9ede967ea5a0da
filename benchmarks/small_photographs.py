"""Faces found, enlarged and recognized in photographs that are small as a whole, not cut from large ones.

    python benchmarks/small_photographs.py ../shared/data/lfw/lfw-deepfunneled.tgz [--images 600] [--sizes 32 24 16]

Photographs are reduced until their faces have so many pixels. At each size: how many faces are found in the small
photograph as it is, and in one that was enlarged first; how far the landmarks lie from those of the large photograph;
the share of searches that find the right person. Takes a folder or an archive with a subfolder a person, and writes
photographs.json into --output. What was measured: docs/notebook/localization.md.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from lowres_jax.data import images, resize
from lowres_jax.errors import UserError
from lowres_jax.evaluation import bootstrap, identification, identification_bootstrap
from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.localization import paste
from lowres_jax.localization.align import CROP_SIZE, crop_face
from lowres_jax.localization.detector import Detector, Face, choose, load_detector
from lowres_jax.localization.rotated_search import scaled
from lowres_jax.preparation.sources import open_photographs
from lowres_jax.recognition.recognizer import Recognizer, load_recognizer
from lowres_jax.runtime import cli, environment
from lowres_jax.runtime.signals import interruptible
from lowres_jax.settings.enhance import DETECTORS, UPSCALER
from lowres_jax.super_resolution.tiling import upscale_each
from lowres_jax.super_resolution.upscaler import (
    Upscaler,
    UpscalerBySize,
    enlarge_to,
    load_upscaler,
    load_upscaler_by_size,
)
from lowres_jax.utils.files import write_atomically

_CHUNK = 64
# Where landmarks are from: those of the photograph at full size, which nobody has, or of the small one as it is.
TRUE, PLAIN = "true landmarks", "as it is"
_METRIC = "dir_at_far_1e-2"
# A face is found where its landmarks lie, on the average, within this share of the distance between the eyes.
FOUND_WITHIN = 0.5


@dataclass(frozen=True)
class Original:
    """A photograph and its face.

    Attributes:
      image: (H, W, 3) float32 RGB in [0, 1].
      face: with landmarks.
      person: number of the person.
    """

    image: np.ndarray
    face: Face
    person: int


def reduced(original: Original, size: int) -> tuple[np.ndarray, Face]:
    """The photograph reduced by area until its face's aligned crop has `size` pixels a side, and the face there.

    A photograph whose face is smaller already stays as it is.
    """
    image = original.image
    factor = min(1.0, size / paste.native_size(original.face, image.shape))
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    # Sides are whole numbers, so that both directions may differ by a hair.
    return resize.resize(image, height, width), scaled(original.face, width / image.shape[1])


def found(detector: Detector, photographs: Sequence[np.ndarray], upscaler: Upscaler | None) -> list[Face | None]:
    """The face nearest the middle of each small photograph, in its pixels; None where none is found.

    Args:
      detector: any with landmarks.
      photographs: small ones.
      upscaler: upscaler of the whole photograph before; None: none.
    """
    shown = list(photographs) if upscaler is None else upscale_each(upscaler, photographs)
    scale = 1 if upscaler is None else upscaler.scale
    found_in = detector.detect_batch([_padded(image) for image in shown])
    faces = [choose(each, image.shape, "nearest_center") for each, image in zip(found_in, shown, strict=True)]
    return [None if face is None else scaled(face, 1 / scale) for face in faces]


def _padded(image: np.ndarray) -> np.ndarray:
    """Continued by its outermost pixels, to the right and below, to sides that are multiples of 32.

    Each photograph is reduced by a factor of its own, and detectors compile a program for each shape.
    """
    (height, width), multiple = image.shape[:2], 32
    return np.pad(image, ((0, -height % multiple), (0, -width % multiple), (0, 0)), mode="edge")


def landmark_error(face: Face | None, truth: Face) -> float:
    """Mean distance of the five landmarks to the true ones, in distances between the eyes; infinite without a face."""
    if face is None or face.landmarks is None or truth.landmarks is None:
        return float("inf")
    eyes = float(np.linalg.norm(truth.landmarks[0] - truth.landmarks[1]))
    return float(np.linalg.norm(face.landmarks - truth.landmarks, axis=1).mean() / eyes)


def compare(config: argparse.Namespace) -> None:
    """Compares; the output folder gets photographs.json.

    Raises:
      UserError: there are no photographs, or too few people with two whose face is found.
    """
    detector, recognizer = load_detector(config.detector), load_recognizer(config.recognizer)
    before = {name: load_upscaler(name) for name in config.before}
    upscalers = load_upscaler_by_size(config.upscaler)
    originals = _originals(config, detector)
    people = np.unique([each.person for each in originals], return_inverse=True)[1]
    gallery = _templates(recognizer, np.stack([crop_face(each.image, each.face) for each in originals]))
    counts = bootstrap.draw_counts(int(people.max()) + 1, config.resamples, config.seed)
    ceiling = identification.probe_statistics(gallery, people)

    def searched(probes: np.ndarray) -> Estimate:
        statistics = identification.probe_statistics(probes, people, gallery)
        return identification_bootstrap.estimate(statistics, ceiling, people, counts)

    print(f"{len(originals):,} photographs of {people.max() + 1:,} people; DIR at FAR 1 % among the originals")
    print(f"{'':34}found   landmark error   DIR at FAR 1 %         difference to '{PLAIN}'")
    rows = [_row(None, "originals", [0.0] * len(originals), searched(gallery), None)]
    for size in config.sizes:
        rows += _at_size(size, originals, detector, before, upscalers, recognizer, searched)
    content = {"photographs": len(originals), "people": int(people.max()) + 1, "rows": rows}
    content |= {"recognizer": config.recognizer, "detector": config.detector, "upscaler": list(config.upscaler)}
    with write_atomically(config.output / "photographs.json") as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")
    print(config.output / "photographs.json")


def _originals(config: argparse.Namespace, detector: Detector) -> list[Original]:
    """Two photographs of each of some people, with their faces.

    Raises:
      UserError: there are too few.
    """
    source = open_photographs(config.source)
    _, first, sizes = np.unique(source.names, return_inverse=True, return_counts=True)
    able = np.random.default_rng(config.seed).permutation(np.flatnonzero(sizes >= 2))
    chosen = set(able[: config.images // 2].tolist())
    wanted: dict[int, int] = {}
    pictures: list[tuple[np.ndarray, int]] = []
    for person, photograph in tqdm(
        zip(first.tolist(), interruptible(source.read()), strict=True), total=len(source.names), desc="reading"
    ):
        if person in chosen and wanted.get(person, 0) < 2:
            wanted[person] = wanted.get(person, 0) + 1
            try:
                pictures.append((images.decode_image(photograph.content, photograph.source), person))
            except images.UnreadableImageError as error:
                print(error)
    faces = []
    for start in interruptible(range(0, len(pictures), _CHUNK)):
        shown = [image for image, _ in pictures[start : start + _CHUNK]]
        faces += found(detector, shown, None)
    kept = [
        Original(image, face, person)
        for (image, person), face in zip(pictures, faces, strict=True)
        if face is not None and face.landmarks is not None
    ]
    seen = Counter(each.person for each in kept)
    both = {person for person, count in seen.items() if count > 1}
    kept = [each for each in kept if each.person in both]
    if len(both) < 4:
        raise UserError(
            f"{config.source}: {len(both)} people have two photographs in which {config.detector} finds a face with "
            "landmarks; four are needed"
        )
    return kept


def _at_size(
    size: int,
    originals: Sequence[Original],
    detector: Detector,
    before: dict[str, Upscaler],
    upscalers: UpscalerBySize,
    recognizer: Recognizer,
    searched: Callable[[np.ndarray], Estimate],
) -> list[dict[str, Any]]:
    """The rows of one size; the true landmarks first, then the photograph as it is, then enlarged ones."""
    small = [reduced(each, size) for each in originals]
    photographs, truths = [image for image, _ in small], [face for _, face in small]
    located: dict[str, list[Face | None]] = {TRUE: list(truths)}
    for name, upscaler in {PLAIN: None, **before}.items():
        faces: list[Face | None] = []
        parts = range(0, len(photographs), _CHUNK)
        for start in tqdm(parts, desc=f"{size} px, {name}", unit="batch", dynamic_ncols=True, leave=False):
            faces += found(detector, photographs[start : start + _CHUNK], upscaler)
        located[name] = faces
    rows: list[dict[str, Any]] = []
    reference: Estimate | None = None
    for name, faces in located.items():
        crops = np.stack([crop_face(image, face, size) for image, face in zip(photographs, faces, strict=True)])
        enlarged = [enlarge_to(upscalers.of(size), crops[start : start + _CHUNK], CROP_SIZE) for start in parts]
        own = searched(_templates(recognizer, np.concatenate(enlarged)))
        reference = own if name == PLAIN else reference
        errors = [landmark_error(face, truth) for face, truth in zip(faces, truths, strict=True)]
        rows.append(_row(size, name, errors, own, reference if name not in (TRUE, PLAIN) else None))
    return rows


def _templates(recognizer: Recognizer, crops: np.ndarray) -> np.ndarray:
    parts = interruptible(range(0, len(crops), _CHUNK))
    return np.concatenate([recognizer.templates(crops[start : start + _CHUNK]) for start in parts])


def _row(
    size: int | None, landmarks: str, errors: Sequence[float], estimate: Estimate, reference: Estimate | None
) -> dict[str, Any]:
    """One row of photographs.json, printed too.

    Args:
      size: side of the face's crop in pixels; None for the originals.
      landmarks: photograph that the landmarks are from.
      errors: error of each photograph, see `landmark_error`.
      estimate: estimate of the searches among the originals.
      reference: rates of the small photograph as it is, on the same resamples; None where there are none.
    """
    is_found = np.asarray(errors) <= FOUND_WITHIN
    low, high = bootstrap.interval(estimate.samples[_METRIC])
    row: dict[str, Any] = {
        "size": size,
        "landmarks": landmarks,
        "found": float(is_found.mean()),
        "landmark_error": float(np.median(np.asarray(errors)[is_found])) if is_found.any() else None,
        "metrics": dict(estimate.metrics),
        "interval": {_METRIC: [low, high]},
    }
    said = ""
    if reference is not None:
        row["difference"] = {PLAIN: {_METRIC: list(bootstrap.difference(estimate, reference, _METRIC))}}
        said = "{:+7.1f} [{:+.1f}, {:+.1f}]".format(*(100 * each for each in row["difference"][PLAIN][_METRIC]))
    label = f"{size} px, {landmarks}" if size else landmarks
    error = "-" if row["landmark_error"] is None else f"{row['landmark_error']:.3f}"
    value = f"{100 * estimate.metrics[_METRIC]:5.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    print(f"{label:32}{row['found']:7.1%}   {error:>14}   {value:22} {said}".rstrip(), flush=True)
    return row


def main(given: Sequence[str] | None = None) -> None:
    """Reads the command line, and compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--images", type=int, default=600, help="photographs, two of each person")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 24, 16], help="of the faces, in pixels")
    parser.add_argument("--before", nargs="*", default=["bicubic", "srresnet"], help="what enlarges whole photographs")
    parser.add_argument("--detector", choices=DETECTORS, default="mtcnn")
    parser.add_argument("--upscaler", nargs="+", default=list(UPSCALER.default))
    parser.add_argument("--recognizer", default="dlib", help="one that is in no model's loss is the fairest")
    parser.add_argument("--resamples", type=int, default=2000, help="of the paired bootstrap")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("workdirs/small_photographs"))
    environment.enable_compilation_cache()
    compare(parser.parse_args(given))


if __name__ == "__main__":
    cli.run(main)
