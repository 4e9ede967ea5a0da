"""Photographs -> records: searched for faces, aligned, and encoded as one crop each."""

import dataclasses
import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from jaxtyping import Shaped

from lowres_jax.data import images
from lowres_jax.localization import align
from lowres_jax.localization.detector import Detector, Face, Rule, choose
from lowres_jax.localization.sharpness import variance_of_laplacian
from lowres_jax.preparation.photographs import Photograph

# Pictures that go through the detector together: enough to fill its batches and both its threads. Of large ones fewer,
# so that memory does not grow with them (two chunks of 200 MB are held).
_CHUNK = 64
_CHUNK_PIXELS = 1 << 24

# The record of a photograph without its label, or why there is none.
Record = dict[str, Any] | images.UnreadableImageError


@dataclass(frozen=True)
class Alignment:
    """Settings by which photographs become crops.

    Attributes:
      detector: "mtcnn" or "haar".
      rule: rule by which one of several faces is taken; see `localization.detector.choose`.
      crop_size: side of the crops in pixels.
      image_format: "png" (lossless, for evaluation) or "jpeg" (quality 95, 4:4:4, a fifth of the size, for training).
    """

    detector: str = "mtcnn"
    rule: Rule = "highest_score"
    crop_size: int = align.CROP_SIZE
    image_format: str = "png"


@dataclass
class Counts:
    """Counts and problems of a preparation.

    Attributes:
      photographs: number of photographs.
      people: names of those who have a record.
      undetected: source names of those without a face, which fell back to the center crop.
      unreadable: one line for each that is no readable picture and has no record.
    """

    photographs: int = 0
    people: set[str] = field(default_factory=set)
    undetected: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Counts one photograph."""
        self.photographs += 1
        if isinstance(record, images.UnreadableImageError):
            self.unreadable.append(str(record))
            return
        self.people.add(record["name"])
        if not record["detected"]:
            self.undetected.append(record["source"])

    def merge(self, other: "Counts") -> None:
        """Adds what a later part of the photographs came across."""
        self.photographs += other.photographs
        self.people |= other.people
        self.undetected += other.undetected
        self.unreadable += other.unreadable


def records(photographs: Iterable[Photograph], detector: Detector, alignment: Alignment) -> Iterator[Record]:
    """Records in order. While the detector runs, the next pictures are decoded and the last are cut and encoded."""
    chunks = in_chunks(photographs)
    with ThreadPoolExecutor(2) as pool:
        decoded = [pool.submit(_decode, photograph) for photograph in next(chunks, [])]
        finishing: list[Any] = []
        while decoded:
            chunk: list[tuple[Photograph, Any]] = [future.result() for future in decoded]
            decoded = [pool.submit(_decode, photograph) for photograph in next(chunks, [])]
            found = iter(detector.detect_batch([item[1] for item in chunk if _to_detect(item)]))
            ready = finishing
            finishing = [
                pool.submit(record, item[0], item[1], next(found) if _to_detect(item) else [], alignment)
                for item in chunk
            ]
            yield from (future.result() for future in ready)
        yield from (future.result() for future in finishing)


def record(
    photograph: Photograph,
    image: np.ndarray | images.UnreadableImageError,
    faces: list[Face],
    alignment: Alignment,
) -> Record:
    """The record of one photograph."""
    if isinstance(image, images.UnreadableImageError):
        return image
    face = choose(faces, image.shape, alignment.rule)
    if photograph.aligned:
        height, width = image.shape[:2]
        box = np.asarray([0, 0, width, height], np.float32)
        face = Face(box, 1.0, align.TEMPLATE * (width / align.TEMPLATE_SIZE))
    crop = align.crop_face(image, face, alignment.crop_size)
    landmarks = None if face is None else face.landmarks
    return {
        "image": io.BytesIO(encode(crop, alignment.image_format)),
        "name": photograph.name,
        "source": photograph.source,
        "box": np.zeros(4, np.float32) if face is None else face.box.astype(np.float32),
        "landmarks": np.zeros((5, 2), np.float32) if landmarks is None else landmarks.astype(np.float32),
        "has_landmarks": landmarks is not None,
        "score": 0.0 if face is None else face.score,
        "detector": "aligned" if photograph.aligned else alignment.detector,
        "detected": face is not None,
        "sharpness": variance_of_laplacian(crop),
    }


def _to_detect(item: tuple[Photograph, Any]) -> bool:
    return isinstance(item[1], np.ndarray) and not item[0].aligned


def in_chunks(photographs: Iterable[Photograph]) -> Iterator[list[Photograph]]:
    """Photographs in lists of at most 64 and, but for a single larger one, at most 17 million pixels."""
    chunk: list[Photograph] = []
    pixels = 0
    for photograph in photographs:
        size = images.pixel_count(photograph.content)
        if chunk and (len(chunk) == _CHUNK or pixels + size > _CHUNK_PIXELS):
            yield chunk
            chunk, pixels = [], 0
        chunk.append(photograph)
        pixels += size
    if chunk:
        yield chunk


def _decode(photograph: Photograph) -> tuple[Photograph, np.ndarray | images.UnreadableImageError]:
    emptied = dataclasses.replace(photograph, content=b"")
    try:
        image = images.decode_image(photograph.content, photograph.source)
    except images.UnreadableImageError as error:
        return emptied, error
    margin = (photograph.margin, photograph.margin)
    return emptied, np.pad(image, [margin, margin, (0, 0)], mode="edge") if photograph.margin else image


def encode(crop: Shaped[np.ndarray, "H W 3"], image_format: str) -> bytes:
    """A float32 RGB crop in [0, 1] as PNG, or as JPEG of quality 95 without color subsampling."""
    if image_format == "png":
        # The light compression: a tenth larger than the heaviest, several times as quick.
        ending, options = ".png", [cv2.IMWRITE_PNG_COMPRESSION, 3]
    else:
        sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        ending = ".jpg"
    _, content = cv2.imencode(ending, images.to_uint8(crop)[..., ::-1], options)
    return content.tobytes()
