"""Visit an accelerator for some minutes: is it right, is it fast, then train; launch/visit.sh starts it.

    launch/visit.sh 10 OUT                       # with the pack of configs/pack_visit.py in workdirs/pack
    PACK=workdirs/pack_smoke launch/visit.sh 6 OUT   # the rehearsal, on a processor, of configs/pack_visit.py:smoke

What is in OUT afterwards is taken in by configs/visit_results.py. docs/accelerators.md.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the visit."""
    config = ConfigDict()
    config.task = "visit"
    config.minutes = 10.0
    config.began = 0.0  # seconds since 1970 from which the minutes count; 0: from the start of this program
    config.output = ""  # folder for the results
    config.pack = "workdirs/pack"
    config.platform = ""  # "gpu" or "tpu" to insist on one, in every part
    config.check_share = 0.2  # of the minutes, at most
    config.benchmark_share = 0.25
    config.least_training_seconds = 90.0  # starting and compiling included
    # In order of worth: so many as can have the least time share what the parts before left, by weight.
    config.queue = ("identity_x8", "identity", "identity_x16", "initial")
    # Batches are those of a large accelerator, the rates raised by less than the root of the batch; `changes` are keys
    # of the training's config.
    config.trainings = ConfigDict()
    config.trainings.identity_x8 = _training("configs/identity_x8.py", 1.0, 128, 4e-4, "identity_x8")
    config.trainings.identity = _training("configs/identity.py", 1.0, 128, 4e-4, "identity")
    config.trainings.identity_x16 = _training("configs/identity_x16.py", 1.0, 128, 4e-4, "identity_x8")
    config.trainings.initial = _training("configs/initial.py", 1.0, 64, 2e-4, "initial")
    return config


def _training(file: str, weight: float, batch_size: int, learning_rate: float, start: str) -> ConfigDict:
    changes = {"start": start, "compute_dtype": "bfloat16", "threads": 8}
    changes["optimizer"] = {"learning_rate": learning_rate, "warmup_steps": 100, "schedule": "cosine"}
    return ConfigDict({"config": file, "weight": weight, "batch_size": batch_size, "changes": changes})
