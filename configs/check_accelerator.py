"""Check that this machine's accelerator computes what its processor does: all networks, and training steps.

    python -m lowres_jax.main --config=configs/check_accelerator.py
    python -m lowres_jax.main --config=configs/check_accelerator.py --config.small=true  # a rehearsal, on any machine

Writes accelerator.json into the workdir. How fast it is: benchmarks/accelerator.py. More: docs/accelerators.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import check_accelerator


def get_config() -> ConfigDict:
    """Returns the config of the check."""
    config = config_keys.new(check_accelerator.KEYS, "check_accelerator")
    config.trainings = ("canny", "identity", "recognizer")
    config.small = False
    return config
