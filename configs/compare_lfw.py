"""Compare upscalers on LFW, all 13,233 images and the ten folds of View 2, with SFace: all that are quick enough.

Needs the prepared set:

    python -m lowres_jax.main --config=configs/prepare_lfw.py
    python -m lowres_jax.main --config=configs/compare_lfw.py --workdir=workdirs/lfw

With the tests that others wrote, without LFW's known label errors beside it, and centered, by dlib too (hours on two
cores; what is measured is kept, and the same command resumes):

    python -m lowres_jax.main --config=configs/compare_lfw.py --workdir=workdirs/lfw_whole \
        --config.recognizers=sface,dlib --config.protocols=lfw,all_against_all,searcher,blufr,open_set \
        --config.protocol_files=LFW --config.label_errors=LFW/label_errors.json --config.centering.share=1

The comparison of docs/results.md: folds 1 and 2, every method on the same images, by SFace and dlib; and at 8 px, by
SFace. What other runs measured is read from its files, so that this costs only what is new:

    python -m lowres_jax.main --config=configs/compare_lfw.py:results --workdir=workdirs/lfw_results \
        --config.label_errors=LFW/label_errors.json
    python -m lowres_jax.main --config=configs/compare_lfw.py:results --workdir=workdirs/lfw_results_8 \
        --config.lr_sizes=8, --config.recognizers=sface \
        --config.upscalers=bicubic,srresnet,srgan,identity_x8,identity_x8_smoothed
"""

from ml_collections import ConfigDict

from lowres_jax.runtime import configuration
from lowres_jax.settings import compare


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the comparison, or of its variants "results", "footage" (see compare.py)."""
    config = compare.config()
    config.dataset = "lfw/mtcnn"
    config.images_per_person = 0
    config.upscalers = (
        *("bilinear", "bicubic", "srresnet@32+16", "srgan@32+16", "initial@32", "canny_rgb@32"),
        *("identity@32", "identity_x8@16+8", "identity_x8_smoothed@16+8"),
    )
    config.lr_sizes = (32, 16, 8)
    config.measurements = "workdirs/lfw_measurements"  # shared by comparisons of the whole set and of its folds
    return configuration.variant(config, variant, results=_results, footage=compare.footage)


def _results(config: ConfigDict) -> ConfigDict:
    config.folds, config.recognizers, config.lr_sizes = (1, 2), ("sface", "dlib"), (32, 16)
    config.protocols = ("lfw", "lfw_searcher", "all_against_all", "searcher")
    config.upscalers = (
        *("bicubic", "bilinear@32", "srresnet", "srgan", "edsr@16", "esrgan@16", "initial@32", "canny_rgb@32"),
        *("identity", "identity_x8@16", "identity_x8_smoothed@16"),
    )
    return config
