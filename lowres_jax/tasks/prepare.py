"""Photographs -> TFRecords of aligned crops: the stage that comes before training and measuring."""

from pathlib import Path

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.preparation import job
from lowres_jax.settings.prepare import KEYS


def run(config: ConfigDict, workdir: Path) -> None:
    """Prepares `config.builder` below `config.data_dir`; `workdir` is not used.

    Raises:
      UserError: see `preparation.job.prepare`.
    """
    config_keys.check(config, KEYS)
    del workdir
    job.prepare(config)
