"""Weight files: in installed packages, in the cache that `fetch` fills, or at the user's path."""

import functools
import hashlib
import importlib.util
from pathlib import Path

from lowres_jax.errors import UserError
from lowres_jax.runtime import environment


def find_package_file(package: str, relative_path: str) -> Path:
    """A file that an installed package ships, found without importing the package.

    Args:
      package: top-level import name ("mtcnn"), which also is the first part of the path.
      relative_path: path below the folder that holds the package, as "mtcnn/assets/weights/pnet.lz4".

    Raises:
      UserError: the package, or the file in it, is not there.
    """
    specification = importlib.util.find_spec(package)
    locations = specification.submodule_search_locations if specification is not None else None
    for location in locations or ():
        path = Path(location).parent / relative_path
        if path.is_file():
            return path
    problem = "has no such file" if locations else "is not installed"
    raise UserError(f"{relative_path}: the package {package} {problem}; install requirements.txt again")


def find_fetched_file(name: str, file_name: str) -> Path:
    """A file that `python -m lowres_jax.pretrained.fetch NAME` puts into the cache.

    Raises:
      UserError: the file has not been fetched; the message names the command.
    """
    path = fetched_folder(name) / file_name
    if not path.is_file():
        raise UserError(f"{path}: not fetched yet; run: python -m lowres_jax.pretrained.fetch {name}")
    return path


def fetched_folder(name: str) -> Path:
    """The cache folder of one thing to fetch."""
    return environment.cache_folder() / "fetched" / name


@functools.lru_cache(maxsize=256)
def verified(path: Path, sha256: str) -> Path:
    """The path, once its content has been compared with a SHA-256 checksum (once a process).

    Raises:
      UserError: the file is missing or is not the one expected.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if found != sha256:
        raise UserError(
            f"{path}: damaged, or another version: SHA-256 {found[:16]}..., expected {sha256[:16]}...; "
            "install or fetch it again"
        )
    return path
