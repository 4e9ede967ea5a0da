"""Compare upscalers on the embedded ORL faces: which enlargement helps recognition, by how much, how sure are we.

Needs the prepared set (`make demo` does both):

    python -m lowres_jax.main --config=configs/prepare_orl_faces.py
    python -m lowres_jax.main --config=configs/compare.py --workdir=workdirs/compare

Faces that were bad from the start, blurred, noisy and compressed as real footage, are another comparison:

    python -m lowres_jax.main --config=configs/compare.py:footage --workdir=workdirs/compare_footage

Writes results.json, report.html and the table on the terminal. A stopped run goes on where it was.
"""

from ml_collections import ConfigDict

from lowres_jax import configuration
from lowres_jax.data import degradations
from lowres_jax.recognition import onnx_model


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the comparison, or of its variant "footage"."""
    if variant not in ("", "footage"):
        raise ValueError(f"variant {variant!r}: {configuration.nearest(variant, ['footage'])}")
    config = ConfigDict()
    config.task = "compare"
    config.platform = ""  # "cpu", "gpu" or "tpu" to insist on one

    config.data_dir = ""  # folder of prepared sets; empty: the cache folder
    config.dataset = "orl_faces/mtcnn"  # builder/variant below data_dir

    # Images of each person, to keep the demo short (ESRGAN does about three a second on two CPU cores); 0: all.
    config.images_per_person = 3

    # Names of model cards; "edsr@32" or "edsr@32+16" is measured at these LR sizes only, a plain name at all.
    # The ceiling ("none": the 128 px crop) and the floor ("raw": the LR image) are always there.
    config.upscalers = ("bilinear", "bicubic", "srresnet", "srgan", "esrgan", "identity")
    config.lr_sizes = (32, 16)
    # What happens to a face before it is small, beside the reduction: blur in LR pixels, noise of 255, JPEG quality,
    # each drawn between two bounds. The variant "footage" has what cheap cameras do.
    config.degradation = degradations.default_config()
    config.recognizers = ("sface",)
    config.onnx = onnx_model.default_config()  # of the recogniser "onnx": config.onnx.path, input_size, colours, ...
    config.searcher = True  # all-against-all once more, with the originals enrolled and small faces searched for
    config.flip_sum = False  # templates as the sum of the embeddings of an image and its mirror

    # Which folds, counted from 1, for upscalers too slow for the whole set; empty: all. Every method is then measured
    # on the same subset: all images of the people in the pairs of these folds.
    config.folds = ()
    # Sets without pairs of their own get this many folds of pairs made from the identities.
    config.made_folds = 10
    config.made_pairs_per_fold = 120

    config.resamples = 2000  # of the paired bootstrap
    config.seed = 0
    config.batch_size = 32
    config.grid_people = 6  # rows of the picture grid
    config.examples = 6  # pairs shown that super-resolution turned right, and wrong
    config.title = ""  # of the report; empty: the question
    # Where measurements are kept, image by image; comparisons with the same folder share them. Empty: in the workdir.
    config.measurements = ""
    config.detectors = ""  # workdir of compare_detectors, for its gallery; empty: the workdir's folder "detectors"
    if variant:
        config.degradation = degradations.footage()
    return config
