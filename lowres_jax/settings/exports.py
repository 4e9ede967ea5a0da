"""The keys of the task export_weights."""

from lowres_jax.config_keys import DATA_DIR, Key

KEYS = {
    "training": Key(None, "Workdir of the training.", kind=str, needed="WORKDIR"),
    "name": Key(None, "Name of the model: small letters, digits, underscores.", kind=str, needed="NAME"),
    "summary": Key(None, "One line of the card; None: module and scale.", kind=str),
    "license": Key(
        None,
        "License of the model, as its card says it: what that of its training data allows, as 'research only, as its "
        "training data (CASIA-WebFace)'.",
        kind=str,
        needed="TEXT",
    ),
    "folder": Key(
        None,
        "Folder for weights and card; None: the folder cards in the cache folder, where names are looked up.",
        kind=str,
    ),
    "centering": Key(
        True, "Measure what templates of a generator's faces have in common, for identify; needs the training's set."
    ),
    "data_dir": DATA_DIR,
    "overwrite": Key(False, "Replace a model of this name."),
}
