"""Train SRGAN x4 on faces, from the SRResNet trained before (Ledig et al., arXiv:1609.04802, section 3.2).

    python -m lowres_jax.main --config=configs/srgan.py --workdir=workdirs/srgan
    python -m lowres_jax.main --config=configs/srgan.py:smoke  # seconds, on the embedded faces

Checkpoints, figures, processes: docs/train.md.
"""

from ml_collections import ConfigDict

from lowres_jax.super_resolution.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = train_config.default_config()
    config.start = "srresnet"  # the published one; or --config.start=workdirs/srresnet
    config.losses.pixel.weight = 0.0
    # The paper compares VGG19's conv5_4, whose weights no package ships:
    #   --config.losses.perceptual.network=vgg19 --config.losses.perceptual.layer=block5_conv4
    #   --config.losses.perceptual.weights=FILE.h5 --config.losses.perceptual.scale=0.0784
    #   --config.losses.perceptual.after_activation=True
    config.losses.perceptual.update({"weight": 1.0, "network": "sface", "layer": "conv_5_relu"})
    config.losses.adversarial.update({"weight": 1e-3, "kind": "vanilla"})
    for optimizer in (config.optimizer, config.discriminator_optimizer):
        optimizer.update({"learning_rate": 1e-4, "schedule": "step", "decay_at": (0.5,), "decay_factor": 0.1})
    config.steps = 20_000
    return train_config.variant(config, variant)
