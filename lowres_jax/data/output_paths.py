"""Paths of results: one for each picture."""

import collections
from collections.abc import Mapping, Sequence
from pathlib import Path

from lowres_jax.errors import UserError
from lowres_jax.utils import filenames


def assign(paths: Sequence[Path], source: Path, output: Path, reserve: int) -> dict[Path, Path]:
    """Picture -> the path of its results without ending, in the same subfolder below the output folder.

    Pictures that differ by their ending only (a.jpg, a.png) keep it in the name; names that the file system has no
    room for are shortened.

    Args:
      paths: paths of the pictures.
      source: the folder that they lie in, or the one picture.
      output: folder of the results.
      reserve: bytes of the longest ending of a result.
    """
    root = source if source.is_dir() else source.parent
    found = {path: path.parent / path.stem for path in paths}
    while True:
        uses = collections.Counter(found.values())
        clashing = [path for path, name in found.items() if uses[name] > 1 and name != path]
        if not clashing:
            return {path: filenames.fitting(output / name.relative_to(root), reserve) for path, name in found.items()}
        found.update({path: path for path in clashing})


def check(source: Path, output: Path, results: Mapping[Path, Path], endings: Mapping[Path, str]) -> None:
    """Refuses an output that would overwrite pictures, or that a second run would take for pictures.

    Args:
      source: folder of the pictures, or the one picture.
      output: folder of the results.
      results: results of `assign`.
      endings: ending of each result that is named like its picture; empty if none are.

    Raises:
      UserError: the output is such a folder.
    """
    resolved = output.resolve()
    if source.is_dir() and (resolved == source.resolve() or source.resolve() in resolved.parents):
        raise UserError(f"config.output={output}: is the input folder or inside it; give a folder beside it")
    originals = {path.resolve() for path in endings}
    for path, ending in endings.items():
        if with_ending(results[path], ending).resolve() in originals:
            raise UserError(
                f"config.output={output}: {results[path].name}{ending} there is an input picture; give another folder"
            )


def with_ending(result: Path, ending: str) -> Path:
    """A result's path with an ending."""
    # Not `with_suffix`, which would cut "a.b" to "a".
    return result.parent / (result.name + ending)
