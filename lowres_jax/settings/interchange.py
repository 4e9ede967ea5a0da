"""The keys of the tasks export_model and import_model."""

from lowres_jax.config_keys import Key

EXPORT_KEYS = {
    "models": Key(
        ("identity",),
        'Cards of upscalers and recognizers; "identity+sface": small face to template; mtcnn_proposal, '
        "mtcnn_refinement, mtcnn_output: the detector's networks.",
        filled=True,
    ),
    "formats": Key(
        ("onnx",),
        "Format of the files; hub is a folder as model hubs have it.",
        choices=("onnx", "stablehlo", "hub"),
        filled=True,
    ),
    "precision": Key(
        "float16",
        "How ONNX files store weights; the computation is float32. The face models' own are float16.",
        choices=("float32", "float16", "int8"),
    ),
    "folder": Key(None, "Folder for the files; None: the workdir.", kind=str),
}

IMPORT_KEYS = {
    "source": Key(None, "Folder or address with config.json and model.safetensors.", kind=str, needed="FOLDER|URL"),
    "sha256": Key(None, "SHA-256 of config.json, as the model's page says; needed for an address.", kind=str),
    "name": Key(
        None, "Name of the model: small letters, digits, underscores; None: the name in config.json.", kind=str
    ),
    "overwrite": Key(False, "Replace a model of this name."),
}
