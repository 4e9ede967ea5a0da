"""Every training config is built, and its small variant is stepped once on made faces.

Covers `training/networks.py` too.
"""

import runpy
import sys
import types
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import linen as nn
from ml_collections import ConfigDict

from lowres_jax.data.degradations import Degradation
from lowres_jax.errors import UserError
from lowres_jax.recognition import sface
from lowres_jax.recognition.recognizer import load_network
from lowres_jax.recognition.training import train_config as recognition_recipe
from lowres_jax.super_resolution.training import train_config, trainer
from lowres_jax.super_resolution.training.transform import Transform
from lowres_jax.tasks import train
from lowres_jax.training import devices

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[2] / "configs"
SIZES = {"edsr:x2": 1.37, "edsr:x3": 1.55, "edsr": 1.52, "srresnet": 1.55, "srgan": 1.55, "esrgan": 16.7}
SIZES |= {"initial": 1.55, "canny": 1.55, "canny:rgb": 1.55, "identity": 1.55, "identity:footage": 1.55}
SIZES |= {"identity_x8": 1.70, "identity_x16": 1.85}


def get(name: str, smoke: bool = False) -> "trainer.ConfigDict":
    file, _, variant = name.partition(":")
    variant = ",".join(part for part in (variant, "smoke" if smoke else "") if part)
    return runpy.run_path(str(CONFIGS / f"{file}.py"))["get_config"](variant)


@pytest.mark.parametrize("name", SIZES)
def test_a_config_names_the_network_it_says(name: str) -> None:
    config = get(name)
    train_config.check(config)
    module = train_config.build_generator(config)
    size = config.hr_size // config.model.fields.scale
    variables = jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((1, size, size, 3), np.float32))
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    assert count / 1e6 == pytest.approx(SIZES[name], rel=0.006)


def test_variants_add_up_and_a_wrong_one_is_named() -> None:
    assert get("canny").discriminator.sees == "rgb_and_edges"
    both = get("canny:rgb", smoke=True)
    assert (both.discriminator.sees, both.steps) == ("rgb", 12)
    assert Degradation.of(get("identity").degradation).plain
    footage = get("identity:footage")
    assert (Degradation.of(footage.degradation).jpeg, footage.start) == ((40, 80), "identity")
    assert get("identity:footage", smoke=True).start is None
    with pytest.raises(ValueError, match="variant 'rbg': did you mean 'rgb'"):
        get("canny:rbg")


def test_the_recognizer_for_small_faces_is_sface() -> None:
    config = get("recognizer_small")
    recognition_recipe.check(config)
    module = recognition_recipe.build(config)
    assert (module.dimension, module.widths) == (load_network("sface").module.dimension, sface.Model.widths)
    config.compute_dtype = "bfloat16"
    with pytest.raises(UserError, match=r"recognition\.sface computes in float32 only"):
        recognition_recipe.build(config)


@pytest.mark.parametrize("name", ["edsr:x3", pytest.param("esrgan", marks=pytest.mark.whole), "canny:rgb", "identity"])
def test_a_small_variant_takes_a_step(name: str) -> None:
    config = get(name, smoke=True)
    config.hr_size = 48
    training = train.build_trainer(config, config.steps)
    samples, generator = Transform(config), np.random.default_rng(0)
    rows = [samples(generator.integers(0, 256, (48, 48, 3), np.uint8), generator) for _ in range(config.batch_size)]
    batch = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    before = training.init()
    state, metrics = devices.data_parallel(training.step)(
        devices.replicate(before), devices.replicate(training.constants), devices.divide(batch)
    )
    figures = {key: float(value) for key, value in devices.fetch(metrics).items()}
    assert all(np.isfinite(value) for value in figures.values()), figures
    moved = jax.tree.map(
        lambda old, new: float(np.abs(old - new).max()), trainer.result(before), devices.fetch(trainer.result(state))
    )
    assert max(jax.tree.leaves(moved["params"])) > 0


def test_a_smoke_test_of_a_network_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets thin where it has the fields for that, and is left alone elsewhere."""

    class Model(nn.Module):
        scale: int = 4
        features: int = 99

    monkeypatch.setitem(sys.modules, "lowres_jax.super_resolution.mine", types.SimpleNamespace(Model=Model))
    config = get("srresnet")
    config.model.module = "super_resolution.mine"
    config.model.fields = ConfigDict({"scale": 4})
    config = train_config.smoke(config)
    assert config.model.fields.to_dict() == {"scale": 4, "features": 16}
    config.model.module = "super_resolution.absent"
    config.model.fields = ConfigDict({"scale": 4})
    assert train_config.smoke(config).model.fields.to_dict() == {"scale": 4}
