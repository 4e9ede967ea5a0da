"""Any face recognizer as an ONNX file, run by onnxruntime (the extra "judges"): for judging only."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.config_keys import Key
from lowres_jax.data import resize
from lowres_jax.errors import UserError
from lowres_jax.runtime.signals import interruptible

NAME = "onnx"
_BATCH = 32
_SHORTEST_TEMPLATE = 8


KEYS = {
    "path": Key(None, "Path of the .onnx file of the recognizer onnx.", kind=str),
    "input_size": Key(112, "Side of the network's input, in pixels.", least=8, most=1024),
    "colors": Key("rgb", "Order of the input's color channels.", choices=("rgb", "bgr")),
    "mean": Key(127.5, "Values on the 0-255 scale become (value - mean) / scale."),
    "scale": Key(127.5, "See mean.", above=0),
}


def default_config() -> ConfigDict:
    """The keys that say what file it is and what it wants, with InsightFace's habits."""
    return config_keys.new(KEYS)


class OnnxRecognizer:
    """A `Recognizer` by onnxruntime.

    Attributes:
      name: "onnx".
      input_size: side of the crops.
      dimension: dimension of the templates.
    """

    name = NAME

    def __init__(self, config: ConfigDict):
        """Loads the network and tries it on a gray picture.

        Args:
          config: see `default_config`.

        Raises:
          UserError: onnxruntime is not installed, the file is missing or none, or it takes or gives something else than
            one crop of this size and one template.
        """
        path = Path(config.path)
        if not config.path or not path.is_file():
            raise UserError(f"config.onnx.path={config.path}: no such file; give the recognizer's .onnx file")
        try:
            import onnxruntime
        except ImportError as error:
            raise UserError(
                "recognizer onnx: onnxruntime is not installed; run: pip install 'lowres-jax[judges]'"
            ) from error
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        # onnxruntime has exceptions of its own, which it does not name in public.
        except Exception as error:
            raise UserError(f"{path}: cannot be loaded as an ONNX network ({_first_line(error)})") from error
        self.input_size = config.input_size
        self._config = config
        inputs = self._session.get_inputs()
        shape = list(inputs[0].shape)
        size = config.input_size
        self._channels_first = len(shape) == 4 and shape[1] == 3
        expected = (3, size, size) if self._channels_first else (size, size, 3)
        wrong = len(shape) != 4 or any(isinstance(s, int) and s != e for s, e in zip(shape[1:], expected, strict=True))
        if len(inputs) != 1 or wrong:
            raise UserError(
                f"{path}: takes {len(inputs)} input(s), the first of shape {shape}, not one of {size}x{size} pixels "
                "with three colors; set --config.onnx.input_size"
            )
        fixed = isinstance(shape[0], int) and shape[0] > 0
        self._batch = shape[0] if fixed else _BATCH
        gray = np.full((self._batch if fixed else 1, size, size, 3), 0.5, np.float32)
        found = self._run(gray)
        if found.ndim != 2 or len(found) != len(gray) or not np.isfinite(found).all():
            raise UserError(f"{path}: gives {found.shape} for {len(gray)} crops, not a template for each")
        if found.shape[1] < _SHORTEST_TEMPLATE:
            name = self._session.get_outputs()[0].name
            raise UserError(
                f"{path}: its first output, {name!r}, has {found.shape[1]} number(s) for a face: a score or the like, "
                f"no template (those have {_SHORTEST_TEMPLATE} or more); the template must come first"
            )
        self.dimension = found.shape[1]

    def templates(self, images: Shaped[np.ndarray, "B H W C"]) -> Float[np.ndarray, "B D"]:
        """See `Recognizer.templates`; sizes are brought to the network's as `data.resize.fit` does."""
        found = np.zeros((len(images), self.dimension), np.float32)
        for start in interruptible(range(0, len(images), self._batch)):
            batch = images[start : start + self._batch]
            # A network of a fixed batch gets whole ones.
            padded = np.concatenate([batch, np.repeat(batch[-1:], self._batch - len(batch), axis=0)])
            found[start : start + len(batch)] = self._run(padded)[: len(batch)]
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)

    def _run(self, images: np.ndarray) -> np.ndarray:
        images = resize.fit(images, self.input_size) * np.float32(255.0)
        if self._config.colors == "bgr":
            images = images[..., ::-1]
        images = (images - np.float32(self._config.mean)) / np.float32(self._config.scale)
        if self._channels_first:
            images = images.transpose(0, 3, 1, 2)
        wanted = self._session.get_inputs()[0].name
        try:
            found = self._session.run(None, {wanted: np.ascontiguousarray(images, np.float32)})
            return np.asarray(found[0], np.float32)
        # As above.
        except Exception as error:
            raise UserError(f"config.onnx.path={self._config.path}: cannot be run ({_first_line(error)})") from error


# Of an ONNX tensor whose values lie in another file: a StringStringEntryProto with the key "location" (onnx.proto).
_LOCATION = re.compile(rb"\n\x08location\x12([\x01-\x7f]|[\x80-\xff][\x01-\x7f])", re.DOTALL)


def external_files(content: bytes) -> list[str]:
    """Names of the files beside an ONNX file in which its tensors lie, in order."""
    names = set()
    for found in _LOCATION.finditer(content):
        varint = found[1]
        length = varint[0] & 0x7F if len(varint) == 1 else (varint[0] & 0x7F) + 128 * varint[1]
        names.add(content[found.end() : found.end() + length].decode("utf-8", "replace"))
    return sorted(names)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def identity(config: ConfigDict) -> str:
    """The parts that measurements by such a recognizer depend on: content of the file and of its weights, settings."""
    path = Path(config.path)
    content = path.read_bytes() if path.is_file() else b""
    digests = [hashlib.sha256(content).hexdigest()]
    for name in external_files(content):
        place = path.parent / name
        if place.is_file():
            with place.open("rb") as file:
                digests.append(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}")
    return repr((digests, sorted((key, value) for key, value in config.items() if key != "path")))
