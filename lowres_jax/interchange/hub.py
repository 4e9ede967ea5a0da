"""Models as folders that model hubs know: weights as safetensors, config.json, and README.md with a card.

A folder, or its address, becomes a model with a name again by the task import_model. The SHA-256 of config.json pins
all of it, as config.json holds that of the weights.
"""

import hashlib
import json
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lowres_jax import __version__
from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards, safetensors_weights
from lowres_jax.super_resolution import interpolation
from lowres_jax.utils.files import write_atomically

CONFIG, WEIGHTS, README = "config.json", "model.safetensors", "README.md"
_READER = "safetensors_weights.variables"
_FORMAT = "lowres_jax model 1"
# Rooms whose modules are models; a config names no other code.
_MODULE = re.compile(r"(super_resolution|recognition)\.[a-z0-9_]+")
_FIELDS = {"summary", "module", "license", "source", "model", "input_size", "training", "centering"}
_TYPES: dict[str, type] = {
    **dict.fromkeys(("name", "summary", "module", "license", "source"), str),
    **dict.fromkeys(("model", "training", "centering", "weights"), dict),
    "input_size": int,
}
# Much more than any model here has.
_MOST_BYTES = {CONFIG: 1 << 22, WEIGHTS: 1 << 30}
_SECONDS = 60
_LICENSES = {"Apache-2.0": "apache-2.0", "MIT": "mit", "CC0": "cc0-1.0"}


def write(folder: Path, card: cards.Card) -> str:
    """Writes a model's folder.

    Args:
      folder: is made.
      card: card of a network whose weights are a tree of arrays.

    Returns:
      SHA-256 of its config.json.

    Raises:
      UserError: the model is no network of ours, its weights are missing, or the folder cannot be written.
    """
    if isinstance(cards.build_module(card), interpolation.Model) or card.module == "recognition.dlib_resnet":
        raise UserError(f"config.models: {card.name}: is no network of this program; nothing is to be taken away")
    if card.weights["reader"] == _READER:
        with write_atomically(folder / WEIGHTS) as file, cards.weight_path(card).open("rb") as source:
            shutil.copyfileobj(source, file)
    else:
        safetensors_weights.write(folder / WEIGHTS, cards.read_variables(card))
    content = {
        "format": _FORMAT,
        "library_name": "lowres_jax",
        "library_version": __version__,
        "name": card.name,
        **{name: value for name in sorted(_FIELDS) if (value := getattr(card, name))},
        "weights": {"file": WEIGHTS, "sha256": _sha256((folder / WEIGHTS).read_bytes())},
    }
    text = json.dumps(content, indent=1, sort_keys=False).encode() + b"\n"
    with write_atomically(folder / CONFIG) as file:
        file.write(text)
    digest = _sha256(text)
    with write_atomically(folder / README) as file:
        file.write(readme(card, digest).encode())
    return digest


def readme(card: cards.Card, digest: str) -> str:
    """The hub's page of a model, in Markdown.

    Args:
      card: the model's.
      digest: SHA-256 of its config.json.
    """
    short = next((tag for known, tag in _LICENSES.items() if card.license.startswith(known)), "other")
    enlarges = card.module.startswith("super_resolution.")
    lines = [
        "---",
        f"license: {short}",
        # A hub wants an identifier; the words are below.
        *([f"license_name: {_identifier(card.license)}", "license_link: README.md"] if short == "other" else []),
        "library_name: lowres_jax",
        f"pipeline_tag: {'image-to-image' if enlarges else 'image-feature-extraction'}",
        "tags: [jax, flax, face-recognition, " + ("super-resolution]" if enlarges else "face-embedding]"),
        "---",
        f"# {card.name}",
        "",
        f"{card.summary}.",
        "",
        f"License: {card.license}. Source: {card.source}.",
        "",
    ]
    if enlarges:
        lines += [
            "**An enlarged face is a guess.** A match made with one is a hint to look further, never evidence.",
            "",
        ]
    # Names that come with the program are taken.
    name_here = f"{card.name}_hub" if cards.is_shipped(card.name) else card.name
    facts = {name: value for name, value in card.training.items() if not isinstance(value, Mapping)}
    figures = card.training.get("figures", {})
    if facts:
        lines += ["| Trained | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items()), ""]
    if figures:
        lines += [
            f"Figures of people held out, by {card.training.get('judges', 'its judge')}:",
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value:g} |" for name, value in figures.items()),
            "",
        ]
    lines += [
        "```sh",
        "pip install lowres-jax",
        "# in this folder; elsewhere with its address as config.source",
        f"lowres-jax --config=import_model --config.source=. --config.sha256={digest} --config.name={name_here}",
        f"lowres-jax --config=enhance --config.upscaler={name_here} --config.input=PHOTOGRAPHS --config.output=OUTPUT"
        if enlarges
        else f"lowres-jax --config=compare --config.recognizers=sface,{name_here}",
        "```",
        "",
    ]
    return "\n".join(lines)


def read(source: str, digest: str | None) -> tuple[dict[str, Any], bytes]:
    """A model's folder, here or at an address.

    Args:
      source: a folder, or the address (https:// or http://) under which the files lie.
      digest: SHA-256 of its config.json; None where it is not known, for folders only.

    Returns:
      The content of config.json, checked, and the weights.

    Raises:
      UserError: the folder cannot be read, is no model's, or does not match the digest.
    """
    remote = source.startswith(("https://", "http://"))
    if remote and not digest:
        raise UserError(f"config.source={source}: needs --config.sha256=, that of its {CONFIG}, which its page names")
    load: Callable[[str], bytes] = (
        (lambda name: _fetched(source, name)) if remote else (lambda name: _own(source, name))
    )
    text = load(CONFIG)
    if digest and _sha256(text) != digest.lower():
        raise UserError(f"{source}: {CONFIG} has the SHA-256 {_sha256(text)}, not {digest}: it is another model's")
    try:
        content = json.loads(text)
        known = content["format"] == _FORMAT and _MODULE.fullmatch(content["module"])
        weights = str(content["weights"]["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{source}: {CONFIG} is none of a lowres_jax model ({type(error).__name__})") from error
    for name, kind in _TYPES.items():
        if name in content and type(content[name]) is not kind:
            raise UserError(f"{source}: {CONFIG}: {name} is {type(content[name]).__name__}, not {kind.__name__}")
    if not known:
        raise UserError(f"{source}: {CONFIG} is none of a lowres_jax model, or of a later version's")
    found = load(WEIGHTS)
    if _sha256(found) != weights:
        raise UserError(f"{source}: {WEIGHTS} is damaged, or another model's: its SHA-256 is not the one of {CONFIG}")
    return content, found


def _own(source: str, name: str) -> bytes:
    path = Path(source) / name
    try:
        if path.stat().st_size > _MOST_BYTES[name]:
            raise UserError(f"{path}: is larger than any model's")
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror or error}); config.source is a folder with it"
        ) from error


def _fetched(source: str, name: str) -> bytes:
    address = f"{source.rstrip('/')}/{name}"
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as answer:
            content = answer.read(_MOST_BYTES[name] + 1)
    except (OSError, ValueError) as error:  # urllib's own are OSErrors
        said = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UserError(f"{address}: cannot be fetched ({said})") from error
    if len(content) > _MOST_BYTES[name]:
        raise UserError(f"{address}: is larger than any model's")
    return content


def _identifier(license: str) -> str:
    """The first words of a license as an identifier: letters, digits and hyphens."""
    first = re.split(r"[(:;,.]", license)[0]
    return re.sub(r"[^a-z0-9]+", "-", first.lower()).strip("-")[:60] or "other"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
