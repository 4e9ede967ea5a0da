"""`check_accelerator`: right values pass, wrong ones are named, and figures are written one by one."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from lowres_jax.errors import UserError
from lowres_jax.interchange import device_agreement
from lowres_jax.interchange.device_agreement import Check
from lowres_jax.runtime import configuration
from lowres_jax.tasks import check_accelerator


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> ConfigDict:
    """Config of three small checks: one agrees, one is off by a hundredth, one cannot be computed."""

    def fails(precision: str) -> np.ndarray:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory\nmore")

    checks = [
        Check("network", lambda precision: np.ones(4)),
        Check("step of it", lambda precision: np.full((2, 4), 1.01), trains=True),
        Check("other network", lambda precision: np.full(4, 1.01)),
        Check("large network", fails),
    ]
    expected = {"network": np.ones(4), "step of it": np.ones((2, 4)), "other network": np.ones(4)}
    monkeypatch.setattr(device_agreement, "checks", lambda trainings, small: iter(checks))
    monkeypatch.setattr(check_accelerator, "_of_the_processor", lambda config: expected | {"large network": np.ones(4)})
    made = configuration.load("check_accelerator")
    made.small = True
    return made


def test_what_differs_is_named_and_every_figure_is_kept(config: ConfigDict, tmp_path: Path) -> None:
    said = r"2 of 4 differ from the processor's values: other network, large network"
    with pytest.raises(UserError, match=said):
        check_accelerator.run(config, tmp_path)
    found = json.loads((tmp_path / "accelerator.json").read_text())["checks"]
    assert {name: each["right"] for name, each in found.items()} == {
        "network": True,
        "step of it": True,
        "other network": False,
        "large network": False,
    }
    # An hundredth of its size; of a step one in twenty may differ, of a network one in a thousand.
    assert found["step of it"]["difference"] == pytest.approx(0.01)
    assert (found["network"]["device_precision"], found["other network"]["limit"]) == (0.0, 1e-3)
    assert found["large network"]["error"] == "RESOURCE_EXHAUSTED: out of memory"


def test_a_processor_alone_is_no_accelerator(config: ConfigDict, tmp_path: Path) -> None:
    config.small = False
    with pytest.raises(UserError, match="no accelerator: JAX finds this machine's processor only"):
        check_accelerator.run(config, tmp_path)
    assert not list(tmp_path.iterdir())
