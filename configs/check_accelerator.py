"""Check that this machine's accelerator computes what a processor does: all networks, and training steps.

    LOWRES_JAX_CACHE=workdirs/pack python -m lowres_jax.main --config=configs/check_accelerator.py

Needs a pack (configs/pack_visit.py), which holds the processor's values. docs/accelerators.md.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the check."""
    config = ConfigDict()
    config.task = "check_accelerator"
    config.platform = ""  # "gpu" or "tpu" to insist on one
    config.cpu_devices = 1
    config.pack = "workdirs/pack"
    config.output = "workdirs/check_accelerator"  # folder that gets visit.json
    return config
