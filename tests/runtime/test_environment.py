"""Settings of the process, made once.

Covers `runtime/configuration.py` too.
"""

import os

import pytest

from lowres_jax.runtime import configuration, environment


@pytest.mark.parametrize(("cores", "devices"), [(1, 1), (2, 2), (3, 2), (5, 4), (6, 4), (7, 4), (8, 8), (64, 8)])
@pytest.mark.parametrize("name", ["canny", "recognizer", "recognizer_small"])
def test_every_training_takes_its_own_batch_on_any_number_of_cores(
    name: str, cores: int, devices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment.os, "sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.delenv("LOWRES_JAX_COORDINATOR", raising=False)
    config = configuration.load(f"configs/{name}.py")
    assert environment._cpu_devices(config) == devices
    assert config.batch_size % devices == 0


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("", "--xla_cpu_collective_call_terminate_timeout_seconds=1200"),
        ("--xla_a=1", "--xla_a=1 --xla_cpu_collective_call_terminate_timeout_seconds=1200"),
        *[["--xla_cpu_collective_call_terminate_timeout_seconds=7"] * 2],
    ],
)
def test_devices_of_a_busy_machine_are_waited_for(given: str, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", given)
    environment._be_patient()
    assert os.environ["XLA_FLAGS"] == left
