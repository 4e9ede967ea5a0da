"""Preparation by the workers of Apache Beam, as TFDS runs it: an optional extra."""

import argparse
import logging
import shlex
from typing import Any

import absl.logging

from lowres_jax.errors import UserError

# What holds unless other flags are given: on this machine workers are processes, and they tell of nothing but errors.
# A version to be compatible with, be it the same, keeps Beam from fetching another engine (Prism) for this machine.
_DEFAULTS = ("--direct_running_mode=multi_processing", "--default_sdk_harness_log_level=ERROR")
_COMPATIBLE = "--update_compatibility_version"


def download_config(flags: str | None) -> Any:
    """What TFDS needs to have Beam prepare a set.

    Args:
      flags: as "--direct_num_workers=4" or "--runner=FlinkRunner --flink_master=HOST:8081"; None: no Beam.

    Returns:
      A `tfds.download.DownloadConfig`; None without Beam.

    Raises:
      UserError: Beam or its runner is not installed, or a flag is unknown.
    """
    if flags is None:
        return None
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)  # it tells which clouds it does without
    try:
        from apache_beam import runners, version
        from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    except ImportError as error:
        raise UserError(
            f"config.beam: needs Apache Beam ({error}); install it with: pip install 'lowres-jax[prepare,beam]'"
        ) from error
    finally:
        absl.logging.set_verbosity(verbosity)
    import tensorflow_datasets as tfds

    given = _split(flags)
    parser: Any = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False, add_help=False)
    for each in PipelineOptions.__subclasses__():
        each._add_argparse_args(parser)
    try:
        _, unknown = parser.parse_known_args(given)
    except argparse.ArgumentError as error:
        raise UserError(f"config.beam: {error}") from error
    if unknown:
        raise UserError(f"config.beam: {unknown[0]} is no flag of Apache Beam")
    options = PipelineOptions([*_DEFAULTS, f"{_COMPATIBLE}={version.__version__}", *given])
    name = options.view_as(StandardOptions).runner or "DirectRunner"
    try:
        runners.create_runner(name)
    except (ImportError, ValueError, AttributeError) as error:
        raise UserError(f"config.beam: --runner={name} cannot be used ({str(error).splitlines()[0]})") from error
    # It tells of every stage; what goes wrong comes as an error.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    return tfds.download.DownloadConfig(beam_runner=name, beam_options=options)


def _split(flags: str) -> list[str]:
    try:
        return shlex.split(flags)
    except ValueError as error:
        raise UserError(f"config.beam={flags!r}: {error}") from error
