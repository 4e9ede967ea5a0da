"""MTCNN: image pyramid -> P-Net -> R-Net -> O-Net, batched over images, pyramid windows and crops.

Zhang et al., https://arxiv.org/abs/1604.02878. Every step follows the package mtcnn 1.0.0, whose weights these are, so
that both find the same faces (tests/localization/mtcnn/test_cascade.py).
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from lowres_jax.localization.crops import crop_and_resize
from lowres_jax.localization.detector import Face
from lowres_jax.localization.mtcnn import boxes as box_operations
from lowres_jax.localization.mtcnn import weights as mtcnn_weights
from lowres_jax.localization.mtcnn.boxes import Candidates
from lowres_jax.localization.mtcnn.networks import OutputNetwork, ProposalNetwork, RefinementNetwork
from lowres_jax.localization.rotated_search import scaled, shrink_large
from lowres_jax.nn.precision import full_precision

_WINDOW, _STRIDE = 12, 2  # of P-Net
_GROUP = 16  # images that go through the cascade together
_GROUP_PIXELS = 1 << 21  # and their pixels, which bounds memory for large photographs
_LARGE_LEVEL, _BAND = 1 << 20, 384  # pixels of a level that goes through P-Net in bands, and their (even) height
_THREADS = 2  # one prepares and suppresses boxes while the other's networks run


class Model:
    """The detector of the whole system: frontal and profile faces, five landmarks.

    Attributes:
      name: "mtcnn".
      sure_score: see `Detector`; a face on its head may have .99.
      thresholds: least scores of the three networks.
      minimum_face: side in pixels of the smallest face to look for.
      factor: step of the image pyramid.
    """

    name = "mtcnn"
    sure_score = 0.995

    def __init__(
        self,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8),
        minimum_face: int = 20,
        factor: float = 0.709,
    ):
        self.thresholds = thresholds
        self.minimum_face = minimum_face
        self.factor = factor
        self._proposal = jax.device_put(mtcnn_weights.proposal_network())
        self._refinement = jax.device_put(mtcnn_weights.refinement_network())
        self._output = jax.device_put(mtcnn_weights.output_network())

    def detect(self, image: Shaped[np.ndarray, "H W 3"]) -> list[Face]:
        """See `Detector.detect`."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See `Detector.detect_batch`; images of equal size go through the networks together.

        Pictures of over 8 million pixels are searched in a copy reduced by at most .55: in them faces of less than some
        40 pixels are not looked for.
        """
        reduced = [shrink_large(image) for image in images]
        found = self._detect([image for image, _ in reduced])
        return [
            faces if factor == 1.0 else [scaled(face, 1 / factor) for face in faces]
            for faces, (_, factor) in zip(found, reduced, strict=True)
        ]

    def _detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for number, image in enumerate(images):
            by_shape.setdefault(image.shape, []).append(number)
        groups = []
        for (height, width, _), numbers in by_shape.items():
            size = max(1, min(_GROUP, _GROUP_PIXELS // max(height * width, 1)))
            groups += [numbers[start : start + size] for start in range(0, len(numbers), size)]
        found: list[list[Face]] = [[] for _ in images]

        def run(group: list[int]) -> None:
            for number, faces in zip(group, self._detect_group([images[number] for number in group]), strict=True):
                found[number] = faces

        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(run, groups))
        return found

    def _detect_group(self, images: list[np.ndarray]) -> list[list[Face]]:
        """The cascade for images of one size."""
        height, width = images[0].shape[:2]
        # One array from the start, in place: of a large photograph every copy is 100 MB.
        many = len(images) if height * width <= _GROUP_PIXELS else 2
        padded = np.zeros((len(images), *(_bucket(side, many) for side in (height, width)), 3), np.float32)
        normalized = [place[:height, :width] for place in padded]
        for place, image in zip(normalized, images, strict=True):
            np.multiply(image, np.float32(255.0), out=place)
            place -= np.float32(127.5)
            place *= np.float32(1 / 128)
        candidates = self._propose(normalized)
        if not len(candidates):
            return [[] for _ in images]
        stack = jnp.asarray(padded)
        sizes = jnp.asarray([height, width], jnp.float32)

        scores, offsets = _in_batches(_refine, self._refinement, stack, sizes, candidates, 24, 64)
        candidates = candidates.adjusted(scores, offsets).above(self.thresholds[1]).suppressed(0.7).squared()
        if not len(candidates):
            return [[] for _ in images]

        scores, offsets, landmarks = _in_batches(_output, self._output, stack, sizes, candidates, 48, 16)
        points = candidates.points(landmarks)
        candidates = candidates.adjusted(scores, offsets)
        candidates.landmarks = points
        candidates = candidates.above(self.thresholds[2]).suppressed(0.7, box_operations.overlap_of_smaller)
        return candidates.faces(len(images), height, width)

    def _propose(self, images: list[np.ndarray]) -> Candidates:
        """P-Net over the pyramid: square candidates of all images."""
        height, width = images[0].shape[:2]
        levels = []
        for level, scale in enumerate(pyramid_scales(height, width, self.minimum_face, self.factor)):
            sizes = int(height * scale), int(width * scale)
            if min(sizes) < _WINDOW:
                continue
            resized = [cv2.resize(image, sizes[::-1], interpolation=cv2.INTER_AREA) for image in images]
            # Of a large level a band after the other, lest the activations of all of it be there at once.
            high = sizes[0] if sizes[0] * sizes[1] <= _LARGE_LEVEL else _BAND
            for top in range(0, sizes[0] - _WINDOW + 1, high - _WINDOW + _STRIDE):
                bands = [image[top : top + high] for image in resized]
                padded = [_bucket(side, len(images)) for side in bands[0].shape[:2]]
                batch = np.zeros((_power_of_two(len(images)), *padded, 3), np.float32)
                for place, band in zip(batch, bands, strict=False):
                    place[: band.shape[0], : band.shape[1]] = band
                running = _propose(self._proposal, batch, np.asarray(bands[0].shape[:2], np.int32))
                if high != sizes[0]:
                    running = jax.block_until_ready(running)
                levels.append((level, scale, top, bands[0].shape[:2], running))
        parts = []
        for level, scale, top, sizes, (scores, offsets) in levels:
            rows, columns = (-(-(side - 2) // 2) - 4 for side in sizes)
            scores = np.asarray(scores)[: len(images), :rows, :columns]
            number, row, column = np.nonzero(scores > self.thresholds[0])
            corner = np.stack([column, row], axis=1) * float(_STRIDE) + [0, top]
            # Matlab's pixels count from one: the package's windows begin at pixel 1 and are 11 wide.
            windows = np.concatenate([corner + 1, corner + _WINDOW], axis=1)
            moved = windows + np.asarray(offsets)[number, row, column].astype(np.float64) * (_WINDOW - 1)
            parts.append(Candidates(number, moved / scale, scores[number, row, column], np.full(len(number), level)))
        return Candidates.join(parts).suppressed(0.5, within_levels=True).suppressed(0.7).squared()


def pyramid_scales(height: int, width: int, minimum_face: int, factor: float) -> Float[np.ndarray, " n"]:
    """Scales of the pyramid's levels; none for a picture that is too small for any."""
    shorter = max(min(height, width), 1)
    levels = round(-(math.log(shorter / _WINDOW) / math.log(factor) + 1))
    return _WINDOW / minimum_face * factor ** np.arange(max(levels, 0))


def _bucket(side: int, images: int) -> int:
    """The size to which a side is padded, so that few shapes are compiled, whatever the pictures' sizes.

    Many images of one size lose little by it: 16 sizes an octave. A single photograph takes the next of two an octave,
    the step of the pyramid itself, so that photographs of all sizes share one series of shapes.
    """
    if images > 1:
        step = max(4, 1 << max(side.bit_length() - 5, 0))
        return -(-side // step) * step
    octaves = math.ceil(2 * math.log2(side / _WINDOW) - 1e-9) / 2
    return -(-round(_WINDOW * 2**octaves) // 4) * 4


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


@jax.jit
@full_precision
def _propose(variables: Any, images: jax.Array, sizes: jax.Array) -> Any:
    return ProposalNetwork().apply(variables, images, sizes)


@jax.jit
@full_precision
def _refine(variables: Any, crops: jax.Array) -> Any:
    return RefinementNetwork().apply(variables, crops)


@jax.jit
@full_precision
def _output(variables: Any, crops: jax.Array) -> Any:
    return OutputNetwork().apply(variables, crops)


# Apart from the networks, whose programs then do not depend on the photographs' sizes.
_crops = jax.jit(crop_and_resize, static_argnames="side")


def _in_batches(
    network: Any, variables: Any, stack: jax.Array, sizes: jax.Array, candidates: Candidates, side: int, batch: int
) -> tuple[np.ndarray, ...]:
    """Runs a network over the candidates' crops; the last batch is padded."""
    count = len(candidates)
    batch = batch if count > batch // 4 else batch // 4
    running = []
    for start in range(0, count, batch):
        part = slice(start, start + batch)
        image, boxes = candidates.image[part].astype(np.int32), candidates.boxes[part].astype(np.float32)
        missing = batch - len(image)
        arguments = np.pad(image, (0, missing)), np.pad(boxes, ((0, missing), (0, 0)))
        running.append(network(variables, _crops(stack, sizes, *arguments, side=side)))
    return tuple(np.concatenate(results)[:count] for results in zip(*running, strict=True))
