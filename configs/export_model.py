"""Take a network away: as ONNX, as StableHLO for JAX without this package, or as a folder for a model hub.

    python -m lowres_jax.main --config=configs/export_model.py --config.models=identity,identity_x8,identity+sface

Needs the extra "export" for ONNX (pip install 'lowres-jax[export]'). What the files take and give: docs/models.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import interchange


def get_config() -> ConfigDict:
    """Returns the config of the export."""
    config = config_keys.new(interchange.EXPORT_KEYS, "export_model")
    config.models = ("identity",)
    config.formats = ("onnx",)
    config.precision = "float16"
    return config
