"""Pictures for the report: the grid of methods, and pairs on which a method and bicubic decide differently."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer, Shaped

from lowres_jax.data.degradations import Degradation
from lowres_jax.data.records import RecordSource
from lowres_jax.evaluation.comparison import REFERENCES, Judged
from lowres_jax.evaluation.evaluation_set import EvaluationSet
from lowres_jax.evaluation.measurement import PLAIN, RAW, Method, load_crop
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.nn.batching import default_batch_size
from lowres_jax.report.comparison.report_data import GridFace, TurnedPair
from lowres_jax.super_resolution.upscaler import Upscaler, enlarge_to

LoadCrop = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Turned:
    """A pair that a method decides otherwise than the reference of its LR size: its number, and who is right."""

    recognizer: str
    method: Method
    pair: int
    right: bool


def of_comparison(
    source: RecordSource,
    subjects: EvaluationSet,
    enlarging: Sequence[Method],
    upscalers: Mapping[str, Upscaler],
    judged: Mapping[str, Mapping[Method, Judged]],
    degradation: Degradation,
    chosen: tuple[int, int, int],
) -> tuple[list[GridFace], list[TurnedPair]]:
    """All pictures of a comparison: the grid, and the pairs that super-resolution turned right and wrong.

    Args:
      source: the prepared set.
      subjects: images and pairs of it.
      enlarging: methods that enlarge.
      upscalers: upscalers by name, all that these name.
      judged: recognizer -> results of every method.
      degradation: degradation on the way to low resolution.
      chosen: number of people in the grid, of pairs turned right and of pairs turned wrong; seed of the draw of people.
    """
    count, pairs, seed = chosen
    people = choose_people(subjects.names, count, seed).tolist()
    reference = next((name for name in REFERENCES if name in upscalers), "")
    turned = [
        each
        for recognizer, own in judged.items()
        for each in choose_turned(recognizer, own, reference, subjects, pairs)
    ]
    pictures = Pictures(
        lambda number: load_crop(source, int(subjects.images[number])),
        upscalers,
        wanted(people, enlarging, turned, reference, subjects),
        subjects.images,
        degradation,
    )
    grid = grid_faces(people, enlarging, subjects.names.tolist(), pictures)
    return grid, [turned_pair(each, judged[each.recognizer], reference, subjects, pictures) for each in turned]


def choose_people(names: Shaped[np.ndarray, " N"], people: int, seed: int) -> Integer[np.ndarray, " people"]:
    """The first image each of some people, drawn by the seed alone: (people,) image numbers, ascending."""
    first_images = np.unique(names, return_index=True)[1]
    generator = np.random.default_rng(seed)
    return np.sort(generator.choice(first_images, size=min(people, len(first_images)), replace=False))


def choose_turned(
    recognizer: str, judged: Mapping[Method, Judged], reference: str, subjects: EvaluationSet, count: int
) -> list[Turned]:
    """Pairs that super-resolution turned right against the reference, then pairs that it turned wrong.

    The methods take turns, each with the widest change of its score against the threshold that is left.

    Args:
      recognizer: name of the recognizer.
      judged: results of every method.
      reference: name of the upscaler that the others are compared with.
      subjects: images and pairs.
      count: largest number of right pairs, and of wrong ones.
    """
    compared = [
        method
        for method in judged
        if method.upscaler not in ("bilinear", "bicubic", RAW) and Method(method.lr_size, reference) in judged
    ]
    found = []
    for right in (True, False):
        queues = {
            method: _turned(judged[method], judged[Method(method.lr_size, reference)], subjects, right)
            for method in compared
        }
        chosen = [
            Turned(recognizer, method, int(queue[turn]), right)
            for turn in range(count)
            for method, queue in queues.items()
            if turn < len(queue)
        ]
        found += chosen[:count]
    return found


def _turned(method: Judged, reference: Judged, subjects: EvaluationSet, right: bool) -> np.ndarray:
    """Numbers of the pairs that only the method decides rightly (or only the reference), widest change first."""
    margins, reference_margins = (
        each.scores - each.verification.thresholds_of(subjects.folds) for each in (method, reference)
    )
    method_right, reference_right = (margins > 0) == subjects.same, (reference_margins > 0) == subjects.same
    turned = np.flatnonzero(method_right & ~reference_right if right else ~method_right & reference_right)
    return turned[np.argsort(-np.abs(margins - reference_margins)[turned], kind="stable")]


class Pictures:
    """Crops, and what the methods make of them: all that a method is to enlarge goes through it in one batch."""

    def __init__(
        self,
        load_crop: LoadCrop,
        upscalers: Mapping[str, Upscaler],
        wanted: Mapping[Method, Sequence[int]],
        positions: np.ndarray,
        degradation: Degradation = PLAIN,
    ):
        """Makes the pictures.

        Args:
          load_crop: image number -> float32 (128, 128, 3) crop in [0, 1].
          upscalers: upscalers by name.
          wanted: method -> image numbers.
          positions: (N,) of each image in the whole set, by which it was degraded.
          degradation: degradation on the way to low resolution.
        """
        self._positions, self._degradation = positions, degradation
        numbers = sorted({number for each in wanted.values() for number in each})
        self.originals = {number: load_crop(number) for number in numbers}
        self._enlarged: dict[tuple[Method, int], np.ndarray] = {}
        for method, own in wanted.items():
            # Filled up to the batch that measuring compiled: a large network takes seconds for another size.
            filled = np.resize(sorted(set(own)), -(-len(set(own)) // default_batch_size()) * default_batch_size())
            crops = np.stack([self.originals[int(number)] for number in filled])
            reduced = degradation.reduced(crops, method.lr_size, positions[filled])
            images = enlarge_to(upscalers[method.upscaler], reduced, CROP_SIZE)
            self._enlarged |= {(method, int(number)): image for number, image in zip(filled, images, strict=True)}

    def reduced(self, lr_size: int, number: int) -> Shaped[np.ndarray, "h h 3"]:
        """The LR image."""
        return self._degradation.reduced(self.originals[number][None], lr_size, self._positions[[number]])[0]

    def enlarged(self, method: Method, number: int) -> Shaped[np.ndarray, "H H 3"]:
        """Result of the method for this face."""
        return self._enlarged[method, number]


def wanted(
    people: Sequence[int], methods: Sequence[Method], turned: Sequence[Turned], reference: str, subjects: EvaluationSet
) -> dict[Method, list[int]]:
    """The pictures that a report needs: method -> image numbers.

    Args:
      people: see `choose_people`.
      methods: methods with an upscaler.
      turned: see `choose_turned`.
      reference: name of the upscaler that they are compared with.
      subjects: images and pairs.
    """
    found = {method: [int(number) for number in people] for method in methods}
    for each in turned:
        for method in (each.method, Method(each.method.lr_size, reference)):
            found[method] += [int(number) for number in subjects.pairs[each.pair]]
    return {method: numbers for method, numbers in found.items() if numbers}


def grid_faces(
    people: Sequence[int], methods: Sequence[Method], names: Sequence[str], pictures: Pictures
) -> list[GridFace]:
    """The grid: at each LR size a row for each person.

    Args:
      people: see `choose_people`.
      methods: methods with an upscaler.
      names: the person on each image.
      pictures: pictures of them.
    """
    return [
        GridFace(
            name=names[number],
            lr_size=lr_size,
            low_resolution=pictures.reduced(lr_size, number),
            high_resolution=pictures.originals[number],
            upscaled={each.upscaler: pictures.enlarged(each, number) for each in methods if each.lr_size == lr_size},
        )
        for lr_size in dict.fromkeys(method.lr_size for method in methods)
        for number in map(int, people)
    ]


def turned_pair(
    turned: Turned, judged: Mapping[Method, Judged], reference: str, subjects: EvaluationSet, pictures: Pictures
) -> TurnedPair:
    """One example for the report.

    Args:
      turned: the pair.
      judged: results of every method, under its recognizer.
      reference: name of the upscaler that it is compared with.
      subjects: images and pairs.
      pictures: pictures of both.
    """
    other = Method(turned.method.lr_size, reference)
    first, second = (int(number) for number in subjects.pairs[turned.pair])
    fold = subjects.folds[turned.pair : turned.pair + 1]

    def decided(method: Method) -> tuple[float, float]:
        own = judged[method]
        return float(own.scores[turned.pair]), float(own.verification.thresholds_of(fold)[0])

    score, threshold = decided(turned.method)
    reference_score, reference_threshold = decided(other)
    return TurnedPair(
        upscaler=turned.method.upscaler,
        lr_size=turned.method.lr_size,
        recognizer=turned.recognizer,
        outcome="right" if turned.right else "wrong",
        same=bool(subjects.same[turned.pair]),
        names=(str(subjects.names[first]), str(subjects.names[second])),
        images=(pictures.enlarged(turned.method, first), pictures.enlarged(turned.method, second)),
        reference_images=(pictures.enlarged(other, first), pictures.enlarged(other, second)),
        score=score,
        threshold=threshold,
        reference_score=reference_score,
        reference_threshold=reference_threshold,
        reference=reference,
        original_images=(pictures.originals[first], pictures.originals[second]),
    )
