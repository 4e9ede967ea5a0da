"""Pack what ten minutes on a lent accelerator need: crops, View 1 of LFW, weights, wheels, values to compare with.

    python -m lowres_jax.main --config=configs/pack_visit.py
    python -m lowres_jax.main --config=configs/pack_visit.py:smoke  # seconds, of the embedded faces, without wheels

Then launch/visit.sh MINUTES OUT on the machine. docs/accelerators.md.
"""

from ml_collections import ConfigDict


def get_config(variant: str = "") -> ConfigDict:
    """Returns the config of the pack, or of its variant "smoke"."""
    config = ConfigDict()
    config.task = "pack_visit"
    config.output = "workdirs/pack"
    config.data_dir = ""  # folder of prepared sets; empty: the cache folder
    config.dataset = "casia_webface/mtcnn_jpeg"
    config.view1 = "lfw/mtcnn"  # empty: none
    config.view1_pairs = 100  # of each of View 1's two lists
    config.mebibytes = 40.0  # of all of it; crops are taken until it is full, everybody's first ones first
    config.quality = 75  # of JPEG: 37 dB from the crop, and a third more of them than with 85
    config.seed = 0
    config.python = "3.12"  # of the machine, for which wheels are fetched; empty: none are
    # What the machine has beside jax, flax, optax, orbax-checkpoint, opencv and numpy, so that less has to travel: here
    # what images for machine learning usually have. For a bare one: --config.machine= --config.mebibytes=64.
    config.machine = (
        "attrs",
        "cloudpickle",
        "joblib",
        "onnx",
        "packaging",
        "pillow",
        "safetensors",
        "six",
        "tqdm",
        "wrapt",
    )
    config.trainings = ("canny", "identity", "recognizer")  # a step of each is compared
    config.small = False  # thin networks
    if variant == "smoke":
        config.dataset, config.view1, config.python, config.small = "orl_faces/mtcnn", "", "", True
    elif variant:
        raise ValueError(f"variant {variant!r}: there is 'smoke'")
    return config
