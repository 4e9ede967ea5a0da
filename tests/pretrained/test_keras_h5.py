"""Keras HDF5 files written by hand, and what comes out of them."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.pretrained import keras_h5

FEATURES = 2


def write_layers(path: Path, layers: list[tuple[str, dict[str, np.ndarray]]], names_as_text: bool = False) -> None:
    """A file as `model.save_weights` lays it out: names in attributes, arrays in LAYER/LAYER/WEIGHT:0."""
    with h5py.File(path, "w") as file:

        def names(values: list[str]) -> list:
            return values if names_as_text else [value.encode() for value in values]

        file.attrs["layer_names"] = names([name for name, _ in layers])
        for name, arrays in layers:
            group = file.create_group(name)
            group.attrs["weight_names"] = names([f"{name}/{weight}:0" for weight in arrays])
            for weight, array in arrays.items():
                group.create_dataset(f"{name}/{weight}:0", data=array)


def small_srresnet(blocks: int) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The weighted layers of an SRResNet of 2 channels, with a layer without weights between; every number differs."""
    layers: list[tuple[str, dict[str, np.ndarray]]] = [("input_1", {})]
    numbers = iter(range(1_000_000))

    def array(*shape: int) -> np.ndarray:
        return np.asarray([next(numbers) for _ in range(int(np.prod(shape)))], np.float32).reshape(shape)

    def conv(inputs: int, outputs: int, side: int) -> None:
        weights = {"kernel": array(side, side, inputs, outputs), "bias": array(outputs)}
        layers.append((f"conv2d_{len(layers)}", weights))

    def prelu() -> None:
        layers.append((f"p_re_lu_{len(layers)}", {"alpha": array(1, 1, FEATURES)}))

    def norm() -> None:
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        layers.append((f"batch_normalization_{len(layers)}", {part: array(FEATURES) for part in parts}))

    conv(3, FEATURES, 9)
    prelu()
    for _ in range(blocks):
        conv(FEATURES, FEATURES, 3)
        norm()
        prelu()
        conv(FEATURES, FEATURES, 3)
        norm()
        layers.append((f"add_{len(layers)}", {}))
    conv(FEATURES, FEATURES, 3)
    norm()
    for _ in range(2):
        conv(FEATURES, 4 * FEATURES, 3)
        prelu()
    conv(FEATURES, 3, 9)
    return layers


@pytest.mark.parametrize("names_as_text", [False, True])
def test_layers_in_order_under_short_names(tmp_path: Path, names_as_text: bool) -> None:
    kernel, bias = np.arange(6.0).reshape(1, 1, 2, 3), np.asarray([7.0, 8.0, 9.0])
    layers = [("z", {"kernel": kernel, "bias": bias}), ("lambda", {}), ("a", {"alpha": np.asarray([0.5])})]
    write_layers(tmp_path / "small.h5", layers, names_as_text)
    found = keras_h5.read_layers(tmp_path / "small.h5")
    assert [name for name, _ in found] == ["z", "a"]
    assert list(found[0][1]) == ["kernel", "bias"]
    np.testing.assert_array_equal(found[0][1]["kernel"], kernel)
    np.testing.assert_array_equal(found[0][1]["bias"], bias)
    np.testing.assert_array_equal(found[1][1]["alpha"], [0.5])
    assert found[0][1]["kernel"].dtype == np.float32


def test_a_saved_model_holds_its_weights_one_level_down(tmp_path: Path) -> None:
    write_layers(tmp_path / "weights.h5", [("dense", {"kernel": np.asarray([[3.0]])})])
    with h5py.File(tmp_path / "weights.h5") as source, h5py.File(tmp_path / "model.h5", "w") as target:
        root = target.create_group("model_weights")
        root.attrs["layer_names"] = source.attrs["layer_names"]
        source.copy("dense", root)
    assert keras_h5.read_layers(tmp_path / "model.h5")[0][1]["kernel"] == 3.0


@pytest.mark.parametrize("blocks", [1, 3])
def test_every_array_of_an_srresnet_has_its_place(tmp_path: Path, blocks: int) -> None:
    layers = small_srresnet(blocks)
    write_layers(tmp_path / "generator.h5", layers)
    variables = keras_h5.srresnet(tmp_path / "generator.h5")
    params, statistics = variables["params"], variables["batch_stats"]
    weighted = [arrays for _, arrays in layers if arrays]
    assert len(params) == 2 + blocks + 2 + 4 + 1
    np.testing.assert_array_equal(params["conv_first"]["kernel"], weighted[0]["kernel"])
    np.testing.assert_array_equal(params["prelu_first"]["slope"], weighted[1]["alpha"].ravel())
    last_block = weighted[2 + 5 * (blocks - 1) :]
    block = f"block_{blocks - 1}"
    np.testing.assert_array_equal(params[block]["conv_0"]["bias"], last_block[0]["bias"])
    np.testing.assert_array_equal(params[block]["norm_0"]["scale"], last_block[1]["gamma"])
    np.testing.assert_array_equal(statistics[block]["norm_0"]["mean"], last_block[1]["moving_mean"])
    np.testing.assert_array_equal(params[block]["prelu"]["slope"], last_block[2]["alpha"].ravel())
    np.testing.assert_array_equal(params[block]["conv_1"]["kernel"], last_block[3]["kernel"])
    np.testing.assert_array_equal(statistics[block]["norm_1"]["var"], last_block[4]["moving_variance"])
    np.testing.assert_array_equal(params["norm_trunk"]["bias"], weighted[-6]["beta"])
    np.testing.assert_array_equal(params["conv_up_1"]["kernel"], weighted[-3]["kernel"])
    np.testing.assert_array_equal(params["conv_last"]["bias"], weighted[-1]["bias"])


@pytest.mark.parametrize("damage", ["first", "last", "swapped"])
def test_other_layers_are_no_srresnet(tmp_path: Path, damage: str) -> None:
    layers = small_srresnet(2)
    if damage == "swapped":
        layers[4], layers[5] = layers[5], layers[4]
    else:
        layers.pop(1 if damage == "first" else -1)
    write_layers(tmp_path / "generator.h5", layers)
    with pytest.raises(UserError, match=r"generator\.h5: not the weights of an SRResNet"):
        keras_h5.srresnet(tmp_path / "generator.h5")


def test_a_layer_too_many_is_no_srresnet(tmp_path: Path) -> None:
    layers = [*small_srresnet(1), ("edge", {"kernel": np.zeros((3, 3, 2, 1)), "bias": np.zeros(1)})]
    write_layers(tmp_path / "generator.h5", layers)
    with pytest.raises(UserError, match="15 weighted layers, not 14"):
        keras_h5.srresnet(tmp_path / "generator.h5")


def test_broken_files(tmp_path: Path) -> None:
    whole = tmp_path / "whole.h5"
    write_layers(whole, small_srresnet(1))
    (tmp_path / "truncated.h5").write_bytes(whole.read_bytes()[:3000])
    (tmp_path / "text.h5").write_text("no weights")
    (tmp_path / "empty.h5").write_bytes(b"")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = [1, 2]
    for name in ("truncated.h5", "text.h5", "empty.h5", "other.h5", "absent.h5"):
        with pytest.raises(UserError, match=rf"{name}: no Keras weights can be read from it"):
            keras_h5.srresnet(tmp_path / name)
