"""Photographs at an address, as gs://bucket/faces: by fsspec, which knows Google's, Amazon's and other stores.

Credentials are the store's own business: for Google `gcloud auth application-default login`, or the file that
GOOGLE_APPLICATION_CREDENTIALS names.
"""

import contextlib
import errno
import functools
import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from lowres_jax.data import people
from lowres_jax.errors import UserError
from lowres_jax.preparation.archives import pictures_among
from lowres_jax.preparation.photographs import Photographs
from lowres_jax.utils import filenames

# Pictures that are asked for together; the store answers them at the same time.
_TOGETHER = 64

# It warns of what it finds out about a bucket otherwise than by credentials.
logging.getLogger("gcsfs").setLevel(logging.ERROR)


def is_address(source: str | None) -> bool:
    """True if a source is an address, as gs://bucket/faces, and not a path."""
    return "://" in (source or "")


def open_bucket(address: str) -> Photographs:
    """Opens a set whose pictures lie in one folder a person at an address.

    Raises:
      UserError: the store is unknown, refuses, or holds no pictures there.
    """
    with _refusals(address):
        store, root = fsspec.core.url_to_fs(address)
        root = root.rstrip("/")
        files = sorted(PurePosixPath(file).relative_to(root) for file in store.find(root))
        pictures, _, _ = pictures_among(
            (str(file), "", functools.partial(store.cat, f"{root}/{file}")) for file in files
        )
    remarks, found = pictures.remarks(address), [PurePosixPath(path) for path in pictures.paths]
    if not found:
        raise UserError(f"{address}: no pictures there ({'; '.join(remarks) or 'nothing of that name, or empty'})")
    relatives = people.without_wrapper(found)
    names, sources = people.person_names(relatives, address), [filenames.printable(str(file)) for file in relatives]
    places = [f"{root}/{file}" for file in found]
    return Photographs(names, sources, places, functools.partial(_contents, address), remarks=remarks)


def fetch(address: str, folder: Path) -> Path:
    """Copies a file from an address into a folder.

    Returns:
      Path of the copy.

    Raises:
      UserError: the store is unknown or refuses, the file is not there, or cannot be written.
    """
    copy = folder / PurePosixPath(address).name
    with _refusals(address):
        store, path = fsspec.core.url_to_fs(address)
        store.get_file(path, str(copy))
    return copy


def exists(address: str) -> bool:
    """True if there is a file at an address.

    Raises:
      UserError: the store is unknown or refuses.
    """
    with _refusals(address):
        store, path = fsspec.core.url_to_fs(address)
        try:
            return bool(store.info(path)["type"] == "file")
        except FileNotFoundError:
            return False


def digest(address: str) -> str:
    """Digest of the content of an address: names, sizes, and the store's checksums."""
    with _refusals(address):
        store, root = fsspec.core.url_to_fs(address)
        found = store.find(root, detail=True)
    told = hashlib.sha256()
    for name in sorted(found):
        facts = found[name]
        content = facts.get("md5Hash") or facts.get("etag") or facts.get("ETag") or facts.get("created")
        told.update(f"{name!r} {facts.get('size')} {content}\n".encode())
    return told.hexdigest()


def _contents(address: str, places: Sequence[str]) -> Iterator[bytes]:
    """The pictures at some places; none of one that is gone. While some are worked at, the next are fetched."""
    with _refusals(address), ThreadPoolExecutor(1) as pool:
        store, _ = fsspec.core.url_to_fs(address)
        groups = [places[start : start + _TOGETHER] for start in range(0, len(places), _TOGETHER)]
        coming = [pool.submit(_fetched, store, groups[0])] if groups else []
        for number in range(len(groups)):
            contents = coming.pop().result()
            if number + 1 < len(groups):
                coming.append(pool.submit(_fetched, store, groups[number + 1]))
            yield from contents


def _fetched(store: Any, places: Sequence[str]) -> list[bytes]:
    found = store.cat(list(places), on_error="return")
    contents = []
    for place in places:
        content = found.get(place, b"")
        if isinstance(content, FileNotFoundError):
            content = b""
        elif isinstance(content, Exception):
            raise content
        contents.append(content)
    return contents


@contextlib.contextmanager
def _refusals(address: str) -> Iterator[None]:
    """Makes what a store says one clear line."""
    try:
        yield
    except (UserError, GeneratorExit):
        raise
    except ImportError as error:
        raise UserError(
            f"{address}: needs a package that is not installed ({error}); for gs:// install it with: "
            "pip install 'lowres-jax[beam]'"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise UserError(f"{address}: cannot be copied to this machine ({error.strerror})") from error
        raise _refusal(address, error) from error
    # Each store has its own errors; the network's are among them.
    except Exception as error:
        raise _refusal(address, error) from error


def _refusal(address: str, error: Exception) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError(f"{address}: there is no such bucket, folder or file")
    why = (str(error).strip() or type(error).__name__).partition("\n")[0]
    # Google's store says it in a plain OSError.
    denied = isinstance(error, PermissionError) or "Forbidden" in why or getattr(error, "code", None) in (401, 403)
    if not denied:
        return UserError(f"{address}: cannot be read ({why})")
    return UserError(
        f"{address}: no permission to read it ({why}); log in (for gs:// with: gcloud auth application-default "
        "login), or ask its owner for the right to list and read objects"
    )
