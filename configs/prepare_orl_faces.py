"""Prepare the ORL faces, the set that comes with the dependencies: aligned crops in TFRecords.

    python -m lowres_jax.main --config=configs/prepare_orl_faces.py
    python -m lowres_jax.main --config=configs/prepare_orl_faces.py --config.detector=haar

Credit for the pictures: AT&T Laboratories Cambridge.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import prepare


def get_config() -> ConfigDict:
    """Returns the config of the preparation."""
    config = config_keys.new(prepare.KEYS, "prepare")
    config.builder = "orl_faces"
    config.detector = "mtcnn"
    config.image_format = "png"
    return config
