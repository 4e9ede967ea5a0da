"""Train EDSR x3 on faces: the baseline of 16 blocks of 64 channels (Lim et al., arXiv:1707.02921, section 4.2).

    python -m lowres_jax.main --config=configs/edsr_x3.py --workdir=workdirs/edsr_x3
    python -m lowres_jax.main --config=configs/edsr_x3.py:smoke  # seconds, on the embedded faces

The full network: --config.model.fields.blocks=32 --config.model.fields.features=256
--config.model.fields.residual_scale=0.1
Checkpoints, figures, processes: docs/training.md.
"""

from ml_collections import ConfigDict

from lowres_jax.super_resolution import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    return train_config.variant(train_config.edsr(scale=3), variant)
