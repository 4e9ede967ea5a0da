"""The real models behind the page, once for all tests of a process, and photographs made of the ORL faces."""

from pathlib import Path

import pytest
from made_scenes import orl, png, scene

from lowres_jax import config_keys
from lowres_jax.settings.serve import KEYS
from lowres_jax.web.engine import Engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine(config_keys.new(KEYS, "serve"))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as somebody has them: a scene, known people, a text that is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "scene.png").write_bytes(scene((1, 9, 60), (30, 4, 140)))
    (folder / "wall.png").write_bytes(scene())
    (folder / "text.png").write_text("no picture")
    for name, person in (("anna", 1), ("bert", 2), ("cora", 3)):
        (folder / "known" / name).mkdir(parents=True)
        (folder / "known" / name / "1.png").write_bytes(png(orl(person, 1)))
    return folder
