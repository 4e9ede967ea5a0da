"""The keys of the task compare."""

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.config_keys import DATA_DIR, PLATFORM, SEED, Key
from lowres_jax.data import degradations
from lowres_jax.recognition import onnx_model
from lowres_jax.runtime import configuration

KEYS = {
    "platform": PLATFORM,
    "data_dir": DATA_DIR,
    "dataset": Key("orl_faces/mtcnn", "Prepared set, builder/variant, below data_dir.", filled=True),
    "input": Key(
        None,
        "Photographs of your own instead, a folder or archive with a subfolder a person: prepared into the workdir "
        "first; as many folds as there are people for.",
        kind=str,
    ),
    "images_per_person": Key(3, "Images of each person, the first ones; 0: all.", least=0),
    "upscalers": Key(
        ("bilinear", "bicubic", "srresnet", "srgan", "esrgan", "identity"),
        'Model cards; "edsr@32" or "edsr@32+16" is measured at these LR sizes only, a plain name at all. The ceiling '
        "(the 128 px crop) and the floor (the LR image itself) are always there.",
    ),
    "references": Key(
        (),
        "Upscalers of these that all others are compared with, paired, in addition to bicubic and bilinear; for "
        "example the last version of a model.",
        kind=str,
    ),
    "lr_sizes": Key((32, 16), "Sides, in pixels, of the small faces.", least=4, most=127, filled=True),
    "degradation": degradations.KEYS,
    "recognizers": Key(("sface",), "Model cards of the judges, or onnx.", filled=True),
    "onnx": onnx_model.KEYS,
    "protocols": Key(
        ("lfw", "all_against_all", "searcher"),
        "lfw: pairs in folds, both small; lfw_searcher: only the second picture of a pair small; all_against_all: "
        "open-set identification; searcher: that with originals enrolled. On LFW also the tests that others wrote: "
        "blufr (with originals enrolled too), open_set (O1 to O3).",
        choices=("lfw", "lfw_searcher", "all_against_all", "searcher", "blufr", "open_set"),
        filled=True,
    ),
    "protocol_files": Key(
        None, "Folder of blufr_lfw_config.mat and of open_set/, for these two; see docs/compare.md.", kind=str
    ),
    "label_errors": Key(
        None,
        "File of known label errors of LFW: everything is measured once more without them, in the folder "
        "without_label_errors.",
        kind=str,
    ),
    "centering": {
        "share": Key(
            0.0,
            "All-against-all and the searcher's case once more, each template less this share of the mean of its "
            "condition (size, degradation, upscaler, recognizer); 0: not.",
            least=0,
            most=1,
        ),
        "dataset": Key("casia_webface/mtcnn_jpeg", "Prepared set of other people, on which the means are measured."),
        "images": Key(1000, "Number of images of that set, evenly taken.", least=2),
    },
    "flip_sum": Key(False, "Templates are the sum of the embeddings of an image and its mirror."),
    "folds": Key(
        (),
        "Folds, counted from 1, to which all methods are confined: all images of the people in their pairs; none: all.",
        kind=int,
        least=1,
    ),
    "made_folds": Key(10, "Folds of pairs that are made for sets without pairs of their own.", least=2),
    "made_pairs_per_fold": Key(120, "Number of pairs in each of these folds.", least=2),
    "resamples": Key(2000, "Resamples of the paired bootstrap.", least=100),
    "seed": SEED,
    "batch_size": Key(32, "Number of images in a batch.", least=1),
    "grid_people": Key(6, "Number of rows of the picture grid.", least=0),
    "examples": Key(6, "Number of pairs shown that super-resolution corrected, and that it spoiled.", least=0),
    "title": Key(None, "Title of the report; None: the question.", kind=str),
    "measurements": Key(
        None, "Folder of measurements, image by image, which comparisons may share; None: in the workdir.", kind=str
    ),
    "detectors": Key(
        None, "Workdir of compare_detectors, for its gallery; None: the workdir's folder detectors.", kind=str
    ),
}


def config(variant: str = "") -> ConfigDict:
    """The config of a comparison, or of its variant "footage".

    Raises:
      ValueError: no such variant.
    """
    return configuration.variant(config_keys.new(KEYS, "compare"), variant, footage=footage)


def footage(config: ConfigDict) -> ConfigDict:
    """The variant in which small faces are as cheap cameras have them."""
    config.degradation = degradations.footage()
    return config
