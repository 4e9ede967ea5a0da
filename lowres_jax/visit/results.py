"""What a visit has found so far: one file, whole at every moment, to which every part adds its own."""

import json
from pathlib import Path
from typing import Any

from lowres_jax.errors import UserError
from lowres_jax.utils.files import write_atomically

FILE = "visit.json"
LOG = "log.txt"
MODELS = "models"


def read(folder: Path) -> dict[str, Any]:
    """The results in a folder; empty where there are none yet.

    Raises:
      UserError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error})") from error


def add(folder: Path, **found: Any) -> None:
    """Adds results to the folder's file, which is replaced as a whole; parts of a visit run one after the other.

    Raises:
      UserError: the file cannot be written.
    """
    with write_atomically(folder / FILE) as file:
        file.write(json.dumps(read(folder) | found, indent=1).encode())
