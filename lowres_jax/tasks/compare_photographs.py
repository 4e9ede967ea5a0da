"""Finds, enlarges and recognizes faces in photographs that were made small as a whole."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax import config_keys
from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.evaluation import bootstrap, identification, identification_bootstrap
from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.evaluation.small_photographs import FOUND_WITHIN, Original, found, landmark_error, reduced
from lowres_jax.localization.align import CROP_SIZE, crop_face
from lowres_jax.localization.detector import Detector, Face, load_detector
from lowres_jax.preparation.sources import open_photographs
from lowres_jax.recognition.recognizer import Recognizer, load_recognizer
from lowres_jax.runtime.signals import interruptible
from lowres_jax.settings.photographs import KEYS
from lowres_jax.super_resolution.upscaler import (
    Upscaler,
    UpscalerBySize,
    enlarge_to,
    load_upscaler,
    load_upscaler_by_size,
)
from lowres_jax.utils.files import try_folder, write_atomically

_CHUNK = 64
# Where landmarks are from: those of the original photograph, which nobody has, or of the small one as it is.
TRUE, PLAIN = "true landmarks", "as it is"
_METRIC = "dir_at_far_1e-2"


def run(config: ConfigDict, workdir: Path) -> None:
    """Compares; the workdir gets photographs.json.

    Raises:
      UserError: there are no photographs, or too few people with two whose face is found.
    """
    config_keys.check(config, KEYS)
    try_folder(workdir)
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
    with write_atomically(workdir / "photographs.json") as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")
    print(workdir / "photographs.json")


def _originals(config: ConfigDict, detector: Detector) -> list[Original]:
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
      landmarks: what they are from.
      errors: of each photograph, see `landmark_error`.
      estimate: estimate of the searches among the originals.
      reference: the same of the small photograph as it is, on the same resamples; None where there is none.
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
