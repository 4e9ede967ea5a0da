"""Reads weights from ONNX files, plain or block-quantized, into Flax variables.

The `onnx` package only parses the file here; no ONNX graph is ever run.
"""

import math
import os
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from jaxtyping import Float, Shaped
from onnx import numpy_helper

from lowres_jax.errors import UserError


def dequantize(
    quantized: Shaped[np.ndarray, "..."],
    scale: Float[np.ndarray, "..."],
    zero_point: Shaped[np.ndarray, "..."],
    axis: int,
    block_size: int,
) -> Float[np.ndarray, "..."]:
    """Undoes ONNX's blocked quantization (`DequantizeLinear`, opset 21): w = (q - zero_point) * scale.

    Args:
      quantized: integers, any shape.
      scale: float32, the shape of `quantized` but for `axis`, where it has one entry per block (a last block that is
        cut short included).
      zero_point: integers of the shape of `scale`.
      axis: the axis along which the blocks lie.
      block_size: entries of `axis` that share one scale; 0 for one scale in all, or one per entry of `axis`.

    Returns:
      float32 of the shape of `quantized`.
    """
    if block_size:
        length = quantized.shape[axis]
        scale, zero_point = (
            np.repeat(values, block_size, axis=axis).take(range(length), axis=axis) for values in (scale, zero_point)
        )
    elif scale.ndim == 1 and scale.size > 1:
        shape = [-1 if position == axis % quantized.ndim else 1 for position in range(quantized.ndim)]
        scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
    return (quantized.astype(np.float32) - zero_point.astype(np.float32)) * scale.astype(np.float32)


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """All weights of an ONNX file by name; quantized ones in float32 under the name they had before quantization.

    Args:
      path: .onnx file.

    Returns:
      name -> array in ONNX's layout (convolutions OIHW, matrices as the graph has them).

    Raises:
      UserError: the file cannot be read or is no ONNX model.
    """
    try:
        graph = onnx.load(os.fspath(path)).graph
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except DecodeError as error:
        raise UserError(f"{path}: not an ONNX file, or damaged; give the file of the original package") from error
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    if not tensors:
        raise UserError(f"{path}: an ONNX file without weights")
    for node in graph.node:
        if node.op_type not in ("DequantizeLinear", "Reshape") or not all(name in tensors for name in node.input):
            continue
        inputs = [tensors[name] for name in node.input]
        if node.op_type == "Reshape":
            value = inputs[0].reshape(inputs[1])
        else:
            settings = {attribute.name: attribute.i for attribute in node.attribute}
            zero_point = inputs[2] if len(inputs) > 2 else np.zeros_like(inputs[1])
            value = dequantize(inputs[0], inputs[1], zero_point, settings.get("axis", 1), settings.get("block_size", 0))
        tensors[node.output[0]] = value
        # `x_quantized` -> `x_dequantized` -> `x_reshaped`: the last one made is the weight itself.
        tensors[node.output[0].removesuffix("_reshaped").removesuffix("_dequantized")] = value
    return tensors


def sface(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Variables of `recognition.sface.Model` from OpenCV Zoo's SFace file, float or block-quantized.

    Args:
      path: `face_recognition_sface_2021dec.onnx` or `face_recognition_sface_2021dec_int8bq.onnx`.

    Returns:
      {"params": ..., "batch_stats": ...}, float32.

    Raises:
      UserError: the file is no ONNX model, or another network's.
    """
    tensors = read_tensors(path)
    params: dict[str, Any] = {}
    statistics: dict[str, Any] = {}

    def normalization(layer: str) -> None:
        params[layer] = {"scale": tensors[f"{layer}_gamma"], "bias": tensors[f"{layer}_beta"]}
        statistics[layer] = {"mean": tensors[f"{layer}_moving_mean"], "var": tensors[f"{layer}_moving_var"]}

    def convolution(layer: str) -> None:
        # OIHW -> HWIO, of which a 1x1 kernel is the matrix IO alone. Depthwise kernels have I = 1.
        kernel = tensors[f"{layer}_conv2d_weight"].transpose(2, 3, 1, 0)
        params[layer] = {"kernel": kernel[0, 0] if kernel.shape[:2] == (1, 1) else kernel}
        normalization(f"{layer}_batchnorm")
        params[f"{layer}_relu"] = {"slope": tensors[f"{layer}_relu_gamma"].reshape(-1)}

    try:
        convolution("conv_1")
        number = 2
        while f"conv_{number}_conv2d_weight" in tensors:
            convolution(f"conv_{number}_dw")
            convolution(f"conv_{number}")
            number += 1
        normalization("bn1")
        # The graph flattens channels first: columns (channel, row, column) -> rows (row, column, channel).
        width = params["bn1"]["scale"].size
        matrix = tensors["pre_fc1_weight"]
        side = math.isqrt(matrix.shape[1] // width)
        kernel = matrix.reshape(-1, width, side, side).transpose(2, 3, 1, 0).reshape(-1, matrix.shape[0])
        params["pre_fc1"] = {"kernel": kernel, "bias": tensors["pre_fc1_bias"]}
        normalization("fc1")
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: not the weights of SFace ({error} is missing or of another shape)") from error
    return {"params": params, "batch_stats": statistics}
