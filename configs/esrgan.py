"""Train ESRGAN x4 on faces, from the published RRDBNet (Wang et al., arXiv:1809.00219, section 4.1).

    python -m lowres_jax.main --config=configs/esrgan.py --workdir=workdirs/esrgan
    python -m lowres_jax.main --config=configs/esrgan.py:smoke  # seconds, on the embedded faces

Checkpoints, figures, processes: docs/train.md.
"""

from ml_collections import ConfigDict

from lowres_jax.super_resolution.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = train_config.default_config()
    config.model.module = "super_resolution.rrdbnet"
    config.start = "esrgan"
    config.losses.pixel.update({"weight": 1e-2, "kind": "l1"})
    # The paper compares VGG19's conv5_4 before its activation, see configs/srgan.py.
    config.losses.perceptual.update({"weight": 1.0, "kind": "l1", "network": "sface", "layer": "conv_5_batchnorm"})
    config.losses.adversarial.update({"weight": 5e-3, "kind": "relativistic_average"})
    for optimizer in (config.optimizer, config.discriminator_optimizer):
        optimizer.update(
            {"learning_rate": 1e-4, "schedule": "step", "decay_at": (0.125, 0.25, 0.5, 0.75), "decay_factor": 0.5}
        )
    config.steps = 20_000
    return train_config.variant(config, variant)
