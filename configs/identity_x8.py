"""Train a face generator for 16 px: x8, L1 + 0.1 (1 - cosine) of SFace, from the identity model for 32 px.

    python -m lowres_jax.main --config=configs/identity_x8.py --workdir=workdirs/identity_x8
    python -m lowres_jax.main --config=configs/identity_x8.py:smoke  # seconds, on the embedded faces

The model `identity_x8` that comes with the program is this with --config.steps=900: 24 minutes on two CPU cores (10
images a second). Of 29 people held out: PSNR 25.17 (bicubic 23.52), SSIM .733 (.667), identity cosine .645 (.527; SFace
is in the loss), View 1 .950 (.925 of 200 pairs). What an independent recognizer says: docs/results.md.

The variant "strangers" continues that. The model `identity_x8_smoothed` came of it, in parts:
docs/notebook/three_changes_at_16_px.md.
"""

from ml_collections import ConfigDict

from lowres_jax.super_resolution.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variants "strangers", "smoke", "strangers,smoke"."""
    config = train_config.identity(scale=8, start="identity")  # a third doubling is drawn at random
    return train_config.variant(config, variant, strangers=_strangers)


def _strangers(config: ConfigDict) -> ConfigDict:
    """Continues `identity_x8`: a direct tail with a convolution behind it, random views, strangers told apart."""
    config.start = "identity_x8"
    config.model.fields.tail = "direct_smoothed"
    config.losses.identity.random_views = True
    config.losses.identity.strangers.weight = 0.03
    return config
