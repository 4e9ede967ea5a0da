"""Initial weights of a training: random, published ones by the name of a card, or another training's result."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from flax import traverse_util
from ml_collections import ConfigDict

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards
from lowres_jax.super_resolution.training import train_config, trainer
from lowres_jax.training import devices, origins
from lowres_jax.training.checkpoints import Checkpoints
from lowres_jax.utils import streams


def variables(config: ConfigDict, module: nn.Module) -> dict[str, Any] | None:
    """The variables that a config's `start` names; None where it names nothing.

    Layers that the module has and the start has not (an edge head, a further doubling) are drawn at random, and those
    that the module lacks (the doublings, where the tail is direct) are left out; both are said.

    Raises:
      UserError: there is no such card or training; or most of it is another network, or has other shapes.
    """
    if not config.start:
        return None
    if origins.is_workdir(config.start):
        found = of_training(Path(config.start))[1]
    else:
        card = cards.load_card(config.start, "super_resolution")
        if not card.weights:
            raise UserError(f"config.start={config.start}: has no weights to start from")
        found = cards.read_variables(card)
    size = train_config.lr_size(config)
    drawn = trainer.init_variables(module, streams.key(config.seed, trainer.GENERATOR), (1, size, size, 3))
    given, wanted = _flat(found), _flat(jax.device_get(drawn))
    surplus = sorted(name for name in given if name not in wanted)
    wrong = [name for name in given if name in wanted and np.shape(given[name]) != np.shape(wanted[name])]
    if wrong or 2 * len(surplus) > len(given):
        wrong = sorted(wrong + surplus)
        here = np.shape(wanted[wrong[0]]) if wrong[0] in wanted else "none"
        raise UserError(
            f"config.start={config.start}: another network than config.model: {wrong[0]} has shape "
            f"{np.shape(given[wrong[0]])} there, {here} here ({len(wrong)} such)"
        )
    if devices.is_lead_process():
        new, left_out = _layers(wanted.keys() - given.keys()), _layers(surplus)
        said = f"; drawn at random: {new}" if new else ""
        print(f"starts from {config.start}{said}" + (f"; left out: {left_out}" if left_out else ""))
    kept = {name: value for name, value in given.items() if name in wanted}
    merged = traverse_util.unflatten_dict(wanted | kept, sep="/")
    return {"params": merged["params"], "batch_stats": merged.get("batch_stats", {})}


def of_training(workdir: Path) -> tuple[int, dict[str, Any]]:
    """The result of another training: its steps, and its generator's variables, averaged where they are.

    Raises:
      UserError: the folder holds no checkpoint.
    """
    if not (workdir / "checkpoints").is_dir():
        raise UserError(f"{workdir}: no training (it has no folder checkpoints)")
    checkpoints = Checkpoints(workdir, read_only=True)
    kept = checkpoints.read()
    checkpoints.close()
    found = kept.get("ema") or kept.get("networks", {}).get(trainer.GENERATOR)
    if not found:
        raise UserError(f"{workdir}: not the training of a generator")
    return int(kept["step"]), {"params": found["params"], "batch_stats": found.get("batch_stats", {})}


def _layers(names: Iterable[str]) -> str:
    return ", ".join(sorted({name.split("/")[1] for name in names}))


def _flat(variables: Any) -> dict[str, Any]:
    return traverse_util.flatten_dict(variables, sep="/")
