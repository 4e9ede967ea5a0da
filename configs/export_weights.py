"""Give a trained generator a name: its averaged weights as a float16 safetensors file, with a model card.

    python -m lowres_jax.main --config=configs/export_weights.py --config.training=workdirs/canny --config.name=mine \
        --config.license="research only, as its training data (CASIA-WebFace)"

The name then works in compare, enhance and identify.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import exports


def get_config() -> ConfigDict:
    """Returns the config of the export."""
    config = config_keys.new(exports.KEYS, "export_weights")
    config.training = config.name = config.license = None  # to be given
    config.centering = True
    return config
