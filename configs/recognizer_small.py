"""Teach SFace to recognize small and bad pictures: of these it learns the template that it gives of the good one.

    python -m lowres_jax.main --config=configs/recognizer_small.py --workdir=workdirs/recognizer_small
    python -m lowres_jax.main --config=configs/recognizer_small.py:smoke  # seconds, on the embedded faces

The other way to the same end as enlarging: the face stays as it is, the recognizer learns to read it. Three quarters of
the faces shown are reduced to 8 to 48 px and enlarged again, half of these blurred, noisy and compressed before.

With --config.batch_size=16 --config.epochs=0 --config.steps=1000 (36 minutes on two CPU cores): LFW, folds 1 and 2, DIR
at FAR 1 % at 16 px 62.0 (SFace 57.2, behind identity_x8 74.1), at 8 px 12.5 (7.9), with many more false accepts, and
worse than SFace at 32 px and where all pictures are footage: it does not ship. More: docs/notebook/recognizers.md.

A student of SFace is no independent judge of models that were trained against SFace.
"""

from ml_collections import ConfigDict

from lowres_jax.data import degradations
from lowres_jax.recognition.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = train_config.distillation()
    config.model = ConfigDict({"module": "recognition.sface", "fields": {}}, convert_dict=True)
    config.start = "sface"
    config.low_resolution.update({"share": 0.75, "sizes": (8, 10, 12, 14, 16, 20, 24, 32, 48), "degraded": 0.5})
    config.degradation = degradations.footage()
    config.optimizer.learning_rate = 2e-4
    config.epochs = 6.0
    config.ema = 0.998
    config.view1_lr_size = 16
    return train_config.variant(config, variant)
