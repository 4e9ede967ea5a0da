"""What all tests share: eight simulated devices are set by the tests that need them; the compilation cache is on."""

from pathlib import Path

import pytest

from lowres_jax import runtime

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _compilation_cache() -> None:
    runtime.enable_compilation_cache()


@pytest.fixture(scope="session")
def lfw_archive() -> Path:
    """The deep-funneled LFW archive where the developer has it; tests that use it have a counterpart without it."""
    archive = SHARED_DATA / "lfw" / "lfw-deepfunneled.tgz"
    if not archive.exists():
        pytest.skip("LFW is not on this machine")
    return archive
