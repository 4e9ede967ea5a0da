"""Reduce whole photographs until their faces are small, then find, enlarge and recognize these.

    python -m lowres_jax.main --config=configs/compare_photographs.py --config.source=PATH/lfw-deepfunneled.tgz

At each size: how many faces are found in the small photograph as it is, and in one that was enlarged first; how far the
landmarks lie from those of the original; what share of the searches find the right person. What was measured:
docs/localization.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import photographs


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    return config_keys.new(photographs.KEYS, "compare_photographs")
