"""Prepares a data set: photographs -> TFRecords of aligned crops, in its place when it is complete."""

import contextlib
import dataclasses
import importlib
import io
import json
import os
import pkgutil
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from absl import logging
from ml_collections import ConfigDict

from lowres_jax.data import lfw_pairs
from lowres_jax.errors import UserError
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.preparation import buckets, builders, sources
from lowres_jax.preparation.alignment import Alignment
from lowres_jax.preparation.beam import Workers
from lowres_jax.preparation.photographs import Photographs
from lowres_jax.preparation.prepared_set import SUMMARY, is_there, put_in_place, temporary_folder
from lowres_jax.runtime import configuration, environment
from lowres_jax.utils import files

_NAMED = 10  # files that a summary on the terminal names


def prepare(config: ConfigDict) -> Path:
    """Prepares `config.builder` below `config.data_dir`, unless that was done from the same photographs.

    The set appears in its place only when it is complete; one that was there before stays until then.

    Args:
      config: config of the task prepare, checked.

    Returns:
      Folder of the set.

    Raises:
      UserError: a setting is wrong, the photographs are not there, or not one of them could be read;
        `PreparedOtherwiseError` where the set was prepared otherwise, and is not to be overwritten.
    """
    _check(config)
    alignment = Alignment(**{each.name: config[each.name] for each in dataclasses.fields(Alignment)})
    variant, data_dir = name_of(alignment), environment.datasets_folder(config.data_dir)
    place = data_dir / config.builder / variant
    settings = dataclasses.asdict(alignment) | {"source": sources.absolute(config.source)}
    settings["content"] = sources.content_digest(config.source)
    workers = None if config.beam is None else Workers(config.beam)
    has_pairs = "pairs" in config and config.source and place.exists()
    pairs = lfw_pairs.pairs_files(config.source, config.pairs) if has_pairs else []
    if not config.overwrite and is_there(place, settings, pairs):
        return place
    module = _builder_module(config.builder)
    begin = time.monotonic()
    work, lock = f"prepares {config.builder} as {variant}", f".{config.builder}-{variant}.lock"
    with files.locked(data_dir, lock, work, "--config.data_dir"), temporary_folder(data_dir) as temporary:
        photographs = _photographs(module, config, temporary)
        builder = _written(module, photographs, config, alignment, temporary, workers)
        counts, written = builder.counts, Path(builder.data_dir)
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
            (written / SUMMARY).write_text(json.dumps(summary, indent=1))
            put_in_place(written.parent, place, temporary)
        except OSError as error:
            raise UserError(f"{place}: cannot be written ({error}); nothing was kept") from error
    _describe(place, summary, time.monotonic() - begin)
    return place


def name_of(alignment: Alignment) -> str:
    """Name of the folder of one way to prepare a set: "mtcnn", "haar", "mtcnn_112", "mtcnn_jpeg"."""
    parts = [alignment.detector]
    if alignment.crop_size != CROP_SIZE:
        parts.append(str(alignment.crop_size))
    if alignment.image_format != "png":
        parts.append(alignment.image_format)
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
    """The set's photographs, wherever they have to be read from; says what was skipped."""
    source = sources.within_reach(config.source, temporary, in_parts=config.beam is not None)
    keywords = {}
    if "pairs" in config:
        moved = source != config.source and not config.pairs
        keywords["pairs"] = str(Path(config.source).expanduser().absolute().parent) if moved else config.pairs
    found = module.photographs(source, **keywords)
    for line in found.remarks:
        print(line)
    return found


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


def _written(
    module: Any,
    photographs: Photographs,
    config: ConfigDict,
    alignment: Alignment,
    folder: Path,
    workers: Workers | None,
) -> Any:
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
            name=name_of(alignment),
            alignment=alignment,
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
    return ", ".join(names[:_NAMED]) + (f", ... (all in {SUMMARY})" if len(names) > _NAMED else "")
