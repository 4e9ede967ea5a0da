"""Prepare seven colour portraits of five people, which may be shown with their credits.

python -m lowres_jax.pretrained.fetch portraits
python -m lowres_jax.main --config=configs/prepare_portraits.py
"""

import runpy
from pathlib import Path

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the preparation."""
    config: ConfigDict = runpy.run_path(str(Path(__file__).with_name("prepare_orl_faces.py")))["get_config"]()
    config.builder = "portraits"
    return config
