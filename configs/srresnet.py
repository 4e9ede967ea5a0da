"""Train SRResNet x4 on faces, for mean squared error (Ledig et al., arXiv:1609.04802, section 3.2).

    python -m lowres_jax.main --config=configs/srresnet.py --workdir=workdirs/srresnet
    python -m lowres_jax.main --config=configs/srresnet.py:smoke  # seconds, on the embedded faces

Checkpoints, figures, processes: docs/train.md.
"""

from ml_collections import ConfigDict

from lowres_jax.super_resolution.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = train_config.default_config()
    config.losses.pixel.update({"kind": "mse", "scale": 2.0})  # images in [-1, 1]
    config.optimizer.learning_rate = 1e-4
    config.steps = 20_000
    return train_config.variant(config, variant)
