"""Reads and writes our own weights: safetensors files with names like "params/conv_first/kernel"."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from lowres_jax.errors import UserError
from lowres_jax.utils.files import write_atomically


def variables(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Variables of a Flax module, as float32.

    Raises:
      UserError: the file cannot be read.
    """
    try:
        arrays = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{path}: no safetensors file, or damaged ({error})") from error
    return traverse_util.unflatten_dict({name: array.astype(np.float32) for name, array in arrays.items()}, sep="/")


# The library writes several in an order of its own, another one each time: the same weights would be other files.
_TOLD = "told"


def told(path: Path) -> dict[str, Any]:
    """Facts that were written with the weights, see `write`; empty for a file without them.

    Raises:
      UserError: the file cannot be read.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return json.loads((file.metadata() or {}).get(_TOLD, "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{path}: no safetensors file, or damaged ({error})") from error


def write(path: Path, tree: Any, told: Mapping[str, Any] | None = None) -> None:
    """Writes variables in half precision, which halves the file and changes images by less than a level of 255.

    Batch statistics stay float32: their variances may lie outside of float16's range.

    Args:
      path: the file.
      tree: variables of a Flax module.
      told: facts that the file holds too, as JSON.

    Raises:
      UserError: a weight does not fit into float16, or the file cannot be written.
    """
    flat = traverse_util.flatten_dict(tree, sep="/")
    arrays = {}
    for name, leaf in flat.items():
        array = np.asarray(leaf, np.float32)
        half = array if name.startswith("batch_stats/") else array.astype(np.float16)
        if not np.isfinite(half).all():
            raise UserError(f"{name}: holds a weight that is not finite in float16; nothing was written")
        arrays[name] = np.ascontiguousarray(half)
    with write_atomically(path) as file:
        file.write(save(arrays, {_TOLD: json.dumps(told)} if told else None))
