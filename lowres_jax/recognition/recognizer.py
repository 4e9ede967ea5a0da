"""Face -> template. Templates are unit vectors, so that a dot product of two is their cosine similarity."""

import functools
import hashlib
import importlib
import importlib.util
import tomllib
from pathlib import Path
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from lowres_jax import configuration
from lowres_jax.data import resize
from lowres_jax.errors import UserError

_CARDS = Path(__file__).parents[1] / "pretrained" / "cards"


class Recognizer(Protocol):
    """What every stage knows of a recogniser.

    Attributes:
      name: as in its model card.
      input_size: side of the square input in pixels; other sizes are brought to it by `fit`.
      dimension: length of a template.
    """

    name: str
    input_size: int
    dimension: int

    def templates(self, images: np.ndarray) -> np.ndarray:
        """Aligned faces, (B, H, W, 3) float32 RGB in [0, 1] -> (B, dimension) float32 unit vectors."""


def fit(images: np.ndarray, size: int) -> np.ndarray:
    """Brings images to a recogniser's input size.

    A larger image is reduced by antialiased area averaging (128 -> 112). A smaller one, a raw low-resolution face, is
    enlarged by nearest neighbour, which adds nothing to it; who enlarges better does so before.

    Args:
      images: (B, H, W, 3) float32 RGB in [0, 1].
      size: side of the result in pixels.

    Returns:
      (B, size, size, 3) float32.
    """
    height, width = images.shape[1:3]
    if (height, width) == (size, size):
        return np.asarray(images, np.float32)
    change = resize.downscale_area if min(height, width) >= size else resize.nearest
    return np.stack([change(image, size, size) for image in images])


class NetworkRecognizer:
    """A `Recognizer` made of a Flax module, compiled once for each batch shape.

    Attributes:
      module: (B, input_size, input_size, 3) RGB in [0, 1] -> (B, dimension), differentiable.
      variables: of the module.
      flip_sum: whether a template is the sum of the embeddings of the image and of its mirror (InsightFace's habit).
      batch_size: most images of one compiled call.
    """

    def __init__(
        self, name: str, module: nn.Module, variables: Any, input_size: int, flip_sum: bool = False, batch_size: int = 0
    ):
        self.name = name
        self.module = module
        self.variables = jax.device_put(variables)
        self.input_size = input_size
        self.flip_sum = flip_sum
        # A CPU is quickest while the activations of a batch stay in its cache; an accelerator wants to be filled.
        self.batch_size = batch_size or (16 if jax.default_backend() == "cpu" else 256)
        example = jax.ShapeDtypeStruct((1, input_size, input_size, 3), jnp.float32)
        self.dimension = int(jax.eval_shape(module.apply, variables, example).shape[-1])
        self._embed = jax.jit(functools.partial(_unit_templates, module.apply, flip_sum=flip_sum))

    def templates(self, images: np.ndarray) -> np.ndarray:
        """See `Recognizer.templates`. No image gives an array of shape (0, dimension).

        Several batches have one shape: the last is padded. Fewer images than a batch are padded to a power of two.
        """
        if images.ndim != 4 or images.shape[-1] != 3:
            raise ValueError(f"templates of (B, H, W, 3) images, not of shape {images.shape}")
        count = len(images)
        if not count:
            return np.zeros((0, self.dimension), np.float32)
        batch_size = min(self.batch_size, 1 << (count - 1).bit_length())
        parts = []
        for start in range(0, count, batch_size):
            batch = fit(images[start : start + batch_size], self.input_size)
            padded = np.pad(batch, ((0, batch_size - len(batch)), (0, 0), (0, 0), (0, 0)))
            parts.append(np.asarray(self._embed(self.variables, padded))[: len(batch)])
        return np.concatenate(parts)


def _unit_templates(apply: Any, variables: Any, images: jax.Array, flip_sum: bool) -> jax.Array:
    embeddings = apply(variables, images)
    if flip_sum:
        embeddings = embeddings + apply(variables, images[:, :, ::-1])
    # The floor keeps an embedding of zeros (a broken network) finite; no real one comes near it.
    return embeddings / jnp.maximum(jnp.linalg.norm(embeddings, axis=-1, keepdims=True), 1e-12)


def load_recognizer(name: str, weights: str = "", flip_sum: bool = False) -> NetworkRecognizer:
    """Loads a recogniser by the name of its model card.

    Args:
      name: a card of a recogniser in `lowres_jax/pretrained/cards`, as "sface".
      weights: path of a weight file to use instead of the card's own; it is not compared with the card's checksum.
      flip_sum: see `NetworkRecognizer`.

    Raises:
      UserError: no such recogniser; its weights are missing, damaged or another network's.
    """
    cards = {path.stem: tomllib.loads(path.read_text()) for path in _CARDS.glob("*.toml")}
    cards = {stem: card for stem, card in cards.items() if card["module"].startswith("recognition.")}
    if name not in cards:
        raise UserError(f"recognizer {name!r}: no such model; {configuration.nearest(name, sorted(cards))}")
    card = cards[name]
    module = importlib.import_module(f"lowres_jax.{card['module']}").Model(**card.get("model", {}))
    reader_module, reader = card["weights"]["reader"].split(".")
    path = Path(weights) if weights else _package_file(card["weights"])
    variables = getattr(importlib.import_module(f"lowres_jax.pretrained.{reader_module}"), reader)(path)
    _check_shapes(path, module, card["input_size"], variables)
    return NetworkRecognizer(name, module, variables, card["input_size"], flip_sum)


def _check_shapes(path: Path, module: nn.Module, input_size: int, variables: Any) -> None:
    """Raises UserError if the variables are not exactly those of the module."""
    example = jax.ShapeDtypeStruct((1, input_size, input_size, 3), jnp.float32)
    expected = _flat_shapes(jax.eval_shape(module.init, jax.random.key(0), example))
    found = _flat_shapes(variables)
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    if wrong:
        key = wrong[0]
        raise UserError(
            f"{path}: weights of another network: {key} has shape {found.get(key, 'none')}, "
            f"not {expected.get(key, 'none')} ({len(wrong)} such)"
        )


def _flat_shapes(variables: Any) -> dict[str, tuple[int, ...]]:
    return {jax.tree_util.keystr(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(variables)}


def _package_file(entry: dict[str, str]) -> Path:
    specification = importlib.util.find_spec(entry["package"])
    if specification is None or not specification.submodule_search_locations:
        raise UserError(f"weights {entry['file']}: the package {entry['package']} is not installed")
    path = Path(specification.submodule_search_locations[0]).parent / entry["file"]
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
        raise UserError(f"{path}: missing, or not the file that the model card names; reinstall {entry['package']}")
    return path
