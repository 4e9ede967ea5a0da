"""Networks as functions that stand on their own, with all that somebody without this package has to know of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from lowres_jax import __version__
from lowres_jax.data import resize
from lowres_jax.errors import UserError
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.localization.mtcnn import networks, weights
from lowres_jax.nn import precision
from lowres_jax.pretrained import cards
from lowres_jax.recognition.recognizer import load_network, unit_templates
from lowres_jax.runtime import configuration
from lowres_jax.super_resolution import interpolation
from lowres_jax.utils.shapes import Array

# Networks of the detector, which have no card: name -> module, variables, side of the crops (0: any picture), outputs.
_DETECTOR: Mapping[str, tuple[Any, Callable[[], Any], int, tuple[str, ...]]] = {
    "mtcnn_proposal": (networks.ProposalNetwork(), weights.proposal_network, 0, ("scores", "offsets")),
    "mtcnn_refinement": (networks.RefinementNetwork(), weights.refinement_network, 24, ("scores", "offsets")),
    "mtcnn_output": (networks.OutputNetwork(), weights.output_network, 48, ("scores", "offsets", "landmarks")),
}
_PICTURES = "RGB, float32 from 0 to 1, (batch, height, width, 3)"
# Of a model without a size of its own.
_USUAL_SIZE = 32


@dataclass(frozen=True)
class Input:
    """Input of a network.

    Attributes:
      name: name.
      shape: numbers, and letters for sides of any length; the dtype is float32.
    """

    name: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Portable:
    """A network with its weights.

    Attributes:
      name: name of the file without its ending.
      function: arrays -> an array, or a tuple of them.
      inputs: inputs of the network.
      outputs: names of what it gives.
      facts: further facts, in words.
      low: least value of the pixels that it takes; the largest is 1.
    """

    name: str
    function: Callable[..., Any]
    inputs: Sequence[Input]
    outputs: Sequence[str]
    facts: Mapping[str, str]
    low: float = 0.0

    def examples(self) -> list[tuple[np.ndarray, ...]]:
        """Inputs of several batches and, where they may be any, sides: noise."""
        generator = np.random.default_rng(0)
        found = []
        for batch, height, width in ((1, 16, 16), (3, 20, 29)):
            sides = {"b": batch, "h": height, "w": width}
            arrays = []
            for each in self.inputs:
                shape = [sides[side] if isinstance(side, str) else side for side in each.shape]
                arrays.append(generator.uniform(self.low, 1.0, shape).astype(np.float32))
            found.append(tuple(arrays))
        return found


def portable(name: str) -> Portable:
    """A network by its name.

    Args:
      name: card of an upscaler or a recognizer; a network of the detector, as "mtcnn_output"; or "identity+sface",
        small face to template in one.

    Raises:
      UserError: there is no such network, or it is none; its weights are missing.
    """
    if name in _DETECTOR:
        return _of_detector(name)
    upscaler, plus, recognizer = name.partition("+")
    if plus:
        return _chain(upscaler, recognizer)
    if name in cards.names("super_resolution"):
        return _upscaler(name)
    if name in cards.names("recognition"):
        return _recognizer(name)
    valid = [*cards.names("super_resolution"), *cards.names("recognition"), *_DETECTOR]
    raise UserError(f"config.models: {name!r}: no such network; {configuration.nearest(name, valid)}")


def _upscaler(name: str) -> Portable:
    card, module, variables = _generator(name)

    def enlarge(images: Shaped[Array, "B H W C"]) -> Shaped[jax.Array, "B h w C"]:
        return jnp.clip(module.apply(variables, images), 0.0, 1.0)

    facts = {
        **_facts(card),
        "input": _PICTURES,
        "normalization": "none beyond the values from 0 to 1",
        "output": f"the same {module.scale} times as large, values from 0 to 1",
        "scale": str(module.scale),
        "made_for": str(card.training.get("lr_size", "any size")),
    }
    shape = ("b", "h", "w", 3)
    return Portable(name, precision.full_precision(enlarge), [Input("images", shape)], ["enlarged"], facts)


def _recognizer(name: str) -> Portable:
    network, card = load_network(name), cards.load_card(name, "recognition")

    def templates(faces: Shaped[Array, "B H W 3"]) -> Float[jax.Array, "B D"]:
        return unit_templates(network.module.apply, network.variables, faces, flip_sum=False)

    size = network.input_size
    facts = {
        **_facts(card),
        "input": f"{_PICTURES} of aligned faces, {size} pixels a side",
        "normalization": "none beyond the values from 0 to 1",
        "output": f"templates of {network.dimension} numbers and unit length; their products are cosine similarities",
        "input_size": str(size),
    }
    return Portable(
        name, precision.full_precision(templates), [Input("faces", ("b", size, size, 3))], ["templates"], facts
    )


def _chain(upscaler: str, recognizer: str) -> Portable:
    """Small face -> template, by the rules of `enlarge_to`, which is on the host."""
    network, judge = load_network(recognizer), cards.load_card(recognizer, "recognition")
    card, module, variables = _generator(upscaler)
    size = card.training.get("lr_size", _USUAL_SIZE)
    if size * module.scale != CROP_SIZE:
        raise UserError(
            f"config.models: {upscaler}+{recognizer}: {upscaler} makes {size * module.scale} px of {size} px, not the "
            f"{CROP_SIZE} px that recognizers take; export the two by themselves"
        )

    def templates(faces: Shaped[Array, "B H W 3"]) -> Float[jax.Array, "B D"]:
        enlarged = jnp.clip(module.apply(variables, faces), 0.0, 1.0)
        fitted = resize.downscale_area_on_device(enlarged, network.input_size, network.input_size)
        return unit_templates(network.module.apply, network.variables, fitted, flip_sum=False)

    facts = {
        **{key: f"{value}; {_facts(judge)[key]}" for key, value in _facts(card).items()},
        "version": __version__,
        "input": f"{_PICTURES} of aligned faces, {size} pixels a side",
        "normalization": "none beyond the values from 0 to 1",
        "output": f"templates of {network.dimension} numbers and unit length; their products are cosine similarities",
        "input_size": str(size),
        "scale": str(module.scale),
    }
    return Portable(
        f"{upscaler}+{recognizer}",
        precision.full_precision(templates),
        [Input("faces", ("b", size, size, 3))],
        ["templates"],
        facts,
    )


def _of_detector(name: str) -> Portable:
    module, read, size, outputs = _DETECTOR[name]
    variables = read()

    def detect(images: Shaped[Array, "B H W C"]) -> Any:
        return module.apply(variables, images)

    inputs = [Input("images", ("b", size, size, 3) if size else ("b", "h", "w", 3))]
    facts = {
        "name": name,
        "summary": f"{type(module).__name__} of MTCNN (Zhang et al., 2016)",
        "license": "MIT (the package mtcnn)",
        "source": "https://pypi.org/project/mtcnn",
        "version": __version__,
        "input": "RGB, (value - 127.5) / 128 of values from 0 to 255, float32, (batch, height, width, 3)",
        "normalization": "(value - 127.5) / 128 of values from 0 to 255",
        "output": "scores of a face from 0 to 1; offsets of x0, y0, x1, y1 and landmarks (all x, then all y) in boxes",
        "input_size": str(size or "any"),
    }
    return Portable(name, precision.full_precision(detect), inputs, outputs, facts, low=-1.0)


def _generator(name: str) -> tuple[cards.Card, Any, Any]:
    """Card, module and variables of an upscaler.

    Raises:
      UserError: there is no such upscaler, or it is no network.
    """
    card = cards.load_card(name, "super_resolution")
    module = cards.build_module(card)
    if isinstance(module, interpolation.Model):
        raise UserError(f"config.models: {name}: is no network; every image library interpolates")
    return card, module, cards.load_variables(card, module, (1, _USUAL_SIZE, _USUAL_SIZE, 3))


def _facts(card: cards.Card) -> dict[str, str]:
    return {
        "name": card.name,
        "summary": card.summary,
        "license": card.license,
        "source": card.source,
        "version": __version__,
        "weights_sha256": card.weights.get("sha256", ""),
    }
