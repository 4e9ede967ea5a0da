"""The folder of a prepared set: reads what is there, and replaces it by a new one, whole or not at all."""

import contextlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lowres_jax.data import lfw_pairs
from lowres_jax.data.records import version_directory
from lowres_jax.errors import UserError
from lowres_jax.preparation import sources
from lowres_jax.runtime import signals

# What was asked for and what came out; beside the records.
SUMMARY = "preparation.json"


class PreparedOtherwiseError(UserError):
    """A set is there already, made of other photographs or with other settings."""


def is_there(place: Path, settings: Mapping[str, Any], companions: Sequence[Path]) -> bool:
    """True if the set is prepared already, which is printed.

    Args:
      place: folder of the set.
      settings: settings of the cropping, the source, and its content.
      companions: files that are to lie beside the records.

    Raises:
      UserError: the set does not say how it was prepared; `PreparedOtherwiseError` where that was another way.
    """
    found = version_directory(place)
    if found is None:
        return False
    try:
        summary = json.loads((found / SUMMARY).read_text())
        there = summary["settings"] | {"source": sources.absolute(summary["settings"]["source"])}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{found / SUMMARY}: does not say how the set was prepared ({error}); "
            "--config.overwrite=true prepares it again"
        ) from error
    # Sets of earlier versions do not say what was at their source, and spell one rule in the British way.
    there = {"content": settings["content"], **there}
    if there.get("rule") == "nearest_centre":
        there["rule"] = "nearest_center"
    different = [key for key in settings if settings[key] != there.get(key)]
    kept = {file.name: file.read_bytes() for file in found.iterdir() if file.name in lfw_pairs.VIEW_FILES.values()}
    if {file.name: file.read_bytes() for file in companions} != kept:
        different.append("pairs")
    if different:
        raise PreparedOtherwiseError(
            f"{place}: prepared already with other settings ({', '.join(different)}); --config.overwrite=true prepares "
            "it again, another --config.data_dir keeps both"
        )
    print(f"{place}: prepared already, {summary['records']:,} records; --config.overwrite=true prepares it again")
    return True


@contextlib.contextmanager
def temporary_folder(data_dir: Path) -> Iterator[Path]:
    """A folder on the same disk that vanishes, whatever happens."""
    prefix = f".preparing-{socket.gethostname()}-"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        for left in data_dir.glob(f"{prefix}*-*"):
            if not _is_running(left.name.removeprefix(prefix).partition("-")[0]):
                shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
        folder = Path(tempfile.mkdtemp(dir=data_dir, prefix=f"{prefix}{os.getpid()}-"))
    except OSError as error:
        raise UserError(f"{data_dir}: cannot be written ({error.strerror})") from error

    def remove() -> None:
        # A process that writes into it meanwhile loses: the folder holds no whole set.
        while folder.exists():
            shutil.rmtree(folder, ignore_errors=True)

    try:
        with signals.at_forced_end(remove):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass
    return True


def put_in_place(written: Path, place: Path, temporary: Path) -> None:
    """Replaces what was at `place` by the finished set; an interruption in between puts back what was there."""
    before = temporary / "before"

    def put_back() -> None:
        if before.exists() and not place.exists():
            os.replace(before, place)

    try:
        with signals.at_forced_end(put_back):
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.exists():
                os.replace(place, before)
            os.replace(written, place)
    finally:
        put_back()
