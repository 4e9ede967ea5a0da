"""Writing files whole or not at all."""

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import filelock

from lowres_jax.errors import UserError
from lowres_jax.runtime import signals
from lowres_jax.utils import filenames

# Of the temporary file's name, which must not be longer than a file system takes where the file's own is not.
_PREFIX_CHARACTERS = 20


class RefusedFileError(UserError):
    """One file cannot be written, as for its name; others may well be. Jobs over many files skip these."""


@contextlib.contextmanager
def write_atomically(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a temporary file beside `path` that takes its place when the block ends well.

    After an exception, an interruption or a full disk nothing is left behind and an earlier file stays as it was.

    Args:
      path: the file to write; missing folders are made.

    Raises:
      UserError: the folder cannot be written or the disk is full; `RefusedFileError` where only the name is at fault.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:_PREFIX_CHARACTERS]}-")
        unfinished = Path(temporary)
        with signals.at_forced_end(lambda: unfinished.unlink(missing_ok=True)), os.fdopen(handle, "wb") as file:
            yield file
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        kind = RefusedFileError if filenames.is_refused_name(error) else UserError
        raise kind(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


@contextlib.contextmanager
def locked(
    folder: Path, name: str = ".lock", work: str = "is at work in it", instead: str = "--workdir"
) -> Iterator[None]:
    """Keeps a piece of work in a folder to this process while the block runs; however the process ends, that ends too.

    Args:
      folder: folder of the lock, made if it is missing.
      name: name of the lock file; it vanishes at the end of the block.
      work: work of the process that has the lock, for the message.
      instead: kind of thing of which another one may be chosen, for the message.

    Raises:
      UserError: another process has it, or it cannot be written.
    """
    path = folder / name
    lock = filelock.FileLock(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        holder = path.read_text() if path.is_file() else ""
        process = f"process {holder}" if holder else "another process"
        raise UserError(f"{folder}: {process} {work}; wait for it, stop it, or choose another {instead}") from error
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from error
    except NotImplementedError:  # a file system that knows no locks: as good as none
        yield
        return
    try:
        path.write_text(f"{os.getpid()} of {socket.gethostname()}")
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def try_folder(folder: Path) -> None:
    """Tries whether a folder for results can be made and written, before any work whose results would be lost.

    Nothing is left behind: the folder appears with the first result.

    Raises:
      UserError: the folder cannot be made or written.
    """
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
        for each in missing:
            each.rmdir()
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from error
