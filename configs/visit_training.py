r"""Train a generator for so many seconds, as a part of a visit (configs/visit.py), or by itself.

python -m lowres_jax.main --config=configs/visit_training.py --workdir=workdirs/mine --config.name=mine \
        --config.training=configs/identity.py --config.output=OUT --config.until=1793000000
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the part."""
    config = ConfigDict()
    config.task = "visit_training"
    config.platform = ""
    config.training = ""  # config of a generator's training, with its variant
    config.name = ""  # of the model
    config.summary = ""  # one line of its card; empty: module and scale
    config.licence = "research only, as its training data (CelebA and CFP photographs, in CASIA-WebFace's layout)"
    config.output = ""  # folder of the visit's results
    config.until = 0.0  # seconds since 1970 at which it has to be over
    config.batch_size = 8
    # Other keys of the training that are changed.
    config.changes = ConfigDict(
        {
            "dataset": "casia_webface/mtcnn_jpeg",
            "start": "",
            "compute_dtype": "float32",
            "threads": 2,
            "optimizer": {"learning_rate": 2e-4, "warmup_steps": 100, "schedule": "cosine"},
        }
    )
    return config
