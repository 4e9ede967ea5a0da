"""Networks as ONNX files, converted by jax2onnx and compared with JAX in onnxruntime (the extra "export")."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lowres_jax.errors import UserError
from lowres_jax.interchange.networks import Input, Portable
from lowres_jax.nn import convolution
from lowres_jax.utils.files import write_atomically

# Understood by every onnxruntime since 1.14.
_OPSET = 18
# How weights are stored; the computation is float32.
FLOAT32, FLOAT16, INT8 = PRECISIONS = ("float32", "float16", "int8")
# Largest difference to JAX that passes; what int8 costs is told, and is for the user to judge.
_MOST = {FLOAT32: 1e-4, FLOAT16: 1e-2, INT8: np.inf}


def write(path: Path, network: Portable, precision: str = FLOAT32) -> float:
    """Writes a network, after a comparison with what JAX gives.

    Args:
      path: an .onnx file.
      network: the network.
      precision: one of `PRECISIONS`.

    Returns:
      Largest difference to JAX, over noise of several batches and sizes.

    Raises:
      UserError: jax2onnx or onnxruntime is not installed, the converter does not know an operation, its result is not
        the network's, or the file cannot be written.
    """
    model = _stored(converted(network), precision)
    # The converter's guesses at sides that may be any are wrong for some, and needed by nobody.
    del model.graph.value_info[:]
    for name, value in {**network.facts, "precision": precision}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = name, value
    content = model.SerializeToString()
    difference = _difference(content, network)
    if not difference <= _MOST[precision]:
        raise UserError(f"{network.name}: the ONNX network differs by {difference:.2g} from JAX's; it is not written")
    with write_atomically(path) as file:
        file.write(content)
    return difference


def converted(network: Portable) -> Any:
    """The network as `onnx.ModelProto`, float32; raises as `write` does."""
    with _installed():
        from jax2onnx import to_onnx

    def function(*arrays: jax.Array) -> Any:
        with convolution.plain():
            return network.function(*arrays)

    logging.disable(logging.WARNING)  # its messages are for its developers
    try:
        return to_onnx(
            function,
            [_specified(each) for each in network.inputs],
            model_name=network.name,
            opset=_OPSET,
            input_names=[each.name for each in network.inputs],
            output_names=list(network.outputs),
        )
    # It raises whatever its plugins raise.
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"{network.name}: jax2onnx cannot convert it ({first}); --config.formats=stablehlo takes every network"
        ) from error
    finally:
        logging.disable(logging.NOTSET)


def _specified(each: Input) -> Any:
    if all(isinstance(side, int) for side in each.shape):
        return jax.ShapeDtypeStruct(each.shape, jnp.float32)
    return each.shape


@contextlib.contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise UserError(f"{error.name} is not installed; run: pip install 'lowres-jax[export]'") from error


def _difference(content: bytes, network: Portable) -> float:
    run = session(content)
    worst = 0.0
    for arrays in network.examples():
        expected = jax.tree.leaves(network.function(*arrays))
        found = run(*arrays)
        for one, other in zip(found, expected, strict=True):
            if one.shape != other.shape:
                return np.inf
            worst = max(worst, float(np.max(np.abs(one - np.asarray(other)), initial=0.0)))
    return worst


def session(content: bytes) -> Callable[..., list[np.ndarray]]:
    """The function of an ONNX network, by onnxruntime on the CPU.

    Raises:
      UserError: onnxruntime is not installed.
    """
    with _installed():
        import onnxruntime
    loaded: Any = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [each.name for each in loaded.get_inputs()]
    return lambda *arrays: loaded.run(None, dict(zip(names, arrays, strict=True)))


def _stored(model: Any, precision: str) -> Any:
    """The network with its kernels stored otherwise, and brought to float32 when it is loaded."""
    if precision == FLOAT32:
        return model
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, tensors = [], []
    for tensor in model.graph.initializer:
        # Biases and batch statistics are small, and the latter need their range.
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            tensors.append(tensor)
            continue
        values, name = numpy_helper.to_array(tensor), f"{tensor.name}_{precision}"
        if precision == FLOAT16:
            tensors.append(numpy_helper.from_array(values.astype(np.float16), name))
            nodes.append(helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
            continue
        # One scale for each output of a convolution (its first axis in ONNX) or of a product (its last one).
        axis = 0 if values.ndim == 4 else values.ndim - 1
        others = tuple(each for each in range(values.ndim) if each != axis)
        scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), 1e-12).astype(np.float32) / np.float32(127)
        tensors.append(numpy_helper.from_array(np.round(values / scale).astype(np.int8), name))
        tensors.append(numpy_helper.from_array(scale.reshape(-1), f"{name}_scale"))
        nodes.append(helper.make_node("DequantizeLinear", [name, f"{name}_scale"], [tensor.name], axis=axis))
    nodes.extend(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(tensors)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model
