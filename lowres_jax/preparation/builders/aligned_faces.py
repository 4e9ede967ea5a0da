"""What all builders share: photographs are searched for faces, aligned, and written as records of one crop each."""

import dataclasses
import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

# Writing records is the one thing that needs TensorFlow, whose greetings at start-up help nobody.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow_datasets as tfds
from tqdm import tqdm

from lowres_jax.data import images
from lowres_jax.localization import align
from lowres_jax.localization.detector import Detector, Face, Rule, choose, load_detector
from lowres_jax.localization.sharpness import variance_of_laplacian
from lowres_jax.preparation.photographs import Photograph, Photographs, natural_order
from lowres_jax.runtime.signals import interruptible

# Pictures that go through the detector together: enough to fill its batches and both its threads. Of large ones fewer,
# so that memory does not grow with them (two chunks of 200 MB are held).
_CHUNK = 64
_CHUNK_PIXELS = 1 << 24


@dataclass
class AlignedFacesConfig(tfds.core.BuilderConfig):
    """One way to prepare a set.

    Attributes:
      detector: "mtcnn" or "haar".
      rule: which face is taken of several; see `localization.detector.choose`.
      crop_size: side of the crops in pixels.
      image_format: "png" (lossless, for evaluation) or "jpeg" (quality 95, 4:4:4, a fifth of the size, for training).
    """

    detector: str = "mtcnn"
    rule: Rule = "highest_score"
    crop_size: int = align.CROP_SIZE
    image_format: str = "png"


@dataclass
class Counts:
    """What a preparation came across.

    Attributes:
      photographs: how many there were.
      people: how many identities are in the records.
      undetected: source names of those without a face, which fell back to the center crop.
      unreadable: one line for each that is no readable picture and has no record.
    """

    photographs: int = 0
    people: int = 0
    undetected: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class AlignedFaces(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Base of the builders, whose photographs the subclass's `prepare` task hands over."""

    VERSION = tfds.core.Version("1.0.0")
    SPLIT = "test"
    DESCRIPTION = ""
    CITATION = ""

    def __init_subclass__(cls, **kwargs: Any):
        # TFDS has an "lfw" of its own, and no two builders of one name in its register.
        super().__init_subclass__(skip_registration=True, **kwargs)

    def __init__(self, *, photographs: Photographs, **kwargs: Any):
        self._photographs = photographs
        self.counts = Counts()
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        size = self.builder_config.crop_size
        image = tfds.features.Image(shape=(size, size, 3), encoding_format=self.builder_config.image_format)
        features = {
            "image": image,
            "label": np.int64,
            "name": tfds.features.Text(),
            "source": tfds.features.Text(),
            "box": tfds.features.Tensor(shape=(4,), dtype=np.float32),
            "landmarks": tfds.features.Tensor(shape=(5, 2), dtype=np.float32),
            "has_landmarks": np.bool_,
            "score": np.float32,
            "detector": tfds.features.Text(),
            "detected": np.bool_,
            "sharpness": np.float32,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DESCRIPTION,
            citation=self.CITATION,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,  # records keep the order of the photographs
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager  # nothing is downloaded
        return {self.SPLIT: self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        names = sorted(set(self._photographs.names), key=natural_order)
        labels = {name: label for label, name in enumerate(names)}
        detector = load_detector(self.builder_config.detector)
        seen = set()
        number = 0
        with tqdm(total=len(self._photographs.names), unit="image", desc=self.name, dynamic_ncols=True) as progress:
            for record in interruptible(self._records(detector)):
                progress.update()
                self.counts.photographs += 1
                if isinstance(record, images.UnreadableImageError):
                    self.counts.unreadable.append(str(record))
                    continue
                seen.add(record["name"])
                if not record["detected"]:
                    self.counts.undetected.append(record["source"])
                counts = {"no_face": len(self.counts.undetected), "unreadable": len(self.counts.unreadable)}
                progress.set_postfix(counts, refresh=False)
                yield number, {"label": labels[record["name"]], **record}
                number += 1
        self.counts.people = len(seen)

    def _records(self, detector: Detector) -> Iterator[dict[str, Any] | images.UnreadableImageError]:
        """Records in order. While the detector runs, the next pictures are decoded and the last are cut and encoded."""
        chunks = in_chunks(self._photographs.read())
        with ThreadPoolExecutor(2) as pool:
            decoded = [pool.submit(_decode, photograph) for photograph in next(chunks, [])]
            finishing: list[Any] = []
            while decoded:
                chunk: list[tuple[Photograph, Any]] = [future.result() for future in decoded]
                decoded = [pool.submit(_decode, photograph) for photograph in next(chunks, [])]
                found = iter(detector.detect_batch([item[1] for item in chunk if _to_detect(item)]))
                ready = finishing
                finishing = [
                    pool.submit(self._finish, item[0], item[1], next(found) if _to_detect(item) else [])
                    for item in chunk
                ]
                yield from (future.result() for future in ready)
            yield from (future.result() for future in finishing)

    def _finish(
        self, photograph: Photograph, image: np.ndarray | images.UnreadableImageError, faces: list[Face]
    ) -> dict[str, Any] | images.UnreadableImageError:
        """The record of one photograph, without its label."""
        if isinstance(image, images.UnreadableImageError):
            return image
        config = self.builder_config
        face = choose(faces, image.shape, config.rule)
        if photograph.aligned:
            height, width = image.shape[:2]
            box = np.asarray([0, 0, width, height], np.float32)
            face = Face(box, 1.0, align.TEMPLATE * (width / align.TEMPLATE_SIZE))
        crop = align.crop_face(image, face, config.crop_size)
        landmarks = None if face is None else face.landmarks
        return {
            "image": io.BytesIO(encode(crop, config.image_format)),
            "name": photograph.name,
            "source": photograph.source,
            "box": np.zeros(4, np.float32) if face is None else face.box.astype(np.float32),
            "landmarks": np.zeros((5, 2), np.float32) if landmarks is None else landmarks.astype(np.float32),
            "has_landmarks": landmarks is not None,
            "score": 0.0 if face is None else face.score,
            "detector": "aligned" if photograph.aligned else config.detector,
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


def encode(crop: np.ndarray, image_format: str) -> bytes:
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
