"""Compare upscalers on LFW, all 13,233 images and the ten folds of View 2, with SFace: all that are quick enough.

Needs the prepared set:

    python -m lowres_jax.main --config=configs/prepare_lfw.py
    python -m lowres_jax.main --config=configs/compare_lfw.py --workdir=workdirs/lfw

With the tests that others wrote, without LFW's known label errors beside it, and centered, by dlib too (hours on two
cores; what is measured is kept, and the same command resumes):

    python -m lowres_jax.main --config=configs/compare_lfw.py --workdir=workdirs/lfw_whole \
        --config.recognizers=sface,dlib --config.protocols=lfw,all_against_all,searcher,blufr,open_set \
        --config.protocol_files=LFW --config.label_errors=LFW/label_errors.json --config.centering.share=1

The slow upscalers are compared on whole folds, with every method on the same images. What the first run measured is
read from its files, so that this costs only what is new (EDSR: about a second for an image on two CPU cores):

    python -m lowres_jax.main --config=configs/compare_lfw.py --workdir=workdirs/lfw_slow --config.folds=1,2 \
        --config.upscalers=bilinear,bicubic,srresnet@32+16,srgan@32+16,esrgan@32,edsr@32 --config.lr_sizes=32,16
"""

from ml_collections import ConfigDict

from lowres_jax.settings import compare


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the comparison, or of its variant "footage" (see compare.py)."""
    config = compare.config(variant)
    config.dataset = "lfw/mtcnn"
    config.images_per_person = 0
    config.upscalers = (
        *("bilinear", "bicubic", "srresnet@32+16", "srgan@32+16", "initial@32", "canny_rgb@32"),
        *("identity@32", "identity_x8@16+8", "identity_x8_direct@16+8"),
    )
    config.lr_sizes = (32, 16, 8)
    config.measurements = "workdirs/lfw_measurements"  # shared by comparisons of the whole set and of its folds
    return config
