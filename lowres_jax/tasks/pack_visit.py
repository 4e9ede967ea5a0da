"""Makes the pack that a visit to an accelerator takes along, see `visit.pack`."""

import datetime
import json
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax import __version__, config_keys
from lowres_jax.data.records import RecordSource, open_records
from lowres_jax.errors import UserError
from lowres_jax.nn.precision import FULL
from lowres_jax.runtime import configuration, environment, signals
from lowres_jax.settings.visits import PACK_KEYS as KEYS
from lowres_jax.visit import pack, reference, wheels

_MEBIBYTE = 1 << 20
_ROOM_FOR_DESCRIPTIONS = 1 << 14


def run(config: ConfigDict, workdir: Path) -> None:
    """Makes `config.output`; `workdir` is not used.

    Raises:
      UserError: a set is not prepared, a wheel cannot be fetched, not everybody has room, or the disk is full.
    """
    config_keys.check(config, KEYS)
    del workdir
    _check(config)
    data_dir = environment.datasets_folder(config.data_dir)
    training = open_records(data_dir / config.dataset)
    view1 = open_records(data_dir / config.view1) if config.view1 else None
    output = Path(config.output)
    with pack.replaced(output) as folder:
        _add_wheels(folder, config)
        pack.add_weights(folder)
        counts = {}
        if view1 is not None:
            place = folder / "datasets" / config.view1 / view1.directory.name
            counts[config.view1] = pack.add_view1(place, view1, config.view1_pairs, config.quality)
        _add_reference(folder, training, config)
        left = int(config.mebibytes * _MEBIBYTE) - pack.size_of(folder) - _ROOM_FOR_DESCRIPTIONS
        place = folder / "datasets" / config.dataset / training.directory.name
        counts[config.dataset] = pack.add_training_set(place, training, config.quality, left, config.seed)
        description = {
            "format": pack.FORMAT,
            "version": __version__,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "python": config.python,
            "dataset": config.dataset,
            "view1": config.view1,
            "quality": config.quality,
            "records": counts,
            "small": config.small,
            "trainings": list(configuration.names(config.trainings)),
        }
        (folder / pack.DESCRIPTION).write_text(json.dumps(description, indent=1))
        size = pack.size_of(folder) / _MEBIBYTE
    found = ", ".join(f"{count:,} images of {name}" for name, count in counts.items())
    print(f"{output}: {size:.1f} MiB: {found}; {len(list((output / 'wheels').iterdir()))} wheels")


def _check(config: ConfigDict) -> None:
    if config.view1_pairs % 2:
        raise UserError(f"config.view1_pairs={config.view1_pairs}: must be even: half of the same person")


def _add_wheels(folder: Path, config: ConfigDict) -> None:
    (folder / "wheels").mkdir()
    if not config.python:
        return
    print(f"fetches wheels for Python {config.python}", flush=True)
    problems = wheels.fetch(folder / "wheels", config.python, [*wheels.MACHINE, *configuration.names(config.machine)])
    if problems:
        raise UserError(
            f"config.python={config.python}: {len(problems)} wheels could not be fetched, as {problems[0]}; name what "
            "the machine has already in --config.machine"
        )


def _add_reference(folder: Path, source: RecordSource, config: ConfigDict) -> None:
    """Faces, and what all networks and steps give for them here."""
    rows = np.linspace(0, len(source) - 1, reference.FACES // 2).astype(int)
    faces = pack.middle(source.crops(rows)[0], 128)
    configs = {
        name: configuration.load(f"configs/{name}.py" + (":smoke" if config.small else ""))
        for name in configuration.names(config.trainings)
    }
    expected = {"faces": faces}
    checks = reference.checks(reference.with_mirrored(faces), configs, config.small)
    bar = tqdm(list(checks), desc="reference", unit="network")
    for check in signals.interruptible(bar):
        bar.set_postfix_str(check.name)
        expected[check.name] = check.compute(FULL)
    np.savez_compressed(folder / pack.REFERENCE, **expected)  # type: ignore[arg-type]
