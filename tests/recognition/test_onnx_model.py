"""Recognizers as ONNX files: a small exported network, run by onnxruntime or, where that is missing, by onnx itself."""

import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import onnx
import pytest
from ml_collections import ConfigDict
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from lowres_jax import config_keys
from lowres_jax.data import resize
from lowres_jax.errors import UserError
from lowres_jax.recognition import onnx_model
from lowres_jax.recognition.recognizer import load_recognizer

CHANNELS = np.asarray([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]], np.float32).repeat(2, 1)


class Session:
    """Session as `onnx_model` uses it of onnxruntime, by onnx's reference implementation."""

    def __init__(self, path: str, providers: list[str]):
        self._model = onnx.load(path)
        self._evaluator = ReferenceEvaluator(self._model)
        assert providers == ["CPUExecutionProvider"]

    def get_inputs(self) -> list[types.SimpleNamespace]:
        return [
            types.SimpleNamespace(
                name=each.name,
                shape=[place.dim_param or place.dim_value for place in each.type.tensor_type.shape.dim],
            )
            for each in self._model.graph.input
        ]

    def get_outputs(self) -> list[types.SimpleNamespace]:
        return [types.SimpleNamespace(name=each.name) for each in self._model.graph.output]

    def run(self, names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        return self._evaluator.run(names, inputs)


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("onnxruntime") is None:
        monkeypatch.setitem(sys.modules, "onnxruntime", types.SimpleNamespace(InferenceSession=Session))


def export(path: Path, shape: list[int | str], axes: list[int], outputs: int = 8) -> Path:
    """Mean color over the pixels, times a matrix: what comes out can be worked out by hand."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["template"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("template", TensorProto.FLOAT, [shape[0], outputs])],
        [numpy_helper.from_array(np.ascontiguousarray(CHANNELS[:, :outputs]), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def config_of(path: Path, **changes: object) -> ConfigDict:
    config = onnx_model.default_config()
    config.update({"path": str(path), "input_size": 16} | changes)
    return config


@pytest.mark.parametrize("batch", ["N", 2])
@pytest.mark.parametrize("colors", ["rgb", "bgr"])
@pytest.mark.parametrize("channels_first", [True, False])
def test_values_by_hand(tmp_path: Path, batch: int | str, colors: str, channels_first: bool) -> None:
    shape, axes = ([batch, 3, 16, 16], [2, 3]) if channels_first else ([batch, 16, 16, 3], [1, 2])
    path = export(tmp_path / "small.onnx", shape, axes)
    recognizer = load_recognizer("onnx", onnx=config_of(path, colors=colors, mean=100.0, scale=50.0))
    assert (recognizer.input_size, recognizer.dimension) == (16, 8)
    images = np.random.default_rng(0).random((5, 32, 32, 3), np.float32)
    mean = (resize.fit(images, 16) * 255 - 100).mean((1, 2)) / 50
    expected = (mean if colors == "rgb" else mean[:, ::-1]) @ CHANNELS
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(recognizer.templates(images), expected, atol=1e-4)
    assert recognizer.templates(images[:0]).shape == (0, 8)


def test_what_cannot_be_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = export(tmp_path / "small.onnx", ["N", 3, 16, 16], [2, 3])
    with pytest.raises(UserError, match=r"takes 1 input\(s\), the first of shape .*16.*, not one of 112x112 pixels"):
        onnx_model.OnnxRecognizer(config_of(path, input_size=112))
    with pytest.raises(UserError, match=r"config\.onnx\.colors=grb: did you mean 'rgb'\? \(valid: rgb, bgr\)"):
        config_keys.check(config_of(path, colors="grb"), onnx_model.KEYS, "onnx.")
    with pytest.raises(UserError, match=r"absent\.onnx: no such file"):
        onnx_model.OnnxRecognizer(config_of(tmp_path / "absent.onnx"))
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(UserError, match=r"text\.onnx: cannot be loaded as an ONNX network"):
        onnx_model.OnnxRecognizer(config_of(tmp_path / "text.onnx"))
    whole = export(tmp_path / "whole.onnx", ["N", 3, 16, 16], [3])
    with pytest.raises(UserError, match=r"cannot be (run|loaded)|not a template for each"):
        onnx_model.OnnxRecognizer(config_of(whole))
    score = export(tmp_path / "score.onnx", ["N", 3, 16, 16], [2, 3], outputs=1)
    with pytest.raises(UserError, match=r"its first output, 'template', has 1 number\(s\) for a face: a score or the"):
        onnx_model.OnnxRecognizer(config_of(score))
    with pytest.raises(UserError, match="no sum over an image and its mirror"):
        load_recognizer("onnx", flip_sum=True, onnx=config_of(path))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"onnxruntime is not installed; run: pip install 'lowres-jax\[judges\]'"):
        onnx_model.OnnxRecognizer(config_of(path))


def test_measurements_depend_on_file_and_settings(tmp_path: Path) -> None:
    path = export(tmp_path / "a.onnx", ["N", 3, 16, 16], [2, 3])
    same = export(tmp_path / "b.onnx", ["N", 3, 16, 16], [2, 3])
    other = export(tmp_path / "c.onnx", ["N", 16, 16, 3], [1, 2])
    one = onnx_model.identity(config_of(path))
    assert onnx_model.identity(config_of(same)) == one
    assert len({one, onnx_model.identity(config_of(other)), onnx_model.identity(config_of(path, mean=0.0))}) == 3


def test_weights_in_another_file_count_too(tmp_path: Path) -> None:
    """An ONNX file over 2 GB keeps its tensors beside it: the file itself stays the same when they change."""
    names = ["weights.bin", "deep/" + "x" * 200 + ".data"]
    entries = b""
    for name in names:
        value = name.encode()
        length = bytes([len(value)]) if len(value) < 128 else bytes([len(value) & 0x7F | 0x80, len(value) >> 7])
        entry = b"\n\x08location\x12" + length + value
        entries += b"j" + bytes([len(entry) & 0x7F | 0x80, len(entry) >> 7]) + entry
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"one")
    (tmp_path / "a.onnx").write_bytes(b"head" + entries + b"tail")
    assert onnx_model.external_files((tmp_path / "a.onnx").read_bytes()) == sorted(names)
    found = {onnx_model.identity(config_of(tmp_path / "a.onnx"))}
    for name in names:
        (tmp_path / name).write_bytes(b"two")
        found.add(onnx_model.identity(config_of(tmp_path / "a.onnx")))
    assert len(found) == 3
