"""Train EDSR on faces: the baseline of 16 blocks of 64 channels (Lim et al., arXiv:1707.02921, section 4.2).

    python -m lowres_jax.main --config=configs/edsr.py --workdir=workdirs/edsr  # x4
    python -m lowres_jax.main --config=configs/edsr.py:x2 --workdir=workdirs/edsr_x2
    python -m lowres_jax.main --config=configs/edsr.py:x3,smoke  # seconds, on the embedded faces

The full network: --config.model.fields.blocks=32 --config.model.fields.features=256
--config.model.fields.residual_scale=0.1
Checkpoints, figures, processes: docs/train.md.
"""

from ml_collections import ConfigDict

from lowres_jax.super_resolution.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variants "x2", "x3", "smoke", "x2,smoke", "x3,smoke"."""
    return train_config.variant(train_config.edsr(4), variant, x2=_scaled(2), x3=_scaled(3))


def _scaled(scale: int) -> train_config.Change:
    return lambda config: train_config.edsr(scale)
