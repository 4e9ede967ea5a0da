"""Teach SFace to read small faces, for searches only: what is enrolled stays as plain SFace has it.

    python -m lowres_jax.main --config=configs/sface_small.py --workdir=workdirs/sface_small
    python -m lowres_jax.main --config=configs/sface_small.py:smoke  # seconds, on the embedded faces

A change of low rank (recognition/sface_small.py) learns, from faces of 7 to 20 px that the models of a search enlarge,
the template of their originals or of the person's other pictures, and to tell it from the nearest strangers.

The model that ships: 900 steps with native=8,40 and a learning rate of 1e-3, half of their change, then 800 steps as
here (two cores, 55 and 37 minutes, 9 to 12 faces/s). Verification at FAR .1 %, 500 pairs of View 1 of LFW, half of them
degraded, SFace and then this: 8 px 5.8 and 12.4 %, 16 px 49.2 and 53.0, 24 px 70.4 and 76.0, 32 px 88.4 and 89.0.
docs/notebook/recognizer_of_small_faces.md has all that was tried. To go on from it:

    python -m lowres_jax.main --config=configs/sface_small.py --config.start=sface_small --workdir=workdirs/sface_more
"""

from ml_collections import ConfigDict

from lowres_jax.data import degradations
from lowres_jax.recognition.training import train_config


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the training, or of its variant "smoke"."""
    config = train_config.default_config()
    config.model = ConfigDict({"module": "recognition.sface_small", "fields": {"rank": 8}}, convert_dict=True)
    config.start = "sface"
    config.held_out = 0.05
    config.view1_pairs = 500
    config.losses.classification.weight = 0.0
    config.losses.enrolled.weight, config.losses.strangers.weight = 1.0, 0.3
    config.degradation = degradations.footage()
    # Sizes at which nothing else helps; a rate of 1e-3 loses on LFW what it gains on the set that is learned from.
    config.small_faces.native, config.small_faces.sides = (7, 20), (8, 16, 24)
    config.optimizer.update(
        {"name": "adamw", "learning_rate": 2e-4, "weight_decay": 0.05, "schedule": "cosine", "warmup_steps": 50}
    )
    config.optimizer.clip_norm = 5.0
    config.ema = 0.998
    config.batch_size, config.steps = 32, 1600
    config.evaluate_steps = 200
    return train_config.variant(config, variant)
