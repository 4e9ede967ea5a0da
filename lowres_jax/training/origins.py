"""Origin of a training's result beside its data: the judges while it learned, and the initial weights."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards
from lowres_jax.training.checkpoints import RUN


def is_workdir(start: str) -> bool:
    """True if a config's `start` is another training's folder, and not a name: with a slash, or where no card has it.

    Raises:
      UserError: the text is both a card's name and a folder.
    """
    if "/" in start:
        return True
    named = any(start in cards.names(room) for room in ("super_resolution", "recognition"))
    if Path(start).is_dir() and named:
        raise UserError(
            f"config.start={start}: is the name of a model and of a folder here; for the folder write ./{start}, "
            "for the model run from elsewhere"
        )
    return Path(start).is_dir()


def origin(recognizers: Iterable[str], start: str | None, files: Iterable[str] = ()) -> dict[str, Any]:
    """The origin that a workdir belongs to beside its config, and that an exported card states.

    Args:
      recognizers: names of those through which the losses look.
      start: start of the config.
      files: weight files that the config names.

    Returns:
      judges: names of all recognizers that judged what is learned, in this training, in what it starts from, or as
      their teachers did; networks: name or path -> SHA-256 of the weights of those that judge now.
    """
    names = list(dict.fromkeys(recognizers))
    judges = list(names)
    for name in names:
        judges += judges_of(cards.load_card(name, "recognition").training)
    if start and is_workdir(start):
        path = Path(start) / RUN
        judges += json.loads(path.read_text()).get("judges", []) if path.is_file() else []
    elif start:
        for room in ("super_resolution", "recognition"):
            if start in cards.names(room):
                judges += judges_of(cards.load_card(start, room).training)
    weights = {name: cards.load_card(name, "recognition").weights.get("sha256", "") for name in names}
    for file in filter(None, files):
        with Path(file).open("rb") as content:
            weights[file] = hashlib.file_digest(content, "sha256").hexdigest()
    return {"judges": list(dict.fromkeys(judges)), "networks": weights}


def judges_of(training: dict[str, Any]) -> list[str]:
    """The judges that a card's [training] names."""
    return [name.strip() for name in training.get("judges", "").split(",") if name.strip()]
