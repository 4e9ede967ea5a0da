"""Face -> template. Templates are unit vectors, so that a dot product of two is their cosine similarity."""

import functools
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Float, Shaped
from ml_collections import ConfigDict

from lowres_jax.data import resize
from lowres_jax.errors import UserError
from lowres_jax.nn.batching import BatchedApply
from lowres_jax.pretrained import cards
from lowres_jax.recognition import dlib_resnet, onnx_model, sface_small
from lowres_jax.utils.shapes import Array, Images, Templates


class Recognizer(Protocol):
    """A recognizer as every stage knows it.

    Attributes:
      name: name in the model card.
      input_size: side of the square input in pixels; other sizes are brought to it by `data.resize.fit`.
      dimension: length of a template.
    """

    name: str
    input_size: int
    dimension: int

    def templates(self, images: Images) -> Templates:
        """Aligned faces, (B, H, W, 3) float32 RGB in [0, 1] -> (B, dimension) float32 unit vectors."""


class NetworkRecognizer:
    """A `Recognizer` made of a Flax module, compiled once for each batch shape.

    Attributes:
      name: name of its model card.
      module: (B, input_size, input_size, 3) RGB in [0, 1] -> (B, dimension), differentiable.
      variables: variables of the module.
      input_size: see `Recognizer`.
      dimension: see `Recognizer`.
      batch_size: largest number of images of one compiled call; 0: by the devices.
      enrolls: recognizer of original pictures, whose templates this one's are compared with: itself, unless this one
        reads small faces only.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        variables: Any,
        input_size: int,
        flip_sum: bool = False,
        batch_size: int = 0,
        enrolls: "NetworkRecognizer | None" = None,
    ):
        """Makes a recognizer of a module.

        Args:
          name: name of its model card.
          module: see the class.
          variables: variables of the module.
          input_size: side of the module's input in pixels.
          flip_sum: a template is the sum of the embeddings of the image and of its mirror (InsightFace's habit).
          batch_size: see the attribute.
          enrolls: see the attribute; None: itself.
        """
        self.name = name
        self.module = module
        self.variables = variables
        self.input_size = input_size
        self.batch_size = batch_size
        self.enrolls = enrolls or self
        example = jax.ShapeDtypeStruct((1, input_size, input_size, 3), jnp.float32)
        self.dimension = int(jax.eval_shape(module.apply, variables, example).shape[-1])
        self._embed = BatchedApply(
            functools.partial(unit_templates, module.apply, flip_sum=flip_sum),
            lambda batch: resize.fit(batch, input_size),
        )
        self._plain = BatchedApply(module.apply, lambda batch: resize.fit(batch, input_size))

    def templates(self, images: Float[np.ndarray, "..."]) -> Templates:
        """See `Recognizer.templates`. No image gives an array of shape (0, dimension)."""
        if images.ndim != 4 or images.shape[-1] != 3:
            raise ValueError(f"templates of (B, H, W, 3) images, not of shape {images.shape}")
        if not len(images):
            return np.zeros((0, self.dimension), np.float32)
        return self._embed(self.variables, images, self.batch_size)

    def embeddings(self, images: Images) -> Templates:
        """Output of the network itself, of any length, for (B, H, W, 3) images, B > 0."""
        return self._plain(self.variables, images, self.batch_size)


def unit_templates(
    apply: Any, variables: Any, images: Shaped[Array, "B S S 3"], *, flip_sum: bool
) -> Shaped[jax.Array, "B D"]:
    """(B, S, S, 3) images -> (B, D) unit vectors; with `flip_sum` of the sum with the mirrored images' embeddings."""
    embeddings = apply(variables, images)
    if flip_sum:
        embeddings = embeddings + apply(variables, images[:, :, ::-1])
    # The floor keeps an embedding of zeros (a broken network) finite; no real one comes near it.
    return embeddings / jnp.maximum(jnp.sqrt(jnp.sum(embeddings**2, axis=-1, keepdims=True)), 1e-12)


def enrolling(recognizer: Recognizer) -> Recognizer:
    """The recognizer of original pictures: the given one, or the one that a recognizer of small faces belongs to."""
    return getattr(recognizer, "enrolls", recognizer)


def load_recognizer(
    name: str, weights: str | None = None, flip_sum: bool = False, onnx: ConfigDict | None = None
) -> Recognizer:
    """Loads a recognizer by the name of its model card; those that are no Flax modules by their own programs.

    Args:
      name: a card of a recognizer in `lowres_jax/pretrained/cards`, as "sface"; or "onnx".
      weights: path of a weight file to use instead of the card's own; it is not compared with the card's checksum.
      flip_sum: see `NetworkRecognizer`.
      onnx: settings of "onnx", see `onnx_model.default_config`.

    Raises:
      UserError: no such recognizer; its weights are missing, damaged or another network's; dlib is not installed, or
        asked for a sum over mirrors.
    """
    card = None if name == onnx_model.NAME and onnx is not None else cards.load_card(name, "recognition")
    if card is not None and card.module != "recognition.dlib_resnet":
        return load_network(name, weights, flip_sum)
    if flip_sum:
        raise UserError(f"recognizer {name}: has no sum over an image and its mirror; leave flip_sum false")
    if card is not None:
        return dlib_resnet.DlibRecognizer(card, weights)
    assert onnx is not None
    return onnx_model.OnnxRecognizer(onnx)


def load_network(name: str, weights: str | None = None, flip_sum: bool = False) -> NetworkRecognizer:
    """`load_recognizer` of one that is a Flax module, and differentiable; once a process.

    Raises:
      UserError: as `load_recognizer`; or the recognizer is no network.
    """
    card = cards.load_card(name, "recognition")
    if card.module == "recognition.dlib_resnet":
        raise UserError(
            f"recognizer {name}: has no gradient, so that nothing can be trained against it; it judges only"
        )

    def load() -> NetworkRecognizer:
        module = cards.build_module(card)
        variables = cards.load_variables(card, module, (1, card.input_size, card.input_size, 3), weights)
        small = card.module == "recognition.sface_small"
        enrolls = load_network(sface_small.BASE, None, flip_sum) if small else None
        return NetworkRecognizer(name, module, variables, card.input_size, flip_sum, enrolls=enrolls)

    return cards.loaded_once(card, weights, flip_sum, load)
