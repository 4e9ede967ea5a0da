"""Pictures for the report: the grid of methods, and pairs on which a method and bicubic decide differently."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from lowres_jax.evaluation.comparison import Judged
from lowres_jax.evaluation.measurement import CROP_SIZE, RAW, Method, low_resolution
from lowres_jax.evaluation.report_data import GridFace, TurnedPair
from lowres_jax.evaluation.subjects import Subjects
from lowres_jax.super_resolution.upscaler import Upscaler, enlarge_to

LoadCrop = Callable[[int], np.ndarray]


def grid_faces(
    load_crop: LoadCrop,
    names: Sequence[str],
    upscalers: Mapping[str, Upscaler],
    methods: Sequence[Method],
    people: int,
    seed: int,
) -> list[GridFace]:
    """Enlarges one crop each of some people, drawn by the seed alone, by every method.

    Args:
      load_crop: image number -> float32 (128, 128, 3) crop in [0, 1].
      names: the person on each image.
      upscalers: by name.
      methods: what is shown; those without an upscaler are passed over.
      people: how many rows.
      seed: of the draw.
    """
    if people < 1:
        return []
    generator = np.random.default_rng(seed)
    first_images = np.unique(np.asarray(names), return_index=True)[1]
    chosen = np.sort(generator.choice(first_images, size=min(people, len(first_images)), replace=False))
    crops = np.stack([load_crop(int(index)) for index in chosen])
    faces = []
    for lr_size in dict.fromkeys(method.lr_size for method in methods if method.upscaler in upscalers):
        shown = [each.upscaler for each in methods if each.lr_size == lr_size and each.upscaler in upscalers]
        reduced = low_resolution(crops, lr_size)
        enlarged = {name: enlarge_to(upscalers[name], reduced, CROP_SIZE) for name in shown}
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
    recognizer: str,
    judged: Mapping[Method, Judged],
    reference: str,
    subjects: Subjects,
    upscalers: Mapping[str, Upscaler],
    load_crop: LoadCrop,
    count: int,
) -> list[TurnedPair]:
    """Pairs that super-resolution turned right against the reference of its LR size, and pairs that it turned wrong.

    The methods take turns, each with the widest change of its score against the threshold that is left.

    Args:
      recognizer: name of the recogniser.
      judged: of every method.
      reference: name of the upscaler that the others are compared with.
      subjects: images and pairs.
      upscalers: by name.
      load_crop: image number (a position in the subjects' images) -> float32 (128, 128, 3) crop in [0, 1].
      count: at most so many right, and so many wrong.
    """
    compared = [
        method
        for method in judged
        if method.upscaler in upscalers
        and method.upscaler not in ("bilinear", "bicubic", RAW)
        and Method(method.lr_size, reference) in judged
    ]
    found = []
    for right in (True, False):
        queues = {
            method: _turned(judged[method], judged[Method(method.lr_size, reference)], subjects, right)
            for method in compared
        }
        chosen: list[tuple[Method, int]] = []
        for turn in range(count):
            chosen += [(method, int(queue[turn])) for method, queue in queues.items() if turn < len(queue)]
        for method, pair in chosen[:count]:
            found.append(_example(recognizer, method, reference, pair, right, judged, subjects, upscalers, load_crop))
    return found


def _margins(judged: Judged, subjects: Subjects) -> np.ndarray:
    return judged.scores - judged.verification.thresholds_of(subjects.folds)


def _turned(method: Judged, reference: Judged, subjects: Subjects, right: bool) -> np.ndarray:
    """Numbers of the pairs that only the method decides rightly (or only the reference), widest change first."""
    margins, reference_margins = _margins(method, subjects), _margins(reference, subjects)
    method_right, reference_right = (margins > 0) == subjects.same, (reference_margins > 0) == subjects.same
    turned = np.flatnonzero(method_right & ~reference_right if right else ~method_right & reference_right)
    return turned[np.argsort(-np.abs(margins - reference_margins)[turned], kind="stable")]


def _example(
    recognizer: str,
    method: Method,
    reference: str,
    pair: int,
    right: bool,
    judged: Mapping[Method, Judged],
    subjects: Subjects,
    upscalers: Mapping[str, Upscaler],
    load_crop: LoadCrop,
) -> TurnedPair:
    numbers = [int(number) for number in subjects.pairs[pair]]
    crops = np.stack([load_crop(number) for number in numbers])
    reduced = low_resolution(crops, method.lr_size)
    images = enlarge_to(upscalers[method.upscaler], reduced, CROP_SIZE)
    reference_images = enlarge_to(upscalers[reference], reduced, CROP_SIZE)
    own, other = judged[method], judged[Method(method.lr_size, reference)]
    fold = subjects.folds[pair : pair + 1]
    return TurnedPair(
        upscaler=method.upscaler,
        lr_size=method.lr_size,
        recognizer=recognizer,
        outcome="right" if right else "wrong",
        same=bool(subjects.same[pair]),
        names=(subjects.names[numbers[0]], subjects.names[numbers[1]]),
        images=(images[0], images[1]),
        reference_images=(reference_images[0], reference_images[1]),
        score=float(own.scores[pair]),
        threshold=float(own.verification.thresholds_of(fold)[0]),
        reference_score=float(other.scores[pair]),
        reference_threshold=float(other.verification.thresholds_of(fold)[0]),
        reference=reference,
        original_images=(crops[0], crops[1]),
    )
