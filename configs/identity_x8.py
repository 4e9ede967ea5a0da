"""Train a face generator for 16 px: x8, L1 + 0.1 (1 - cosine) of SFace, from the identity model for 32 px.

    python -m lowres_jax.main --config=configs/identity_x8.py --workdir=workdirs/identity_x8
    python -m lowres_jax.main --config=configs/identity_x8.py:smoke  # seconds, on the embedded faces

Checkpoints, figures, processes: docs/training.md. Not trained yet: two CPU cores make about 3.5 images a second.
"""

from ml_collections import ConfigDict

from lowres_jax.super_resolution import recipe


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = recipe.default_config()
    config.model.fields.scale = 8
    config.start = "identity"  # a third doubling is drawn at random
    config.losses.pixel.kind = "l1"
    config.losses.identity.update({"weight": 0.1, "recognizers": ("sface",)})
    config.optimizer.update({"learning_rate": 2e-4, "schedule": "cosine", "warmup_steps": 100})
    config.steps = 10_000
    return recipe.variant(config, variant)
