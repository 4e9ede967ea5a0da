"""Prepare seven color portraits of five people, which may be shown with their credits.

python -m lowres_jax.pretrained.fetch portraits
python -m lowres_jax.main --config=configs/prepare_portraits.py
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import prepare


def get_config() -> ConfigDict:
    """Returns the config of the preparation."""
    config = config_keys.new(prepare.KEYS, "prepare")
    config.builder = "portraits"
    config.detector = "mtcnn"
    return config
