"""Compare Haar and MTCNN on a folder of pictures: agreement, speed, and a gallery of the kinds of outcome.

    python -m lowres_jax.main --config=configs/compare_detectors.py --config.input=FOLDER

Without a folder: the embedded ORL faces, and the portraits if they have been fetched.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import prepare


def get_config() -> ConfigDict:
    """Returns the config of the comparison."""
    config = config_keys.new(prepare.DETECTOR_KEYS, "compare_detectors")
    config.input = None  # a folder of pictures
    config.rule = "highest_score"
    config.low_confidence = 0.1
    return config
