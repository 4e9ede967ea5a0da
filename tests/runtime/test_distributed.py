"""Processes that do not find together say so in a line."""

import subprocess
import sys

import jax
import pytest
from ml_collections import ConfigDict

from lowres_jax.runtime import distributed

pytestmark = pytest.mark.slow


def config_of(**changes: object) -> ConfigDict:
    config = ConfigDict({"coordinator": None, "processes": None, "process": None, "connect_seconds": 1})
    config.update(changes)
    return config


def test_without_a_coordinator_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOWRES_JAX_COORDINATOR", raising=False)
    distributed.connect(config_of())
    assert jax.process_count() == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"coordinator": "localhost:1", "process": 1, "processes": 2}, "localhost:1: nobody answers there since 1 s"),
        ({"coordinator": "localhost", "process": 1, "processes": 2}, "must be HOST:PORT"),
        ({"coordinator": "localhost:1"}, "process -1 of 0 cannot be"),
        ({"coordinator": "localhost:1", "process": 2, "processes": 2}, "process 2 of 2 cannot be"),
    ],
)
def test_a_coordinator_that_is_not_there(changes: dict, said: str) -> None:
    # In a process of its own: JAX may only be connected before anything else is done with it.
    script = (
        "import sys\nfrom ml_collections import ConfigDict\nfrom lowres_jax.errors import UserError\n"
        "from lowres_jax.runtime import distributed\n"
        f"config = ConfigDict({config_of(**changes).to_dict()!r})\n"
        "try:\n    distributed.connect(config)\nexcept UserError as error:\n    sys.exit(str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
