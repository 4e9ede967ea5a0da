"""A change of SFace: none at first, of each kind afterwards, and never of SFace's own variables.

Covers `pretrained/small_change.py` too.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from lowres_jax.pretrained import cards, safetensors_weights, small_change
from lowres_jax.recognition import sface, sface_small
from lowres_jax.tasks import export_weights

WIDTHS, STRIDES = (4, 6, 8), (1, 2)
THIN = {"widths": WIDTHS, "strides": STRIDES, "dimension": 5}


@pytest.fixture(scope="module")
def images() -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).random((2, 112, 112, 3), np.float32))


@pytest.fixture(scope="module")
def base(images: jax.Array) -> dict:
    return sface.Model(**THIN).init(jax.random.key(1), images)


@pytest.fixture(scope="module")
def model() -> sface_small.Model:
    return sface_small.Model(rank=2, **THIN)


@pytest.fixture(scope="module")
def variables(model: sface_small.Model, images: jax.Array, base: dict) -> dict:
    drawn = model.init(jax.random.key(2), images)
    return {"params": drawn["params"], "batch_stats": {"sface": base}}


def test_at_first_it_changes_nothing(model, variables, images, base) -> None:
    plain = sface.Model(**THIN).apply(base, images)
    np.testing.assert_allclose(model.apply(variables, images), plain, rtol=1e-5, atol=1e-6)
    assert sorted(variables["params"]) == [
        "conv_2_down",
        "conv_2_dw_change",
        "conv_2_up",
        "conv_3_down",
        "conv_3_dw_change",
        "conv_3_up",
        "map",
    ]


def test_a_share_of_the_change(model, variables, images, base) -> None:
    generator = np.random.default_rng(5)
    params = {
        name: np.asarray(generator.normal(size=each.shape), np.float32) for name, each in variables["params"].items()
    }
    changed = {**variables, "params": params}
    plain = sface.Model(**THIN).apply(base, images)
    np.testing.assert_allclose(model.apply(sface_small.with_share(changed, 0.0), images), plain, rtol=1e-5, atol=1e-6)
    half = sface_small.with_share(changed, 0.5)["params"]
    # The change of a kernel, the product of both, is halved: one of them is.
    np.testing.assert_allclose(
        half["conv_2_down"] @ half["conv_2_up"], 0.5 * params["conv_2_down"] @ params["conv_2_up"], rtol=1e-5
    )
    np.testing.assert_allclose(half["conv_3_dw_change"], 0.5 * params["conv_3_dw_change"])
    np.testing.assert_allclose(half["map"], 0.5 * params["map"])


def test_each_change_is_added_to_its_kernel(model, variables, images, base) -> None:
    generator = np.random.default_rng(3)
    params = {
        name: np.asarray(generator.normal(size=each.shape), np.float32) * 0.1
        for name, each in variables["params"].items()
    }
    changed = {name: dict(layer) for name, layer in base["params"].items()}
    for name in ("conv_2", "conv_3"):
        changed[name]["kernel"] = changed[name]["kernel"] + params[f"{name}_down"] @ params[f"{name}_up"]
        changed[f"{name}_dw"]["kernel"] = changed[f"{name}_dw"]["kernel"] + params[f"{name}_dw_change"]
    by_hand = sface.Model(**THIN).apply(base | {"params": changed}, images)
    by_hand = by_hand + by_hand @ params["map"]
    found = model.apply(variables | {"params": params}, images)
    np.testing.assert_allclose(found, by_hand, rtol=2e-4, atol=1e-5)


def test_every_change_learns(model, variables, images) -> None:
    """The trap: normalization of SFace stops gradients, and a change of it would learn nothing, silently."""
    params = jax.tree.map(lambda each: each + 0.05, variables["params"])
    gradient = jax.grad(lambda own: (model.apply(variables | {"params": own}, images) ** 2).sum())(params)
    for name, each in gradient.items():
        assert float(jnp.abs(each).max()) > 0, name


def test_the_file_has_the_change_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables) -> None:
    safetensors_weights.write(tmp_path / "change.safetensors", {"params": variables["params"]})
    monkeypatch.setattr(cards, "read_variables", lambda card: {"read": card.name})
    found = small_change.variables(tmp_path / "change.safetensors")
    assert found["batch_stats"] == {"sface": {"read": "sface"}}
    assert found["params"].keys() == variables["params"].keys()


def test_what_is_exported_has_a_card_that_loads(tmp_path: Path, model, variables, monkeypatch, images, base) -> None:
    settings = {
        "task": "train_recognizer",
        "model": {"module": "recognition.sface_small", "fields": {"rank": 2, **THIN}},
        "losses": {"enrolled": {"weight": 1.0, "teacher": "sface", "others": 0.5}},
        "size": 112,
        "dataset": "casia_webface/mtcnn_jpeg",
        "batch_size": 32,
        "start": "sface",
        "judges": ["sface"],
    }
    config = ConfigDict({"name": "small", "summary": "", "license": "ours"})
    trained = export_weights.Trained(settings, 9, {"verification_16px": 0.9}, 9)
    export_weights.write_model(tmp_path, config, trained, variables)
    assert (tmp_path / "small.safetensors").stat().st_size < 5_000
    card = cards.read_card(tmp_path / "small.toml")
    assert card.weights["reader"] == "small_change.variables"
    monkeypatch.setattr(small_change.cards, "read_variables", lambda card: base)
    found = small_change.variables(cards.weight_path(card))
    np.testing.assert_allclose(
        cards.build_module(card).apply(found, images), model.apply(variables, images), rtol=1e-2, atol=1e-3
    )
