"""Take home what a visit to an accelerator brought: better models into the package, figures and a plot into docs/.

    python -m lowres_jax.main --config=configs/visit_results.py --config.visit=OUT

A model is better where an outside judge says so on LFW's View 1, which is for choosing. Needs LFW prepared, and
python -m lowres_jax.pretrained.fetch dlib && pip install 'lowres-jax[judges]'. docs/accelerators.md.
"""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.settings import visits


def get_config() -> ConfigDict:
    """Returns the config of the taking home."""
    return config_keys.new(visits.RESULTS_KEYS, "visit_results")
