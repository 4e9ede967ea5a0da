"""Prepare Labeled Faces in the Wild: aligned crops and the pairs of both views. For evaluation, never for training.

    python -m lowres_jax.main --config=configs/prepare_lfw.py --config.source=PATH/lfw-deepfunneled.tgz

The source is lfw.tgz, lfw-funneled.tgz or lfw-deepfunneled.tgz, or one of them unpacked; pairs.txt (View 2), and
pairsDevTrain.txt and pairsDevTest.txt (View 1), are looked for beside it.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import prepare


def get_config() -> ConfigDict:
    """Returns the config of the preparation."""
    config = config_keys.new(prepare.KEYS, "prepare")
    config.builder = "lfw"
    config.pairs = ""
    # LFW's person is in the middle; in 3 % of the images another face has the highest score.
    config.rule = "nearest_center"
    return config
