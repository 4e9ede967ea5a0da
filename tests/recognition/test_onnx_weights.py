"""ONNX weights are read as onnxruntime would.

Covers `pretrained/onnx_weights.py` too.
"""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from lowres_jax.errors import UserError
from lowres_jax.pretrained import onnx_weights


def test_blocks_along_the_last_axis_by_hand():
    quantized = np.array([[1, 2, 3, 4, 5], [-1, -2, -3, -4, -5]], np.int8)
    scale = np.array([[0.5, 2.0, 10.0], [1.0, 0.25, 1.0]], np.float32)
    zero_point = np.array([[0, 1, 0], [0, 0, -5]], np.int8)

    found = onnx_weights.dequantize(quantized, scale, zero_point, axis=1, block_size=2)

    assert found.tolist() == [[0.5, 1.0, 4.0, 6.0, 50.0], [-1.0, -2.0, -0.75, -1.0, 0.0]]


def test_blocks_along_the_first_axis_by_hand():
    quantized = np.array([3, 4, 5], np.int8)

    found = onnx_weights.dequantize(
        quantized, np.array([2.0, 3.0], np.float32), np.array([1, 0], np.int8), axis=0, block_size=2
    )

    assert found.tolist() == [4.0, 6.0, 15.0]


def test_zero_point_does_not_wrap_around_in_int8():
    found = onnx_weights.dequantize(
        np.array([-128], np.int8), np.array([1.0], np.float32), np.array([127], np.int8), axis=0, block_size=1
    )

    assert found.tolist() == [-255.0]


@pytest.mark.parametrize(("axis", "block_size"), [(0, 0), (1, 0), (1, 4)])
def test_agrees_with_the_reference_evaluator_of_onnx(tmp_path, axis, block_size):
    generator = np.random.default_rng(0)
    quantized = generator.integers(-128, 128, (6, 8), dtype=np.int8)
    shape = (6, 2) if block_size else (quantized.shape[axis],)
    scale = generator.random(shape, dtype=np.float32)
    zero_point = generator.integers(-128, 128, shape, dtype=np.int8)
    constants = {"w_quantized": quantized, "s": scale, "z": zero_point, "w_shape": np.array([2, 3, 8], np.int64)}
    nodes = [
        helper.make_node(
            "DequantizeLinear", ["w_quantized", "s", "z"], ["w_dequantized"], axis=axis, block_size=block_size
        ),
        helper.make_node("Reshape", ["w_dequantized", "w_shape"], ["w_reshaped"]),
    ]
    output = helper.make_tensor_value_info("w_reshaped", onnx.TensorProto.FLOAT, [2, 3, 8])
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "graph", [], [output], initializers), opset_imports=[helper.make_opsetid("", 21)]
    )
    path = tmp_path / "model.onnx"
    onnx.save(model, path)

    from onnx.reference import ReferenceEvaluator

    (expected,) = ReferenceEvaluator(model).run(None, {})
    np.testing.assert_allclose(onnx_weights.read_tensors(path)["w"], expected, rtol=1e-6)


def test_a_file_of_another_kind_is_one_clear_line(tmp_path):
    text = tmp_path / "weights.onnx"
    text.write_text("these are not weights\n")
    with pytest.raises(UserError, match=r"weights\.onnx: .*ONNX"):
        onnx_weights.sface(text)
    with pytest.raises(UserError, match=r"missing\.onnx: cannot be read"):
        onnx_weights.sface(tmp_path / "missing.onnx")
