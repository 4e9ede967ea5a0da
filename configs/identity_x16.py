"""Train a face generator for 8 px: x16, L1 + 0.1 (1 - cosine) of SFace, from the identity model for 16 px.

    python -m lowres_jax.main --config=configs/identity_x16.py --workdir=workdirs/identity_x16
    python -m lowres_jax.main --config=configs/identity_x16.py:smoke  # seconds, on the embedded faces

Run as smoke only so far: no such model comes with the program. What identity_x8 does at 8 px: docs/results.md. More:
docs/train.md.
"""

from ml_collections import ConfigDict

from lowres_jax.super_resolution.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = train_config.identity(scale=16, start="identity_x8")  # a fourth doubling is drawn at random
    return train_config.variant(config, variant)
