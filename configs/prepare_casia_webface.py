"""Prepare CASIA-WebFace, or any training set of one folder a person: aligned crops in TFRecords.

    python -m lowres_jax.main --config=configs/prepare_casia_webface.py --config.source=PATH

The source is a folder or .tgz with 0000045/001.jpg, or InsightFace's folder with train.rec and train.idx.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import prepare


def get_config() -> ConfigDict:
    """Returns the config of the preparation."""
    config = config_keys.new(prepare.KEYS, "prepare")
    config.builder = "casia_webface"
    config.image_format = "jpeg"
    config.rule = "nearest_center"  # the photographs were cut around their person
    return config
