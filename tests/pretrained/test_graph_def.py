"""Frozen TensorFlow graphs: made by hand, and run by OpenCV for comparison."""

import contextlib
from pathlib import Path

import cv2
import jax
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboardX.proto import graph_pb2

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards, graph_def
from lowres_jax.pretrained.weights import fetched_folder
from lowres_jax.super_resolution import edsr
from lowres_jax.super_resolution.upscaler import load_upscaler

FLOAT, UINT8, QUINT8 = 1, 4, 12
FEATURES, SCALE = 4, 2
# OpenCV's dnn_superres subtracts it before and adds it after the published graphs, BGR.
MEAN_BGR = np.asarray([103.1546, 111.5615, 114.3563], np.float32)


class Builder:
    """Writes the nodes of a graph."""

    def __init__(self) -> None:
        self.graph = graph_pb2.GraphDef()

    def node(self, op: str, name: str, *inputs: str, **types: int) -> str:
        node = self.graph.node.add(op=op, name=name, input=inputs)
        for key, value in types.items():
            node.attr[key].type = value
        return name

    def constant(self, name: str, values: np.ndarray, dtype: int = FLOAT, scalar: bool = False) -> str:
        self.node("Const", name, dtype=dtype)
        tensor = self.graph.node[-1].attr["value"].tensor
        tensor.dtype = dtype
        for size in np.shape(values):
            tensor.tensor_shape.dim.add(size=size)
        if scalar:
            tensor.float_val.append(float(np.ravel(values)[0]))
        else:
            kind = "<f4" if dtype == FLOAT else "u1"
            tensor.tensor_content = np.asarray(values).astype(kind).tobytes()
        return name

    def quantized(self, name: str, values: np.ndarray) -> str:
        low, high = float(values.min()), float(values.max())
        levels = np.clip(np.round((values - low) / (high - low) * 255), 0, 255)
        self.constant(f"{name}/q", levels, QUINT8)
        self.constant(f"{name}/min", np.float32(low), scalar=True)
        self.constant(f"{name}/max", np.float32(high), scalar=True)
        self.node("Dequantize", name, f"{name}/q", f"{name}/min", f"{name}/max", T=QUINT8)
        self.graph.node[-1].attr["mode"].s = b"MIN_FIRST"
        return name

    def convolution(self, name: str, source: str, outputs: int, inputs: int, seed: int, quantized: bool = False) -> str:
        generator = np.random.default_rng(seed)
        values = generator.normal(0, 0.3, (3, 3, inputs, outputs)).astype(np.float32)
        kernel = self.quantized(f"{name}/w", values) if quantized else self.constant(f"{name}/w", values)
        bias = self.constant(f"{name}/b", generator.normal(0, 1, outputs).astype(np.float32))
        self.node("Conv2D", f"{name}/conv", source, kernel, T=FLOAT)
        attributes = self.graph.node[-1].attr
        attributes["padding"].s = b"SAME"
        attributes["strides"].list.i.extend([1, 1, 1, 1])
        return self.node("Add", name, f"{name}/conv", bias, T=FLOAT)


@pytest.fixture(scope="module")
def small_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An EDSR x2 of one block and 4 channels in the layout of the published graphs."""
    builder = Builder()
    builder.node("Placeholder", "IteratorGetNext", dtype=FLOAT)
    first = builder.convolution("first", "IteratorGetNext", FEATURES, 3, 1)
    inner = builder.convolution("block_0", first, FEATURES, FEATURES, 2, quantized=True)
    inner = builder.node("Relu", "relu", inner, T=FLOAT)
    inner = builder.convolution("block_1", inner, FEATURES, FEATURES, 3, quantized=True)
    scaled = builder.node("Mul", "scaled", inner, builder.constant("factor", np.float32(0.1)), T=FLOAT)
    added = builder.node("AddV2", "added", first, scaled, T=FLOAT)
    trunk = builder.convolution("trunk", added, FEATURES, FEATURES, 4)
    total = builder.node("AddV2", "total", trunk, first, T=FLOAT)
    last = builder.convolution("last", total, 3 * SCALE**2, FEATURES, 5, quantized=True)
    builder.node("DepthToSpace", "NHWC_output", last, T=FLOAT)
    builder.graph.node[-1].attr["block_size"].i = SCALE
    path = tmp_path_factory.mktemp("graph") / "EDSR_small.pb"
    path.write_bytes(builder.graph.SerializeToString())
    return path


def run_in_opencv(path: Path, images: np.ndarray, scale: int) -> np.ndarray:
    """The graph as OpenCV runs it, (B, H, W, 3) RGB in [0, 1] -> the same, enlarged.

    OpenCV 4.14 refuses the graph's DepthToSpace, so that it is cut off and done here. (TensorFlow itself, run on the
    whole graphs, gives the same within 1e-4; it takes 20 s to import.)
    """
    graph = graph_pb2.GraphDef.FromString(path.read_bytes())
    position = next(number for number, node in enumerate(graph.node) if node.op == "DepthToSpace")
    last = graph.node[position].input[0]
    del graph.node[position:]
    network = cv2.dnn.readNetFromTensorflow(np.frombuffer(graph.SerializeToString(), np.uint8))
    centered = (images[..., ::-1] * 255.0 - MEAN_BGR).astype(np.float32)
    network.setInput(np.ascontiguousarray(centered.transpose(0, 3, 1, 2)))
    batch, _, height, width = (output := network.forward(last)).shape
    cells = output.reshape(batch, scale, scale, 3, height, width).transpose(0, 4, 1, 5, 2, 3)
    return (cells.reshape(batch, height * scale, width * scale, 3) + MEAN_BGR)[..., ::-1] / 255.0


def test_dequantization_by_hand() -> None:
    # Step 1/255 * (1.55 - -1) = .01; -1 / .01 = -100: q -> (q - 100) / 100.
    found = graph_def.dequantize_min_first(np.asarray([0, 100, 255], np.uint8), -1.0, 1.55)
    np.testing.assert_allclose(found, [-1.0, 0.0, 1.55], atol=1e-6)
    # The zero is moved to a whole number: -.994 / .01 = -99.4 -> -99.
    found = graph_def.dequantize_min_first(np.asarray([0, 99], np.uint8), -0.994, 1.556)
    np.testing.assert_allclose(found, [-0.99, 0.0], atol=1e-6)


def test_a_small_graph_as_opencv_runs_it(small_graph: Path) -> None:
    module = edsr.Model(scale=SCALE, blocks=1, features=FEATURES, tail="direct")
    images = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)
    expected = run_in_opencv(small_graph, images, SCALE)
    found = module.apply(graph_def.edsr(small_graph), images)
    assert expected.shape == found.shape == (2, 18, 14, 3)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_constants_of_one_repeated_value(tmp_path: Path) -> None:
    builder = Builder()
    builder.node("Placeholder", "x", dtype=FLOAT)
    builder.constant("w", np.full((1, 1, 2, 3), 0.25), scalar=True)
    builder.node("Identity", "w/read", "w", T=FLOAT)
    builder.constant("b", np.arange(3.0))
    builder.node("Conv2D", "conv", "x", "w/read")
    builder.node("BiasAdd", "out", "conv", "b")
    (tmp_path / "g.pb").write_bytes(builder.graph.SerializeToString())
    ((kernel, bias),) = graph_def.read_convolutions(tmp_path / "g.pb")
    np.testing.assert_array_equal(kernel, np.full((1, 1, 2, 3), 0.25))
    np.testing.assert_array_equal(bias, [0, 1, 2])


def test_broken_graphs(tmp_path: Path, small_graph: Path) -> None:
    content = small_graph.read_bytes()
    (tmp_path / "truncated.pb").write_bytes(content[: len(content) - 7])
    (tmp_path / "text.pb").write_text("no graph at all")
    for name in ("truncated.pb", "text.pb"):
        with pytest.raises(UserError, match=f"{name}: not a TensorFlow graph, or a truncated one"):
            graph_def.edsr(tmp_path / name)
    (tmp_path / "empty.pb").write_bytes(b"")
    with pytest.raises(UserError, match="0 convolutions are not those of an EDSR"):
        graph_def.edsr(tmp_path / "empty.pb")
    with pytest.raises(UserError, match=r"absent\.pb: cannot be read"):
        graph_def.edsr(tmp_path / "absent.pb")
    builder = Builder()
    builder.node("Placeholder", "x", dtype=FLOAT)
    builder.node("Conv2D", "conv", "x", "x")
    builder.node("BiasAdd", "out", "conv", "x")
    (tmp_path / "free.pb").write_bytes(builder.graph.SerializeToString())
    with pytest.raises(UserError, match="no constant weights"):
        graph_def.edsr(tmp_path / "free.pb")


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 1 << 16), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_graph_is_no_other_exception(small_graph: Path, position: int, value: int, cut: bool) -> None:
    content = small_graph.read_bytes()
    position %= len(content)
    path = small_graph.with_name("damaged.pb")
    path.write_bytes(content[:position] + (b"" if cut else bytes([value]) + content[position + 1 :]))
    with contextlib.suppress(UserError):
        graph_def.edsr(path)


def test_the_weights_of_another_scale_are_refused(small_graph: Path) -> None:
    """A graph that can be read but is another network's than the card says."""
    with pytest.raises(UserError, match="weights of another network than edsr_x2"):
        load_upscaler("edsr_x2", weights=str(small_graph))


# The published EDSR graphs are no part of the installation (`python -m lowres_jax.pretrained.fetch edsr`). The tests
# above read the same layout; this one compares the real files where they have been fetched, and fetches nothing.
needs_edsr = pytest.mark.skipif(
    not all((fetched_folder("edsr") / f"EDSR_x{scale}.pb").is_file() for scale in (2, 3, 4)),
    reason="EDSR has not been fetched; run: python -m lowres_jax.pretrained.fetch edsr",
)


@needs_edsr
@pytest.mark.parametrize(("scale", "count"), [(2, 38_390_028), (3, 38_424_603), (4, 38_473_008)])
def test_published_edsr_as_opencv_runs_it(scale: int, count: int) -> None:
    card = cards.load_card(f"edsr_x{scale}", "super_resolution")
    module, path = cards.build_module(card), cards.weight_path(card)
    variables = cards.load_variables(card, module, (1, 8, 8, 3))
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == count
    image = skimage.data.astronaut()[100:112, 210:220][None].astype(np.float32) / 255.0
    expected = run_in_opencv(path, image, scale)
    found = jax.jit(module.apply)(variables, image)
    np.testing.assert_allclose(found, expected, atol=1e-4)
