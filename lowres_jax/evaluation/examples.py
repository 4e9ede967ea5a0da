"""Pictures for the report: the grid of methods, and pairs on which a method and bicubic decide differently."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lowres_jax.evaluation.measurement import CROP_SIZE, Method, low_resolution
from lowres_jax.evaluation.report import GridFace, TurnedPair
from lowres_jax.super_resolution.upscaler import Upscaler, enlarge_to

LoadCrop = Callable[[int], np.ndarray]


def grid_faces(
    load_crop: LoadCrop,
    names: Sequence[str],
    upscalers: Mapping[str, Upscaler],
    lr_sizes: Sequence[int],
    people: int,
    seed: int,
) -> list[GridFace]:
    """Enlarges one crop each of some people, drawn by the seed alone, by every method.

    Args:
      load_crop: image number -> float32 (128, 128, 3) crop in [0, 1].
      names: the person on each image.
      upscalers: by name.
      lr_sizes: sides of the LR images.
      people: how many rows.
      seed: of the draw.
    """
    generator = np.random.default_rng(seed)
    first_images = np.unique(np.asarray(names), return_index=True)[1]
    chosen = np.sort(generator.choice(first_images, size=min(people, len(first_images)), replace=False))
    crops = np.stack([load_crop(int(index)) for index in chosen])
    faces = []
    for lr_size in lr_sizes:
        reduced = low_resolution(crops, lr_size)
        enlarged = {name: enlarge_to(upscaler, reduced, CROP_SIZE) for name, upscaler in upscalers.items()}
        for row, index in enumerate(chosen):
            faces.append(
                GridFace(
                    name=names[index],
                    lr_size=lr_size,
                    low_resolution=reduced[row],
                    high_resolution=crops[row],
                    upscaled={name: images[row] for name, images in enlarged.items()},
                )
            )
    return faces


def turned_pairs(
    method: Method,
    recognizer: str,
    upscaler: Upscaler,
    reference: Upscaler,
    margins: np.ndarray,
    reference_margins: np.ndarray,
    thresholds: np.ndarray,
    reference_thresholds: np.ndarray,
    pairs: np.ndarray,
    same: np.ndarray,
    names: Sequence[str],
    load_crop: LoadCrop,
    count: int,
) -> list[TurnedPair]:
    """The pairs that a method turned right, and wrong, by the widest change of score against the threshold.

    Args:
      method: the method; the reference has the same LR size.
      recognizer: name of the recogniser.
      upscaler: the method's.
      reference: the one it is compared with.
      margins: (P,) score minus the threshold of the pair's fold, under the method.
      reference_margins: (P,) likewise under the reference.
      thresholds: (P,) the threshold of each pair's fold under the method.
      reference_thresholds: (P,) likewise under the reference.
      pairs: (P, 2) image numbers.
      same: (P,) whether the two are one person.
      names: the person on each image.
      load_crop: image number -> float32 (128, 128, 3) crop in [0, 1].
      count: at most so many right, and so many wrong.
    """
    right = (margins > 0) == same
    reference_right = (reference_margins > 0) == same
    change = np.abs(margins - reference_margins)
    found = []
    for outcome, turned in (("right", right & ~reference_right), ("wrong", ~right & reference_right)):
        candidates = np.flatnonzero(turned)
        for number in candidates[np.argsort(-change[candidates], kind="stable")][:count]:
            crops = np.stack([load_crop(int(index)) for index in pairs[number]])
            reduced = low_resolution(crops, method.lr_size)
            images = enlarge_to(upscaler, reduced, CROP_SIZE)
            reference_images = enlarge_to(reference, reduced, CROP_SIZE)
            found.append(
                TurnedPair(
                    upscaler=method.upscaler,
                    lr_size=method.lr_size,
                    recognizer=recognizer,
                    outcome="right" if outcome == "right" else "wrong",
                    same=bool(same[number]),
                    names=(names[pairs[number][0]], names[pairs[number][1]]),
                    images=(images[0], images[1]),
                    reference_images=(reference_images[0], reference_images[1]),
                    score=float(margins[number] + thresholds[number]),
                    threshold=float(thresholds[number]),
                    reference_score=float(reference_margins[number] + reference_thresholds[number]),
                    reference_threshold=float(reference_thresholds[number]),
                    reference=reference.name,
                    original_images=(crops[0], crops[1]),
                )
            )
    return found
