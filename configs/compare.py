"""Compare upscalers on the embedded ORL faces: which enlargement helps recognition, by how much, how sure are we.

Needs the prepared set (`make demo` does both):

    python -m lowres_jax.main --config=configs/prepare_orl_faces.py
    python -m lowres_jax.main --config=configs/compare.py --workdir=workdirs/compare

Faces that were bad from the start, blurred, noisy and compressed as real footage, are another comparison:

    python -m lowres_jax.main --config=configs/compare.py:footage --workdir=workdirs/compare_footage

Writes results.json, report.html and the table on the terminal. A stopped run goes on where it was.
"""

from ml_collections import ConfigDict

from lowres_jax.settings import compare


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the comparison, or of its variant "footage": what cheap cameras do to small faces."""
    config = compare.config(variant)
    config.dataset = "orl_faces/mtcnn"
    config.upscalers = ("bilinear", "bicubic", "srresnet", "srgan", "esrgan", "identity")
    config.lr_sizes = (32, 16)
    config.recognizers = ("sface",)
    config.protocols = ("lfw", "all_against_all", "searcher")
    return config
