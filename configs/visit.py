"""Visit an accelerator for some minutes: is it right, is it fast, then train; launch/visit.sh starts it.

    launch/visit.sh 10 OUT                       # with the pack of configs/pack_visit.py in workdirs/pack
    PACK=workdirs/pack_smoke launch/visit.sh 6 OUT   # the rehearsal, on a processor, of configs/pack_visit.py:smoke

What is in OUT afterwards is taken in by configs/visit_results.py. docs/accelerators.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import visits


def get_config() -> ConfigDict:
    """Returns the config of the visit."""
    config = config_keys.new(visits.VISIT_KEYS, "visit")
    # Batches are those of a large accelerator, the rates raised by less than the root of the batch; `changes` are keys
    # of the training's config.
    config.trainings.identity_x8 = _training("configs/identity_x8.py", 1.0, 128, 4e-4, "identity_x8")
    config.trainings.identity = _training("configs/identity.py", 1.0, 128, 4e-4, "identity")
    config.trainings.identity_x16 = _training("configs/identity_x16.py", 1.0, 128, 4e-4, "identity_x8")
    config.trainings.initial = _training("configs/initial.py", 1.0, 64, 2e-4, "initial")
    return config


def _training(file: str, weight: float, batch_size: int, learning_rate: float, start: str) -> ConfigDict:
    changes = {"start": start, "compute_dtype": "bfloat16", "threads": 8}
    changes["optimizer"] = {"learning_rate": learning_rate, "warmup_steps": 100, "schedule": "cosine"}
    return ConfigDict({"config": file, "weight": weight, "batch_size": batch_size, "changes": changes})
