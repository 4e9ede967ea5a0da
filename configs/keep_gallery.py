"""Keep a gallery of known people in files, for large ones and many searches: enroll into it, remove from it.

    python -m lowres_jax.main --config=configs/keep_gallery.py --config.gallery=people.gallery --config.source=DIR
    python -m lowres_jax.main --config=configs/identify.py --config.gallery=people.gallery --config.probe=PHOTOGRAPHS

Templates only, no pictures; who is enrolled again takes the place of the earlier one. See docs/identify.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import kept_gallery


def get_config() -> ConfigDict:
    """Returns the config of the gallery."""
    config = config_keys.new(kept_gallery.KEYS, "keep_gallery")
    config.gallery = None  # to be given
    config.source = config.remove = None  # one of them
    config.upscaler = ("identity", "identity_x8")
    config.recognizer = "sface_small"
    return config
