"""Names of modules that stand in cards, in run.json and in fingerprints of what is kept: they go on being read."""

from pathlib import Path

import pytest
from ml_collections import ConfigDict

from lowres_jax.pretrained import cards
from lowres_jax.training import networks

# What versions up to 0.1 wrote; add to these, never take away.
WRITTEN = (
    "recognition.dlib_resnet",
    "recognition.resnet",
    "recognition.sface",
    "recognition.sface_small",
    "super_resolution.edsr",
    "super_resolution.interpolation",
    "super_resolution.rrdbnet",
    "super_resolution.srresnet",
)


@pytest.mark.parametrize("module", [name for name in WRITTEN if not name.endswith(("dlib_resnet", "interpolation"))])
def test_a_run_of_an_earlier_version_names_its_network(module: str) -> None:
    made = networks.build(ConfigDict({"module": module, "fields": {}}), "float32")
    assert type(made).__module__ == f"lowres_jax.{module}"


def test_shipped_cards_name_no_others() -> None:
    files = sorted((Path(cards.__file__).parent / "cards").glob("*.toml"))
    assert {cards.read_card(file).module for file in files} == set(WRITTEN) - {"recognition.resnet"}
