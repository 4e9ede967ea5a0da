"""ResNets: sizes of the published networks, and Keras's own ResNet-50 with the same weights.

Covers `pretrained/resnet_weights.py` too.
"""

import functools
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.pretrained import resnet_weights
from lowres_jax.recognition import resnet
from lowres_jax.recognition.loss_networks import perceptual_network

pytestmark = pytest.mark.slow

# In a process of its own: TensorFlow takes seconds and half a gigabyte.
_KERAS = """
import sys, numpy as np, keras
keras.utils.set_random_seed(0)
model = keras.applications.ResNet50(weights=None)
for layer in model.layers:
    if layer.name.endswith("_bn"):
        generator = np.random.default_rng(len(layer.name))
        layer.set_weights([1 + 0.1 * generator.normal(size=w.shape) ** 2 for w in layer.get_weights()])
    elif layer.name.endswith("_conv"):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, 0.1 * np.random.default_rng(1).normal(size=bias.shape)])
images = np.random.default_rng(0).random((2, 224, 224, 3)).astype(np.float32)
values = keras.applications.resnet50.preprocess_input(images * 255)
features = keras.Model(model.input, model.get_layer("avg_pool").output)(values)
np.savez(sys.argv[1] + "/expected.npz", images=images, features=features)
import h5py
with h5py.File(sys.argv[1] + "/weights.h5", "w") as file:
    layers = [layer for layer in model.layers if layer.weights]
    file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
    for layer in layers:
        group = file.create_group(layer.name)
        names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
        group.attrs["weight_names"] = [name.encode() for name in names]
        for name, value in zip(names, layer.get_weights()):
            group[name] = value
"""


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    subprocess.run([sys.executable, "-c", _KERAS, str(folder)], check=True, capture_output=True)
    return folder


def parameters(module: resnet.Model) -> int:
    variables = jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 112, 112, 3), jnp.float32))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize(
    ("module", "count"),
    [
        (resnet.Model(classes=1000), 25_583_592),  # Keras's summary: 25,636,712 with 53,120 moving statistics
        (resnet.Model(embedding=0), 23_534_592),  # its notop
        # Torchvision's 11,689,512 and 21,797,672, less 513,000 of the top, and a bias for each convolution's channel.
        (resnet.Model(depth=18, embedding=0), 11_176_512 + 4_800),
        (resnet.Model(depth=34, embedding=0), 21_284_672 + 8_512),
        # The field's head: a batch normalization, 2048 x 512 + 512, and a normalization without scale.
        (resnet.Model(), 23_534_592 + 2 * 2048 + 2048 * 512 + 512 + 512),
    ],
    ids=["50 with a top", "50", "18", "34", "50 with the field's head"],
)
def test_parameter_counts(module: resnet.Model, count: int) -> None:
    assert parameters(module) == count


@pytest.mark.whole
def test_kerass_own_resnet_gives_the_same_features(keras: Path) -> None:
    variables = resnet_weights.resnet50(keras / "weights.h5")
    variables["params"].pop("predictions")
    with np.load(keras / "expected.npz") as expected:
        found = resnet.Model(embedding=0).apply(variables, expected["images"])
        np.testing.assert_allclose(
            found, expected["features"], rtol=2e-4, atol=1e-4 * np.abs(expected["features"]).max()
        )
        # v1.5 has the same parameters and gives other features.
        other = resnet.Model(embedding=0, stride_in_3x3=True).apply(variables, expected["images"])
        assert np.abs(other - expected["features"]).max() > 0.01 * np.abs(expected["features"]).max()


@pytest.mark.whole
def test_old_names_and_shards_of_tensorflow_js(keras: Path, tmp_path: Path) -> None:
    variables = resnet_weights.resnet50(keras / "weights.h5")
    entries, content = [], b""
    for name, arrays in variables["params"]["backbone"].items():
        old = old_name(name)
        if name.endswith("_bn"):
            statistics = variables["batch_stats"]["backbone"][name]
            arrays = {
                "gamma": arrays["scale"],
                "beta": arrays["bias"],
                "moving_mean": statistics["mean"],
                "moving_variance": statistics["var"],
            }
        for kind, array in arrays.items():
            entries.append({"name": f"{old}/{kind}", "shape": list(array.shape), "dtype": "float32"})
            content += np.asarray(array, "<f4").tobytes()
    (tmp_path / "one.bin").write_bytes(content[:1_000_001])
    (tmp_path / "two.bin").write_bytes(content[1_000_001:])
    manifest = [{"paths": ["one.bin", "two.bin"], "weights": entries}]
    (tmp_path / "model.json").write_text(json.dumps({"weightsManifest": manifest}))
    found = resnet_weights.resnet50(tmp_path / "model.json")
    variables["params"].pop("predictions")
    jax.tree.map(np.testing.assert_array_equal, found, variables)
    (tmp_path / "two.bin").write_bytes(content[1_000_001:-8])
    with pytest.raises(UserError, match=r"model\.json: no TensorFlow.js weights .* is not there as float32"):
        resnet_weights.resnet50(tmp_path / "model.json")
    (tmp_path / "two.bin").unlink()
    with pytest.raises(UserError, match=r"model\.json: no TensorFlow.js weights .*two\.bin"):
        resnet_weights.resnet50(tmp_path / "model.json")


def old_name(name: str) -> str:
    """conv2_block1_2_conv -> res2a_branch2b."""
    if name.startswith("conv1_"):
        return {"conv1_conv": "conv1", "conv1_bn": "bn_conv1"}[name]
    stage, block, number, kind = name.split("_")
    branch = ["branch1", "branch2a", "branch2b", "branch2c"][int(number)]
    letter = "abcdef"[int(block.removeprefix("block")) - 1]
    return f"{'res' if kind == 'conv' else 'bn'}{stage.removeprefix('conv')}{letter}_{branch}"


def test_weights_of_another_network_are_one_line(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv1_conv"]
        group = file.create_group("conv1_conv")
        group.attrs["weight_names"] = [b"kernel:0", b"bias:0"]
        group["kernel:0"], group["bias:0"] = np.zeros((7, 7, 3, 64)), np.zeros(64)
    with pytest.raises(UserError, match=r"other\.h5: not the weights of a ResNet-50 \(1 layers of its kind, not 106\)"):
        resnet_weights.resnet50(tmp_path / "other.h5")


def test_the_head_normalizes_and_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(resnet.DEPTHS, 18, ((1, 0, 0, 0), False))  # one block: the head is read
    module = resnet.Model(depth=18, embedding=8, dropout=0.5)
    images = jax.random.uniform(jax.random.key(1), (6, 32, 32, 3))
    variables = jax.jit(module.init)(jax.random.key(0), images)
    train = jax.jit(functools.partial(module.apply, train=True, mutable=["batch_stats"]))
    trained, changed = train(variables, images, rngs={"dropout": jax.random.key(2)})
    # The last normalization makes every number of the template zero mean and unit variance over the batch.
    np.testing.assert_allclose(trained.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(trained.std(0), 1, atol=1e-2)
    assert np.abs(changed["batch_stats"]["norm_out"]["mean"]).max() > 0
    again, _ = train(variables, images, rngs={"dropout": jax.random.key(3)})
    assert np.abs(again - trained).max() > 0.1
    assert jax.eval_shape(module.apply, variables, images).shape == (6, 8)


@pytest.mark.parametrize("stem", ["imagenet", "face"])
def test_the_stem_decides_how_far_pixels_are_gathered(stem: str) -> None:
    module = resnet.Backbone(depth=18, stem=stem)  # type: ignore[arg-type]
    images = jax.ShapeDtypeStruct((1, 112, 112, 3), jnp.float32)
    _, state = jax.eval_shape(
        lambda x: module.init_with_output(jax.random.key(0), x, capture_intermediates=True, mutable=True), images
    )
    (last,) = state["intermediates"]["conv5_block2_2_bn"]["__call__"]
    assert last.shape == (1, 4, 4, 512) if stem == "imagenet" else (1, 7, 7, 512)


@pytest.mark.whole
def test_a_perceptual_loss_sees_a_layers_features(keras: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lens = perceptual_network("resnet50", "conv2_block1_1_bn", 1.0, str(keras / "weights.h5"))
    images = np.random.default_rng(1).random((1, 64, 64, 3)).astype(np.float32)
    found = lens.apply(lens.variables, images)
    assert found.shape == (1, 16, 16, 64)
    # By hand: the stem, then the first 1x1 convolution and its normalization.
    params, stats = lens.variables["params"], lens.variables["batch_stats"]

    def norm(features: jax.Array, name: str) -> jax.Array:
        scale = params[name]["scale"] / np.sqrt(stats[name]["var"] + 1.001e-5)
        return (features - stats[name]["mean"]) * scale + params[name]["bias"]

    features = images[..., ::-1] * 255 - np.asarray([103.939, 116.779, 123.68], np.float32)
    features = jax.lax.conv_general_dilated(
        features, params["conv1_conv"]["kernel"], (2, 2), [(3, 3)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    features = jax.nn.relu(norm(features + params["conv1_conv"]["bias"], "conv1_bn"))
    padded = jnp.pad(features, ((0, 0), (1, 1), (1, 1), (0, 0)))
    pooled = jax.lax.reduce_window(padded, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "VALID")
    first = params["conv2_block1_1_conv"]
    expected = norm(pooled @ first["kernel"][0, 0] + first["bias"], "conv2_block1_1_bn")
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    with pytest.raises(UserError, match="resnet50 has no such layer; did you mean 'conv2_block1_1_bn'"):
        perceptual_network("resnet50", "conv2_block1_1_bm", 1.0, str(keras / "weights.h5"))
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=r"not fetched yet; run: python -m lowres_jax\.pretrained\.fetch resnet50"):
        perceptual_network("resnet50", "conv2_block1_1_bn", 1.0)
