"""Check that this machine's accelerator computes what a processor does: all networks, and training steps.

    LOWRES_JAX_CACHE=workdirs/pack python -m lowres_jax.main --config=configs/check_accelerator.py

Needs a pack (configs/pack_visit.py), which holds the processor's values. docs/accelerators.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import visits


def get_config() -> ConfigDict:
    """Returns the config of the check."""
    return config_keys.new(visits.CHECK_KEYS, "check_accelerator")
