"""Distil a recognizer from SFace: its templates of good pictures, by cosine, also where only a small one is shown.

    python -m lowres_jax.main --config=configs/recognizer_distilled.py --workdir=workdirs/recognizer_distilled
    python -m lowres_jax.main --config=configs/recognizer_distilled.py:smoke  # seconds, on the embedded faces

With --config.epochs=12 (ResNet-18, 66 minutes on two CPU cores, 9,856 crops of 584 people): 81.3 % on LFW's pairs, less
than the 88 of Orsini and Rossi 2022: see docs/notebook/recognizers.md.

A student of SFace is no independent judge of models that were trained against SFace.
"""

from ml_collections import ConfigDict

from lowres_jax.recognition.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = train_config.distillation()
    config.model.fields.update({"depth": 18, "embedding": 128, "dropout": 0.0})
    config.low_resolution.share = 0.5
    config.brightness = 0.2
    config.optimizer.learning_rate = 1e-3
    config.epochs = 20.0
    config.ema = 0.999
    return train_config.variant(config, variant)
