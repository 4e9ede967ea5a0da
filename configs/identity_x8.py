"""Train a face generator for 16 px: x8, L1 + 0.1 (1 - cosine) of SFace, from the identity model for 32 px.

    python -m lowres_jax.main --config=configs/identity_x8.py --workdir=workdirs/identity_x8
    python -m lowres_jax.main --config=configs/identity_x8.py:smoke  # seconds, on the embedded faces

Checkpoints, figures, processes: docs/training.md. Not trained yet: two CPU cores make about 3.5 images a second.
"""

from ml_collections import ConfigDict

from lowres_jax.super_resolution import recipe


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = recipe.identity(scale=8, start="identity")  # a third doubling is drawn at random
    return recipe.variant(config, variant)
