"""StableHLO in a fresh process that has nothing of the project gives what the project gives."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.interchange import stablehlo
from lowres_jax.interchange.networks import portable
from lowres_jax.super_resolution.upscaler import load_upscaler

ROOT = Path(__file__).parents[2]


def script(heading: str) -> str:
    """The Python block under a heading of docs/models.md."""
    section = (ROOT / "docs" / "models.md").read_text().split(f"\n## {heading}\n")[1]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]


@pytest.mark.slow
def test_reloaded_without_the_project(tmp_path: Path) -> None:
    path = tmp_path / "identity.stablehlo"
    stablehlo.write(path, portable("identity"))
    (tmp_path / "run.py").write_text(
        # Whatever of the project is imported fails.
        "import sys\nsys.modules['lowres_jax'] = None\n" + script("StableHLO")
    )
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    subprocess.run(
        [sys.executable, "run.py", path.name, "enlarged.npy"], cwd=tmp_path, env=environment, check=True, timeout=300
    )
    faces = np.random.default_rng(0).random((3, 32, 32, 3), np.float32)
    np.testing.assert_allclose(np.load(tmp_path / "enlarged.npy"), load_upscaler("identity")(faces), atol=1e-5)
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["platforms"] == ["cpu", "cuda", "tpu"]
    assert facts["inputs"] == {"images": ["b", "h", "w", 3]}
    assert facts["name"] == "identity"


@pytest.mark.parametrize("name", ["mtcnn_proposal", "mtcnn_refinement", "mtcnn_output"])
def test_networks_of_the_detector(name: str, tmp_path: Path) -> None:
    import jax.export

    network = portable(name)
    stablehlo.write(tmp_path / "network.stablehlo", network)
    loaded = jax.export.deserialize(bytearray((tmp_path / "network.stablehlo").read_bytes()))
    for arrays in network.examples():
        for one, other in zip(loaded.call(*arrays), network.function(*arrays), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
