"""List the models: name, made for, license, size, measured.

    lowres-jax models

Models of your own (export_weights, import_model) are among them.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.tasks import models


def get_config() -> ConfigDict:
    """Returns the config of the list, which has no keys."""
    return config_keys.new(models.KEYS, "models")
