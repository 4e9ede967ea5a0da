r"""Train the Initial model: SRGAN's networks on faces only, 1e-4 adversarial + 1 MSE, no VGG (Orsini and Rossi 2022).

    python -m lowres_jax.main --config=configs/initial.py --workdir=workdirs/initial
    python -m lowres_jax.main --config=configs/initial.py:smoke  # seconds, on the embedded faces

The model `initial` that comes with the program: from the published SRResNet, stopped at step 209, 24 minutes on two CPU
cores, at step 200 PSNR 30.60 on people held out (bicubic 28.18); LFW, folds 1 and 2, 32 px, SFace, DIR at FAR 1 %:
94.5, bicubic 95.1 (-.6 [-1.8, .5]: not told apart).

    python -m lowres_jax.main --config=configs/initial.py --workdir=workdirs/initial \
        --config.start=srresnet --config.epochs=0 --config.steps=400 --config.evaluate_steps=200

Checkpoints, figures, processes: docs/train.md.
"""

from ml_collections import ConfigDict

from lowres_jax.super_resolution.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = train_config.default_config()
    config.sharpness, config.crops = 180.0, 5_000  # their threshold is not known; CASIA-mini's median is 270
    config.losses.pixel.update({"kind": "mse", "scale": 2.0})  # images in [-1, 1]
    config.losses.adversarial.update({"weight": 1e-4, "kind": "vanilla"})
    config.optimizer.learning_rate = config.discriminator_optimizer.learning_rate = 1e-4
    config.epochs = 100.0
    return train_config.variant(config, variant)
