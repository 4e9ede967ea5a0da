"""Prepare the ORL faces, the set that comes with the dependencies: aligned crops in TFRecords.

    python -m lowres_jax.main --config=configs/prepare_orl_faces.py
    python -m lowres_jax.main --config=configs/prepare_orl_faces.py --config.detector=haar

Credit for the pictures: AT&T Laboratories Cambridge.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of the preparation."""
    config = ConfigDict()
    config.task = "prepare"
    config.platform = ""  # "cpu", "gpu" or "tpu" to insist on one

    config.builder = "orl_faces"  # module of lowres_jax/preparation/builders
    config.source = ""  # the photographs; empty: the package's own
    config.data_dir = ""  # folder of prepared sets; empty: the cache folder

    config.detector = "mtcnn"  # or "haar"
    config.rule = "highest_score"  # which of several faces: or "nearest_centre", "largest"
    config.crop_size = 128
    config.image_format = "png"  # or "jpeg" (quality 95, 4:4:4): a fifth of the size
    config.overwrite = False  # prepare again what is there
    return config
