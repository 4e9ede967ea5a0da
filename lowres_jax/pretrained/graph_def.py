"""Reads convolution weights from frozen TensorFlow graphs (GraphDef .pb), without TensorFlow."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from jaxtyping import Float, Shaped
from tensorboardX.proto import graph_pb2

from lowres_jax.errors import UserError

# TensorFlow's DataType numbers of the constants that frozen convolution graphs hold: float, uint8, quint8.
_DTYPES: dict[int, np.dtype] = {1: np.dtype("<f4"), 4: np.dtype("u1"), 12: np.dtype("u1")}


def dequantize_min_first(
    quantized: Shaped[np.ndarray, "..."], minimum: float, maximum: float
) -> Float[np.ndarray, "..."]:
    """TensorFlow's `Dequantize` of uint8 in mode MIN_FIRST: (q + round(min / r)) * r, r = (max - min) / 255.

    Args:
      quantized: uint8, any shape.
      minimum: value that 0 stands for, up to rounding.
      maximum: value that 255 stands for.

    Returns:
      float32 of the same shape.
    """
    step = (maximum - minimum) / 255.0
    return ((quantized.astype(np.float64) + np.round(minimum / step)) * step).astype(np.float32)


def read_convolutions(path: str | os.PathLike[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The Conv2D nodes of a frozen graph in its order, each with the bias that is added to it.

    Args:
      path: .pb file whose kernels are constants, or constants behind a MIN_FIRST `Dequantize`.

    Returns:
      (kernel HWIO float32, bias float32) for each.

    Raises:
      UserError: the file cannot be read, is no GraphDef, or a convolution's constants are not found.
    """
    graph = graph_pb2.GraphDef()
    try:
        graph.ParseFromString(Path(path).read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except DecodeError as error:
        raise UserError(f"{path}: not a TensorFlow graph, or a truncated one") from error
    nodes = {node.name: node for node in graph.node}
    added = {node.input[0]: node.input[1] for node in graph.node if node.op in ("Add", "AddV2", "BiasAdd")}
    try:
        return [
            (_constant(nodes, node.input[1]), _constant(nodes, added[node.name]))
            for node in graph.node
            if node.op == "Conv2D"
        ]
    except (KeyError, IndexError, ValueError) as error:
        raise UserError(f"{path}: a convolution of this graph has no constant weights ({error})") from error


def _constant(nodes: dict[str, Any], name: str) -> np.ndarray:
    node = nodes[name.split(":")[0]]
    if node.op == "Dequantize":
        quantized, minimum, maximum = (_constant(nodes, source) for source in node.input)
        return dequantize_min_first(quantized, minimum.item(), maximum.item())
    if node.op == "Identity":
        return _constant(nodes, node.input[0])
    if node.op != "Const":
        raise ValueError(f"{name} is a {node.op}")
    tensor = node.attr["value"].tensor
    shape = [dimension.size for dimension in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, _DTYPES[tensor.dtype]).reshape(shape)
    values = np.asarray(list(tensor.float_val), np.float32)
    # One value may stand for all.
    return values.reshape(shape) if values.size > 1 else np.broadcast_to(values, shape or (1,)).reshape(shape)


def edsr(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Variables of `super_resolution.edsr.Model(tail="direct")` from the graphs of OpenCV's dnn_superres.

    The published network takes and gives BGR; the first kernel's inputs and the last one's outputs are turned to RGB.

    Args:
      path: EDSR_x2.pb, EDSR_x3.pb or EDSR_x4.pb.

    Raises:
      UserError: see `read_convolutions`; or the graph is no EDSR.
    """
    convolutions = read_convolutions(path)
    if len(convolutions) < 5 or len(convolutions) % 2 == 0 or convolutions[-1][1].size % 3:
        raise UserError(f"{path}: {len(convolutions)} convolutions are not those of an EDSR")
    blocks = (len(convolutions) - 3) // 2
    names = ["conv_first"] + [f"block_{block}_conv_{number}" for block in range(blocks) for number in range(2)]
    names += ["conv_trunk", "conv_last"]
    params = {name: {"kernel": kernel, "bias": bias} for name, (kernel, bias) in zip(names, convolutions, strict=True)}
    params["conv_first"]["kernel"] = params["conv_first"]["kernel"][:, :, ::-1]
    for weight, array in params["conv_last"].items():
        cells = array.reshape(*array.shape[:-1], -1, 3)
        params["conv_last"][weight] = cells[..., ::-1].reshape(array.shape)
    return {"params": params}
