"""Prepare Labeled Faces in the Wild: aligned crops and the pairs of both views. For evaluation, never for training.

    python -m lowres_jax.main --config=configs/prepare_lfw.py --config.source=PATH/lfw-deepfunneled.tgz

The source is lfw.tgz, lfw-funneled.tgz or lfw-deepfunneled.tgz, or one of them unpacked; pairs.txt (View 2), and
pairsDevTrain.txt and pairsDevTest.txt (View 1), are looked for beside it.
"""

import runpy
from pathlib import Path

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the preparation."""
    config: ConfigDict = runpy.run_path(str(Path(__file__).with_name("prepare_orl_faces.py")))["get_config"]()
    config.builder = "lfw"
    config.pairs = ""  # folder of the pairs files; empty: beside the source
    # LFW's person is in the middle; in 3 % of the images another face has the highest score.
    config.rule = "nearest_centre"
    return config
