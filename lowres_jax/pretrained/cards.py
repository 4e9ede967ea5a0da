"""Model cards: the file that stands behind a model's name.

`cards/NAME.toml` says which module makes the model (its class is `Model`), with which sizes, which reader turns which
weight file into its variables, and under which license. A name is a file: there is no other registry.
"""

import importlib
import json
import re
import tomllib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from lowres_jax.errors import UserError
from lowres_jax.pretrained import weights
from lowres_jax.runtime import configuration, environment

_FOLDER = Path(__file__).parent / "cards"
_MOST_LOADED = 16  # networks that stay, the first ones go
_loaded: dict[Hashable, Any] = {}
Loaded = TypeVar("Loaded")


def own_folder() -> Path:
    """Folder of the user's own cards, which `export_weights` writes."""
    return environment.cache_folder() / "cards"


@dataclass(frozen=True)
class Card:
    """A model card.

    Attributes:
      name: name of the file.
      summary: one line: what it is.
      module: module below `lowres_jax`, with a class `Model`; its first part is the room ("super_resolution").
      license: license of the weights.
      source: origin of the weights, with the paper.
      model: fields of the module's `Model`.
      weights: `reader` (function of a module of `lowres_jax.pretrained`), `file` and `sha256`, and either `package`
        (installed) or `fetch` (name for `lowres_jax.pretrained.fetch`), or neither; empty for models without weights.
      input_size: side of the square input in pixels where the model wants one size; 0 otherwise.
      largest_face: largest side in pixels at which a recognizer of small faces was better than the one that it belongs
        to; 0 for other models.
      measured: measured effect in a few words; "" for none.
      training: data, losses and figures of the training, for a model of our own.
      centering: judge -> size -> what its templates have in common, see `conditions`.
      folder: folder of the card; a weight file of neither a package nor a fetch lies beside it.
    """

    name: str
    summary: str
    module: str
    license: str
    source: str
    model: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    input_size: int = 0
    largest_face: int = 0
    measured: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    centering: dict[str, dict[str, Any]] = field(default_factory=dict)
    folder: Path = _FOLDER


def names(room: str) -> list[str]:
    """Names of all cards of a room, as "super_resolution"."""
    return [name for name in _paths() if _content(name).get("module", "").startswith(f"{room}.")]


def shipped_folder() -> Path:
    """Folder of the cards that come with the program."""
    return _FOLDER


def is_shipped(name: str) -> bool:
    """True if a card of that name comes with the program."""
    return (_FOLDER / f"{name}.toml").is_file()


def check_new_name(name: str) -> None:
    """Refuses what can be no model's name.

    Raises:
      UserError: the name has other letters, or is that of a shipped model.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"config.name={name!r}: use small letters, digits and underscores")
    if name in ("none", "raw", "onnx", "imagenet") or is_shipped(name):
        raise UserError(f"config.name={name}: is the name of a model that comes with the program")


def _paths() -> dict[str, Path]:
    """Name -> card; a card that comes with the program is never hidden by another."""
    found = {path.stem: path for folder in (own_folder(), _FOLDER) for path in sorted(folder.glob("*.toml"))}
    return dict(sorted(found.items()))


def _content(name: str) -> dict[str, Any]:
    return _parsed(_paths()[name])


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no model card ({error}); remove it, or export it again") from error


def load_card(name: str, room: str) -> Card:
    """Reads the card of a name.

    Raises:
      UserError: the room has no model of that name; the message names the nearest.
    """
    valid = names(room)
    if name not in valid:
        what = {"super_resolution": "upscaler", "recognition": "recognizer"}[room]
        raise UserError(f"{what} {name!r}: no such model; {configuration.nearest(name, valid)}")
    return read_card(_paths()[name])


def read_card(path: Path) -> Card:
    """Reads a card, wherever it lies.

    Raises:
      UserError: the file is no model card.
    """
    content = _parsed(path)
    if "licence" in content:
        raise UserError(f"{path}: the key licence is called license now; rename it in that file")
    try:
        return Card(name=path.stem, folder=path.parent, **content)
    except TypeError as error:
        raise UserError(f"{path}: no model card ({error}); remove it, or export it again") from error


def written(content: Mapping[str, Any], table: str = "") -> str:
    """A card's content, as a file has it, from dictionaries of texts, numbers and lists.

    Args:
      content: fields of a card, in the order in which they are to stand.
      table: name of the table that they are in.
    """
    values = {name: value for name, value in content.items() if not isinstance(value, Mapping)}
    lines = [f"[{table}]"] if table and values else []
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    parts = ["".join(f"{line}\n" for line in lines)] if lines else []
    for name, value in content.items():
        if isinstance(value, Mapping) and value:
            parts.append(written(value, f"{table}.{name}" if table else name))
    return "\n".join(parts)


def build_module(card: Card) -> Any:
    """The card's `Model` with the card's sizes."""
    return importlib.import_module(f"lowres_jax.{card.module}").Model(**card.model)


def weight_path(card: Card, path: str | None = None) -> Path:
    """The weight file: the user's path if given, else the card's own, with its checksum compared.

    Raises:
      UserError: the file is missing or damaged.
    """
    if path:
        if not Path(path).is_file():
            raise UserError(f"{path}: no such weight file")
        return Path(path)
    entry = card.weights
    if "fetch" in entry:
        found = weights.find_fetched_file(entry["fetch"], entry["file"])
    elif "package" not in entry:
        found = card.folder / entry["file"]
    else:
        found = weights.find_package_file(entry["package"], entry["file"])
    return weights.verified(found, entry["sha256"])


def read_variables(card: Card, path: str | None = None) -> Any:
    """A model's variables as its weight file has them.

    Args:
      card: the model's.
      path: a weight file of the same format to use instead of the card's own.

    Raises:
      UserError: the file is missing or damaged.
    """
    reader_module, reader = card.weights["reader"].split(".")
    return getattr(importlib.import_module(f"lowres_jax.pretrained.{reader_module}"), reader)(weight_path(card, path))


def load_variables(card: Card, module: nn.Module, example_shape: tuple[int, ...], path: str | None = None) -> Any:
    """Reads a model's variables and compares their shapes with the module's.

    Args:
      card: the model's.
      module: module of the variables.
      example_shape: shape of an input batch.
      path: a weight file of the same format to use instead of the card's own.

    Raises:
      UserError: the file is missing, damaged, or holds the weights of another network.
    """
    variables = read_variables(card, path)
    example = jax.ShapeDtypeStruct(example_shape, jnp.float32)
    expected = _flat_shapes(jax.eval_shape(module.init, jax.random.key(0), example))
    found = _flat_shapes(variables)
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    if wrong:
        raise UserError(
            f"{weight_path(card, path)}: weights of another network than {card.name}: {wrong[0]} has shape "
            f"{found.get(wrong[0], 'none')}, not {expected.get(wrong[0], 'none')} ({len(wrong)} such)"
        )
    return jax.device_put(variables)


def loaded_once(card: Card, path: str | None, settings: Hashable, load: Callable[[], Loaded]) -> Loaded:
    """The result of `load`, made once a process for a card, its weight file and some settings.

    A network that was loaded before has its programs compiled already.

    Args:
      card: the model's.
      path: a weight file instead of the card's own.
      settings: all else that the result depends on.
      load: makes it.

    Raises:
      UserError: the weight file is missing or damaged.
    """
    file = weight_path(card, path) if card.weights else None
    state = (str(file), file.stat().st_size, file.stat().st_mtime_ns) if file else ()
    key = repr(card), state, settings, load.__qualname__
    if key not in _loaded:
        if len(_loaded) >= _MOST_LOADED:
            del _loaded[next(iter(_loaded))]
        _loaded[key] = load()
    return _loaded[key]


def _flat_shapes(variables: Any) -> dict[str, tuple[int, ...]]:
    return {jax.tree_util.keystr(path): leaf.shape for path, leaf in jax.tree_util.tree_leaves_with_path(variables)}
