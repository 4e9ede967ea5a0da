"""Give a trained generator a name: its averaged weights as a float16 safetensors file, with a model card.

    python -m lowres_jax.main --config=configs/export_weights.py --config.training=workdirs/canny --config.name=my_canny

The name then works in compare, enhance and identify.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the export."""
    config = ConfigDict()
    config.task = "export_weights"
    config.training = ""  # workdir of the training
    config.name = ""  # of the model from now on
    config.summary = ""  # one line of the card; empty: module and scale
    config.licence = "research only, as its training data (CASIA-WebFace, ORL)"
    config.folder = ""  # for both files; empty: where names are looked up (cards in the cache folder)
    config.overwrite = False
    return config
