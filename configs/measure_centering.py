"""What templates of small faces have in common, and how much of it to take away, for the cards of models.

    python -m lowres_jax.main --config=configs/measure_centering.py
    python -m lowres_jax.main --config=configs/measure_centering.py --config.upscalers=mine@16, --config.write=true

Needs the set of the trainings (configs/prepare_casia_webface.py), and LFW for its strangers (configs/prepare_lfw.py).
Originals are enrolled, small faces searched for, among the people held out and among them and all the strangers; a
share is chosen where it harms in neither, over all sizes and models together; of several, the one that helps most.
Templates are kept. With write=true the cards have it, and identify uses it from then on. What was measured:
docs/recognition.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import centering


def get_config() -> ConfigDict:
    """Returns the config of the measurement."""
    return config_keys.new(centering.KEYS, "measure_centering")
