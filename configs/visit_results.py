"""Take home what a visit to an accelerator brought: better models into the package, figures and a plot into docs/.

    python -m lowres_jax.main --config=configs/visit_results.py --config.visit=OUT

A model is better where an outside judge says so on LFW's View 1, which is for choosing. Needs LFW prepared, and
python -m lowres_jax.pretrained.fetch dlib && pip install 'lowres-jax[judges]'. docs/accelerators.md.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the config of taking home."""
    config = ConfigDict()
    config.task = "visit_results"
    config.visit = ""  # folder that the visit wrote
    config.judge = "dlib"  # recogniser that is in no model's loss; empty: figures only
    config.data_dir = ""  # folder of prepared sets; empty: the cache folder
    config.view1 = "lfw/mtcnn"
    config.pairs = 300  # of each of View 1's two lists
    config.cards = ""  # folder that gets better models; empty: that of the cards that come with the program
    config.docs = "docs/visits"  # folder that gets the page and the plot
    return config
