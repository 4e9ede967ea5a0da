"""Haar cascade of OpenCV 4.x for frontal faces (Viola and Jones, CVPR 2001)."""

import itertools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Shaped

from lowres_jax.errors import UserError
from lowres_jax.localization.detector import Face


class Model:
    """Frontal faces only, no landmarks, many false positives; as Orsini and Rossi 2022 used it.

    Attributes:
      name: "haar".
      sure_score: see `Detector`; its scores say nothing of orientation, so that every face counts as upright.
      scale_factor: step of the image pyramid.
      minimum_neighbors: number of overlapping hits of a detection.
      minimum_size: minimum size of a face in pixels.
    """

    name = "haar"
    sure_score = -math.inf

    def __init__(self, scale_factor: float = 1.1, minimum_neighbors: int = 3, minimum_size: int = 20):
        self.scale_factor = scale_factor
        self.minimum_neighbors = minimum_neighbors
        self.minimum_size = minimum_size
        self._file = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        if not hasattr(cv2, "CascadeClassifier") or not self._file.is_file():
            raise UserError("detector haar: this OpenCV has no cascades; install opencv-python-headless>=4.10,<5")

    def detect(self, image: Shaped[np.ndarray, "H W 3"]) -> list[Face]:
        """See `Detector.detect`; the score is the weight of the cascade's last stage, not a probability."""
        # A classifier keeps state while it detects, so each call (each thread) has its own: 10 ms against about 20.
        return self._detect_with(cv2.CascadeClassifier(str(self._file)), image)

    def detect_batch(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """See `Detector.detect_batch`; two threads, each with a classifier of its own."""
        if not images:
            return []
        halves = [list(range(start, len(images), 2)) for start in range(2)]

        def run(numbers: list[int]) -> list[list[Face]]:
            classifier = cv2.CascadeClassifier(str(self._file))
            return [self._detect_with(classifier, images[number]) for number in numbers]

        with ThreadPoolExecutor(2) as pool:
            lists = itertools.chain.from_iterable(pool.map(run, halves))
            found = dict(zip(halves[0] + halves[1], lists, strict=True))
        return [found[number] for number in range(len(images))]

    def _detect_with(self, classifier: "cv2.CascadeClassifier", image: np.ndarray) -> list[Face]:
        gray = cv2.cvtColor(np.round(np.asarray(image, np.float32) * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
        if min(gray.shape) < self.minimum_size:
            return []
        boxes, _, weights = classifier.detectMultiScale3(
            gray,
            scaleFactor=self.scale_factor,
            minNeighbors=self.minimum_neighbors,
            minSize=(self.minimum_size, self.minimum_size),
            outputRejectLevels=True,
        )
        faces = [
            Face(np.asarray([x, y, x + width, y + height], np.float32), float(weight))
            for (x, y, width, height), weight in zip(boxes, np.ravel(weights), strict=True)
        ]
        return sorted(faces, key=lambda face: -face.score)
