"""Give a model from a hub's folder, here or at an address, a name: config.json, model.safetensors.

    python -m lowres_jax.main --config=configs/import_model.py --config.source=FOLDER_OR_URL --config.sha256=HEX

The SHA-256 is that of config.json, which export_model says and the model's page names. See docs/models.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import interchange


def get_config() -> ConfigDict:
    """Returns the config of the import."""
    config = config_keys.new(interchange.IMPORT_KEYS, "import_model")
    config.source = None  # to be given
    config.sha256 = None  # likewise, for an address
    return config
