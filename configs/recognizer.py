"""Train a recognizer as the field does: ArcFace, SGD, half of the faces made small first, verified on LFW's View 1.

    python -m lowres_jax.main --config=configs/recognizer.py --workdir=workdirs/recognizer
    python -m lowres_jax.main --config=configs/recognizer.py:smoke  # seconds, on the embedded faces

ResNet-50 from ImageNet (python -m lowres_jax.pretrained.fetch resnet50); a smaller one for few images or a CPU:
--config.model.fields.depth=18 --config.start="" --config.losses.classification.scale=30.

Seven epochs on CASIA-WebFace-mini (9,856 crops of 584 people, two CPU cores, 82 minutes), from recognizer_original's
two and with the settings that docs/notebook/recognizers.md names: LFW 89.95 % (.72; Orsini and Rossi 2022: 88), AUC
.964; at 32 px bilinear 88.35.
"""

from ml_collections import ConfigDict

from lowres_jax.recognition.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = train_config.default_config()
    config.start, config.frozen_steps = "imagenet", 500
    config.low_resolution.share = 0.5
    config.brightness = 0.2
    config.batch_size = 128
    config.epochs = 20.0
    config.losses.classification.update({"kind": "arcface", "scale": 64.0, "margin": 0.5})
    # Lower than from nothing, 0.1: what ImageNet has taught is to be kept.
    config.optimizer.update({"name": "sgd", "learning_rate": 0.02, "weight_decay": 5e-4, "clip_norm": 5.0})
    config.optimizer.update({"schedule": "cosine", "warmup_steps": 200})
    config.ema = 0.999
    return train_config.variant(config, variant)
