"""Gives a model that somebody else exported for a hub a name here."""

import tempfile
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.errors import UserError
from lowres_jax.interchange import hub
from lowres_jax.pretrained import cards
from lowres_jax.settings.interchange import IMPORT_KEYS as KEYS
from lowres_jax.utils.files import write_atomically

_FIELDS = ("summary", "module", "input_size", "license", "source", "model", "weights", "training", "centering")
# Side of the example for networks that take any.
_EXAMPLE = 32


def run(config: ConfigDict, workdir: Path) -> None:
    """Writes the model's card and weights to where names are looked up; `workdir` is not used.

    Raises:
      UserError: the folder cannot be read or fetched, is no model's, or the name is taken.
    """
    config_keys.check(config, KEYS)
    content, weights = hub.read(config.source, config.sha256)
    name, folder = config.name or str(content.get("name")), cards.own_folder()
    cards.check_new_name(name)
    if (folder / f"{name}.toml").exists() and not config.overwrite:
        raise UserError(f"{folder / name}.toml: exists; give another --config.name, or --config.overwrite=true")
    content["weights"] = {
        "reader": "safetensors_weights.variables",
        "file": f"{name}.safetensors",
        "sha256": content["weights"]["sha256"],
    }
    card = cards.written({field: content[field] for field in _FIELDS if field in content})
    with tempfile.TemporaryDirectory() as trial:
        # Loaded before it has its name: what is said to work does.
        (Path(trial) / f"{name}.safetensors").write_bytes(weights)
        (Path(trial) / f"{name}.toml").write_text(card)
        read = _tried(Path(trial) / f"{name}.toml", config.source)
    for path, what in ((folder / f"{name}.safetensors", weights), (folder / f"{name}.toml", card.encode())):
        with write_atomically(path) as file:
            file.write(what)
    print(f"{name}: {read.summary}. License: {read.license}")
    use = (
        f"--config.upscaler={name} in enhance and identify, --config.upscalers=bicubic,{name} in compare"
        if read.module.startswith("super_resolution.")
        else f"--config.recognizers=sface,{name} in compare"
    )
    print(f"{folder / name}.toml. Its name works now: {use}")


def _tried(path: Path, source: str) -> cards.Card:
    try:
        card = cards.read_card(path)
        module: Any = cards.build_module(card)
    except (TypeError, ImportError, AttributeError, UserError) as error:
        raise UserError(f"{source}: {hub.CONFIG} describes no model of this version ({error})") from error
    size = card.input_size or _EXAMPLE
    cards.load_variables(card, module, (1, size, size, 3))
    return card
