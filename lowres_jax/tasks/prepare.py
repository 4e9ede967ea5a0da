"""Photographs -> TFRecords of aligned crops: the stage that comes before training and measuring."""

import contextlib
import dataclasses
import hashlib
import importlib
import io
import json
import os
import pkgutil
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from absl import logging
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.data import lfw_pairs
from lowres_jax.errors import UserError
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.preparation import buckets, builders, sources
from lowres_jax.preparation.alignment import Alignment
from lowres_jax.preparation.beam import Workers
from lowres_jax.preparation.photographs import Photographs
from lowres_jax.runtime import configuration, environment, signals
from lowres_jax.settings.prepare import KEYS
from lowres_jax.utils import files

# What was asked for and what came out; beside the records.
_SUMMARY = "preparation.json"
_NAMED = 10  # files that a summary on the terminal names


class PreparedOtherwiseError(UserError):
    """A set is there already, made of other photographs or with other settings."""


def run(config: ConfigDict, workdir: Path) -> None:
    """Prepares `config.builder` below `config.data_dir`; `workdir` is not used.

    The set appears in its place only when it is complete; one that was there before stays until then.

    Raises:
      UserError: a setting is wrong, the photographs are not there, or not one of them could be read.
    """
    config_keys.check(config, KEYS)
    del workdir
    _check(config)
    data_dir = environment.datasets_folder(config.data_dir)
    place = data_dir / config.builder / variant(config)
    workers = None if config.beam is None else Workers(config.beam)
    settings = {key: config[key] for key in ("detector", "rule", "crop_size", "image_format")}
    settings["source"] = _absolute(config.source)
    settings["content"] = _content_digest(config.source)
    if not config.overwrite and _is_there(place, settings, config):
        return
    module = _builder_module(config.builder)
    begin = time.monotonic()
    work = f"prepares {config.builder} as {variant(config)}"
    with (
        files.locked(data_dir, f".{config.builder}-{variant(config)}.lock", work, "--config.data_dir"),
        _temporary_folder(data_dir) as temporary,
    ):
        photographs = _photographs(module, config, temporary)
        builder = _prepare(module, photographs, config, temporary, workers)
        written = Path(builder.data_dir)
        counts = builder.counts
        summary = {
            "settings": settings,
            "records": counts.photographs - len(counts.unreadable),
            "people": len(counts.people),
            "undetected": counts.undetected,
            "unreadable": counts.unreadable,
        }
        try:
            for file in photographs.companions:
                shutil.copyfile(file, written / file.name)
            (written / _SUMMARY).write_text(json.dumps(summary, indent=1))
            _put_in_place(written.parent, place, temporary)
        except OSError as error:
            raise UserError(f"{place}: cannot be written ({error}); nothing was kept") from error
    _describe(place, summary, time.monotonic() - begin)


def variant(config: ConfigDict) -> str:
    """Name of the folder of one way to prepare a set: "mtcnn", "haar", "mtcnn_112", "mtcnn_jpeg"."""
    parts = [config.detector]
    if config.crop_size != CROP_SIZE:
        parts.append(str(config.crop_size))
    if config.image_format != "png":
        parts.append(config.image_format)
    return "_".join(parts)


def _check(config: ConfigDict) -> None:
    """Raises UserError for a setting that is wrong, before anything is read."""
    valid = [found.name for found in pkgutil.iter_modules(builders.__path__) if found.name != "aligned_faces"]
    if config.builder not in valid:
        raise UserError(
            f"config.builder={config.builder!r}: no such data set; {configuration.nearest(config.builder, valid)}"
        )
    if "pairs" in config and buckets.is_address(config.source) and not config.pairs:
        raise UserError(
            "config.pairs is empty: pairs are not looked for beside an address; --config.pairs=FOLDER names their "
            "folder on this machine"
        )


def _photographs(module: Any, config: ConfigDict, temporary: Path) -> Photographs:
    """The set's photographs, wherever they have to be read from; says what was passed over."""
    source = sources.within_reach(config.source, temporary, in_parts=config.beam is not None)
    keywords = {}
    if "pairs" in config:
        moved = source != config.source and not config.pairs
        keywords["pairs"] = str(Path(config.source).expanduser().absolute().parent) if moved else config.pairs
    found = module.photographs(source, **keywords)
    for line in found.remarks:
        print(line)
    return found


def _content_digest(source: str | None) -> str:
    """What is at a source: of a file its content, of a folder names, sizes and times of all files; "" if nothing is.

    Times, as two pictures of one size may have changed places.
    """
    if buckets.is_address(source):
        return buckets.digest(str(source))
    path, digest = Path(source or "").expanduser(), hashlib.sha256()
    if not source or not path.exists():
        return ""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    for root, folders, names in os.walk(path, followlinks=False):
        folders.sort()
        for name in sorted(names):
            file_path = os.path.join(root, name)
            status = os.stat(file_path) if os.path.exists(file_path) else None
            told = (status.st_size, status.st_mtime_ns) if status else (-1, 0)
            digest.update(f"{os.path.relpath(file_path, path)!r} {told}\n".encode())
    return digest.hexdigest()


def _is_there(place: Path, settings: dict[str, Any], config: ConfigDict) -> bool:
    """Says so if the set is prepared already; raises UserError if it was prepared differently."""
    from lowres_jax.data.records import version_directory

    found = version_directory(place)
    if found is None:
        return False
    try:
        summary = json.loads((found / _SUMMARY).read_text())
        there = summary["settings"] | {"source": _absolute(summary["settings"]["source"])}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{found / _SUMMARY}: does not say how the set was prepared ({error}); "
            "--config.overwrite=true prepares it again"
        ) from error
    # Sets of earlier versions do not say what was at their source.
    there = {"content": settings["content"], **there}
    different = [key for key in settings if settings[key] != there.get(key)]
    companions = lfw_pairs.pairs_files(config.source, config.pairs) if "pairs" in config and config.source else []
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


def _absolute(source: str | None) -> str:
    if buckets.is_address(source):
        return str(source)
    return str(Path(source).expanduser().resolve()) if source else ""


def _builder_module(name: str) -> Any:
    # TensorFlow's greetings at start-up help nobody.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        importlib.import_module("tensorflow")
    except ImportError as error:
        raise UserError(
            f"writing TFRecords needs TensorFlow ({error}); install it with: pip install 'lowres-jax[prepare]'"
        ) from error
    return importlib.import_module(f"lowres_jax.preparation.builders.{name}")


def _prepare(module: Any, photographs: Photographs, config: ConfigDict, folder: Path, workers: Workers | None) -> Any:
    """Writes the records into a folder; returns the TFDS builder that did."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    from lowres_jax.preparation.builders.aligned_faces import AlignedFacesConfig

    tfds.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    builder = module.Builder(
        photographs=photographs,
        workers=workers,
        data_dir=folder,
        config=AlignedFacesConfig(
            name=variant(config),
            alignment=Alignment(**{each.name: config[each.name] for each in dataclasses.fields(Alignment)}),
            shard_size=config.shard_size,
            platform=config.platform,
        ),
    )
    try:
        # TFDS tells of downloads and of the temporary folder, which is not where the set will be.
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare()
    except UserError:
        raise
    except (OSError, tf.errors.OpError, RuntimeError) as error:
        # TFDS wraps what TensorFlow raises into a RuntimeError of its own.
        cause = next((each for each in _causes(error) if isinstance(each, OSError | tf.errors.OpError)), None)
        if cause is None:
            raise
        why = str(cause).strip().partition("\n")[0] or type(cause).__name__
        raise UserError(f"{folder.parent}: records cannot be written ({why}); nothing was kept") from error
    finally:
        logging.set_verbosity(verbosity)
    if builder.counts.photographs == len(builder.counts.unreadable):
        unreadable = _listed(builder.counts.unreadable)
        raise UserError(f"not one of {builder.counts.photographs:,} pictures could be read: {unreadable}")
    return builder


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it was raised from or while handling, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@contextlib.contextmanager
def _temporary_folder(data_dir: Path) -> Iterator[Path]:
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
        # Whoever writes into it meanwhile loses: what is there is not a whole set.
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


def _put_in_place(written: Path, place: Path, temporary: Path) -> None:
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


def _describe(place: Path, summary: dict[str, Any], seconds: float) -> None:
    photographs = summary["records"] + len(summary["unreadable"])
    print(
        f"{place}: {summary['records']:,} records of {summary['people']:,} people in {seconds:.0f} s "
        f"({photographs / max(seconds, 1e-9):.0f} images/s)"
    )
    if summary["undetected"]:
        print(f"no face found in {len(summary['undetected']):,}, center crops: {_listed(summary['undetected'])}")
    if summary["unreadable"]:
        print(f"not readable, left out: {len(summary['unreadable']):,}: {_listed(summary['unreadable'])}")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f", ... (all in {_SUMMARY})" if len(names) > _NAMED else "")
