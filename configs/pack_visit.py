"""Pack what ten minutes on a lent accelerator need: crops, View 1 of LFW, weights, wheels, values to compare with.

    python -m lowres_jax.main --config=configs/pack_visit.py
    python -m lowres_jax.main --config=configs/pack_visit.py:smoke  # seconds, of the embedded faces, without wheels

Then launch/visit.sh MINUTES OUT on the machine. docs/accelerators.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.runtime import configuration
from lowres_jax.settings import visits


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the pack, or of its variant "smoke"."""
    config = config_keys.new(visits.PACK_KEYS, "pack_visit")
    if variant == "smoke":
        config.dataset, config.view1, config.python, config.small = "orl_faces/mtcnn", "", "", True
    elif variant:
        raise ValueError(f"variant {variant!r}: {configuration.nearest(variant, ['smoke'])}")
    return config
