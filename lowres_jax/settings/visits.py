"""The keys of the tasks around a visit to an accelerator, see docs/accelerators.md."""

from lowres_jax.config_keys import DATA_DIR, PLATFORM, SEED, Free, Key
from lowres_jax.settings.exports import SUMMARY

_PACK = Key("workdirs/pack", "Folder that pack_visit made.", filled=True)

CHECK_KEYS = {
    "platform": PLATFORM,
    "cpu_devices": Key(1, "On a CPU: devices.", least=0, most=64),
    "pack": _PACK,
    "output": Key("workdirs/check_accelerator", "Folder that gets visit.json.", filled=True),
}

PACK_KEYS = {
    "output": Key("workdirs/pack", "Folder for the pack.", filled=True),
    "data_dir": DATA_DIR,
    "dataset": Key("casia_webface/mtcnn_jpeg", "Prepared set whose crops go along.", filled=True),
    "view1": Key("lfw/mtcnn", 'Prepared LFW, whose View 1 goes along; "": none.'),
    "view1_pairs": Key(100, "Pairs of each of View 1's two lists, half of them of one person.", least=2),
    "mebibytes": Key(
        40.0, "Of all of it: crops are taken until it is full, everybody's first ones first.", above=0, most=4096
    ),
    # 37 dB from the crop, and a third more of them than with 85.
    "quality": Key(75, "Of the crops as JPEG.", least=1, most=100),
    "seed": SEED,
    "python": Key("3.12", 'Python of the machine, for which wheels are fetched; "": none are.'),
    "machine": Key(
        ("attrs", "cloudpickle", "joblib", "onnx", "packaging", "pillow", "safetensors", "six", "tqdm", "wrapt"),
        "Packages that the machine has beside jax, flax, optax, orbax-checkpoint, opencv and numpy. For a bare one: "
        "--config.machine= --config.mebibytes=64.",
    ),
    "trainings": Key(("canny", "identity", "recognizer"), "Trainings of which a step is compared."),
    "small": Key(False, "Thin networks."),
}

VISIT_KEYS = {
    "minutes": Key(10.0, "How long the visit may take.", above=0, most=1440),
    "began": Key(0.0, "Seconds since 1970 from which these count; 0: from the start of this program.", least=0),
    "output": Key(None, "Folder for the results.", kind=str, needed="DIR"),
    "pack": _PACK,
    "platform": PLATFORM,
    "check_share": Key(0.2, "Share of the minutes that the check may take.", least=0, most=1),
    "benchmark_share": Key(0.25, "Share of the minutes that the benchmark may take.", least=0, most=1),
    "least_training_seconds": Key(90.0, "Least time worth a training, starting and compiling included.", least=0),
    "queue": Key(
        ("identity_x8", "identity", "identity_x16", "initial"),
        "Trainings in order of worth: as many as can have the least time share what is left, by weight.",
    ),
    "trainings": Free({}, "A training: its config, weight, batch size, and the keys of that config that are changed."),
}

TRAINING_KEYS = {
    "platform": PLATFORM,
    "training": Key(None, "Config of a generator's training, with its variant.", kind=str, needed="CONFIG"),
    "name": Key(None, "Of the model.", kind=str, needed="NAME"),
    "summary": SUMMARY,
    "licence": Key(
        "research only, as its training data (CelebA and CFP photographs, in CASIA-WebFace's layout)",
        "Of the model, said on its card.",
        filled=True,
    ),
    "output": Key(None, "Folder of the visit's results.", kind=str, needed="DIR"),
    "until": Key(0.0, "Seconds since 1970 at which it has to be over.", least=0),
    "batch_size": Key(8, "Of all devices together.", least=1),
    "changes": Free(
        {
            "dataset": "casia_webface/mtcnn_jpeg",
            "start": "",
            "compute_dtype": "float32",
            "threads": 2,
            "optimizer": {"learning_rate": 2e-4, "warmup_steps": 100, "schedule": "cosine"},
        },
        "Other keys of the training that are changed.",
    ),
}

RESULTS_KEYS = {
    "visit": Key(None, "Folder that the visit wrote.", kind=str, needed="DIR"),
    "judge": Key("dlib", 'Recognizer that is in no model\'s loss; "": figures only.'),
    "data_dir": DATA_DIR,
    "view1": Key("lfw/mtcnn", "Prepared LFW, whose View 1 decides.", filled=True),
    "pairs": Key(300, "Pairs of each of View 1's two lists.", least=2),
    "cards": Key(None, "Folder that gets better models; None: that of the cards that come with the program.", kind=str),
    "docs": Key("docs/visits", "Folder that gets the page and the plot.", filled=True),
}
