"""The keys of the task export_weights."""

from lowres_jax.config_keys import Key

LICENCE = Key(
    "research only, as its training data (CASIA-WebFace, ORL)", "Of the model, said on its card.", filled=True
)
SUMMARY = Key("", 'One line of the card; "": module and scale.')

KEYS = {
    "training": Key("", "Workdir of the training."),
    "name": Key("", "Of the model from now on: small letters, digits, underscores."),
    "summary": SUMMARY,
    "licence": LICENCE,
    "folder": Key("", 'For weights and card; "": where names are looked up (cards in the cache folder).'),
    "overwrite": Key(False, "Replace a model of this name."),
}
