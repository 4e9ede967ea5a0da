"""Initial weights of a recognizer: random, ImageNet's, or another training's result."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from flax import traverse_util
from ml_collections import ConfigDict

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards, resnet_weights, safetensors_weights, weights
from lowres_jax.recognition import sface_small
from lowres_jax.recognition.training import train_config, trainer
from lowres_jax.training import devices
from lowres_jax.utils import streams

IMAGENET = "imagenet"
_DRAWN = "norm_in", "embedding", "norm_out"  # may be drawn at random where a start has none


def variables(config: ConfigDict, module: nn.Module) -> dict[str, Any] | None:
    """The variables that a config's `start` names; None where it names nothing.

    Of ImageNet's network the backbone is taken, and of one with templates of another length; the embedding is drawn at
    random.

    Raises:
      UserError: there is nothing of that name; or it holds another network's weights.
    """
    if not config.start:
        return None
    found = _found(config.start)
    if config.model.module == train_config.SMALL and config.start == sface_small.BASE:
        # What is changed, and a change of nothing.
        found = {"batch_stats": {sface_small.BASE: found}}
    drawn = jax.device_get(trainer.init_variables(module, streams.key(config.seed, trainer.RECOGNIZER), config.size))
    given, wanted = (traverse_util.flatten_dict(each, sep="/") for each in (found, drawn))
    wrong = sorted(name for name in given if name not in wanted or np.shape(given[name]) != np.shape(wanted[name]))
    if wrong and all(_layer(name) in _DRAWN for name in wrong):
        given, wrong = {name: each for name, each in given.items() if _layer(name) not in _DRAWN}, []
    # A ResNet's embedding is what ImageNet has not taught; a change of SFace is none at first.
    absent = wanted.keys() - given.keys()
    lacking = sorted(name for name in absent if _layer(name) not in _DRAWN and "params" in found)
    if wrong or lacking:
        name = (wrong or lacking)[0]
        there, here = (np.shape(each[name]) if name in each else "none" for each in (given, wanted))
        raise UserError(
            f"config.start={config.start}: another network than config.model: {name} has shape {there} there, {here} "
            f"here ({len(wrong) + len(lacking)} such)"
        )
    if devices.is_lead_process():
        new = sorted({_layer(name) for name in wanted.keys() - given.keys()})
        print(f"starts from {config.start}" + (f"; drawn at random: {', '.join(new)}" if new else ""))
    merged = traverse_util.unflatten_dict(wanted | given, sep="/")
    return {"params": merged["params"], "batch_stats": merged.get("batch_stats", {})}


def _layer(name: str) -> str:
    return name.split("/")[1]


def _found(start: str) -> dict[str, Any]:
    """The variables of a `start`."""
    path = Path(start)
    if start == IMAGENET:
        path = weights.find_fetched_file("resnet50", "model.json")
    elif start in cards.names("recognition"):
        card = cards.load_card(start, "recognition")
        if "reader" not in card.weights:
            raise UserError(f"config.start={start}: is no network of this program; it judges only")
        return cards.read_variables(card)
    elif path.is_dir():
        path = path / "best.safetensors"
    if not path.is_file():
        raise UserError(
            f"config.start={start}: {path} is not there; 'imagenet', a recognizer's name, a weight file, or a workdir"
        )
    found = safetensors_weights.variables(path) if path.suffix == ".safetensors" else resnet_weights.resnet50(path)
    found["params"].pop("predictions", None)
    return found
