"""Prepare frames of videos, PERSON/VIDEO/FRAME.jpg, cut around the face: aligned crops in TFRecords.

    python -m lowres_jax.main --config=configs/prepare_video_frames.py --config.source=FOLDER_OR_ZIP

They are searched by benchmarks/video_search.py. For evaluation, never for training.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import prepare


def get_config() -> ConfigDict:
    """Returns the config of the preparation."""
    config = config_keys.new(prepare.KEYS, "prepare")
    config.builder = "video_frames"
    config.source = None  # to be given
    return config
