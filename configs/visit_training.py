r"""Train a generator for so many seconds, as a part of a visit (configs/visit.py), or by itself.

python -m lowres_jax.main --config=configs/visit_training.py --workdir=workdirs/mine --config.name=mine \
        --config.training=configs/identity.py --config.output=OUT --config.until=1793000000
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import visits


def get_config() -> ConfigDict:
    """Returns the config of the part."""
    return config_keys.new(visits.TRAINING_KEYS, "visit_training")
