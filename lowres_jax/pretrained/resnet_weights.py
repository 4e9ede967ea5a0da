"""ImageNet weights of ResNet-50: Keras's HDF5 files, old names and new, and the copy of them for TensorFlow.js."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from lowres_jax.errors import UserError
from lowres_jax.pretrained import keras_h5

# Keras's first names of a block's four convolutions -> today's numbers.
_BRANCHES = {"branch1": "0", "branch2a": "1", "branch2b": "2", "branch2c": "3"}
_OLD = re.compile(r"(res|bn)(\d)([a-f])_(branch\w+)")
_FIXED = {
    "conv1": "conv1_conv",
    "bn_conv1": "conv1_bn",
    "fc1000": "predictions",
    "probs": "predictions",
}


def resnet50(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Variables of `recognition.resnet.Model(classes=1000, epsilon=...)`, or of its backbone alone without a top.

    Args:
      path: a Keras .h5 file of `keras.applications.ResNet50`, or the `model.json` of a TensorFlow.js copy.

    Returns:
      {"params": {"backbone": ..., "predictions": ...}, "batch_stats": {"backbone": ...}}.

    Raises:
      UserError: the file, or one of its shards, is missing, damaged, or holds no ResNet-50.
    """
    layers = _tfjs(Path(path)) if Path(path).suffix == ".json" else dict(keras_h5.read_layers(path))
    backbone: dict[str, Any] = {}
    statistics: dict[str, Any] = {}
    params: dict[str, Any] = {"backbone": backbone}
    for old, arrays in layers.items():
        name = _today(old)
        if set(arrays) == {"gamma", "beta", "moving_mean", "moving_variance"}:
            backbone[name] = {"scale": arrays["gamma"], "bias": arrays["beta"]}
            statistics[name] = {"mean": arrays["moving_mean"], "var": arrays["moving_variance"]}
        elif set(arrays) == {"kernel", "bias"}:
            (params if name == "predictions" else backbone)[name] = arrays
        else:
            raise UserError(f"{path}: not the weights of a ResNet-50 (layer {old} has {', '.join(sorted(arrays))})")
    kernel = backbone.get("conv5_block3_3_conv", {}).get("kernel")
    if len(backbone) != 106 or kernel is None or kernel.shape != (1, 1, 512, 2048):
        raise UserError(f"{path}: not the weights of a ResNet-50 ({len(backbone)} layers of its kind, not 106)")
    return {"params": params, "batch_stats": {"backbone": statistics}}


def _today(name: str) -> str:
    """res2a_branch2b -> conv2_block1_2_conv; today's names stay."""
    if name in _FIXED:
        return _FIXED[name]
    match = _OLD.fullmatch(name)
    if match is None:
        return name
    kind, stage, block, branch = match.groups()
    ending = "conv" if kind == "res" else "bn"
    return f"conv{stage}_block{ord(block) - ord('a') + 1}_{_BRANCHES.get(branch, branch)}_{ending}"


def _tfjs(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Layer -> weights, from a TensorFlow.js layers model: `model.json` and shards of float32 beside it."""
    try:
        layers: dict[str, dict[str, np.ndarray]] = {}
        for group in json.loads(path.read_text())["weightsManifest"]:
            content = b"".join((path.parent / shard).read_bytes() for shard in group["paths"])
            place = 0
            for weight in group["weights"]:
                count = int(np.prod(weight["shape"]))
                if weight["dtype"] != "float32" or place + 4 * count > len(content):
                    raise ValueError(f"{weight['name']} is not there as float32")
                values = np.frombuffer(content, np.float32, count, place).reshape(weight["shape"])
                layer, _, kind = weight["name"].rpartition("/")
                layers.setdefault(layer, {})[kind] = values
                place += 4 * count
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no TensorFlow.js weights can be read from it ({error}); fetch it again") from error
    return layers
