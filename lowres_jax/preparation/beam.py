"""Work for many workers, by Apache Beam: an optional extra."""

import argparse
import contextlib
import logging
import multiprocessing
import os
import shlex
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from lowres_jax.errors import UserError
from lowres_jax.runtime import signals

Item = TypeVar("Item")

# What holds unless other flags are given: on this machine workers are processes, and they tell of nothing but errors.
# A version to be compatible with, be it the same, keeps Beam from fetching another engine (Prism) for this machine.
_DEFAULTS = ("--direct_running_mode=multi_processing", "--default_sdk_harness_log_level=ERROR")
_COMPATIBLE = "--update_compatibility_version"
_LOOK_SECONDS = 0.2


class WorkersFailedError(Exception):
    """The message of an engine about failed workers, or about work that it could not begin: its last line says why."""


class Workers:
    """The workers of one of Beam's engines, here or on a cluster."""

    def __init__(self, flags: str):
        """Checks everything that can be known before there is work.

        Args:
          flags: Beam's, as "--direct_num_workers=4" or "--runner=FlinkRunner --flink_master=HOST:8081".

        Raises:
          UserError: Beam or its runner is not installed, or a flag is unknown.
        """
        self._flags = flags
        _engine(flags)

    def run(self, function: Callable[[Item], object], items: Sequence[Item]) -> None:
        """Calls a function with each of some items, on whatever workers there are.

        TFDS's own way for shards is a stage of the pipeline for each, and Beam's engine for one machine runs stages
        one after another; these are the elements of one stage.

        That engine may wait for ever for a worker that died (in Beam 2.77), and in the main thread nothing is heard of
        a request to stop meanwhile. So a process of its own leads the workers, and all of them end with the block.

        Raises:
          WorkersFailedError: workers failed or died, or the engine could not begin.
        """
        context = multiprocessing.get_context("spawn")
        receiving, sending = context.Pipe(duplex=False)
        leader = context.Process(target=_lead, args=(self._flags, function, items, sending), name="beam")
        leader.start()
        sending.close()

        def end() -> None:
            leader.kill()  # it may not have a session of its own yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(leader.pid or 0, signal.SIGKILL)

        try:
            with signals.at_forced_end(end):
                while not receiving.poll(_LOOK_SECONDS):
                    signals.check()
            said = receiving.recv()
        except EOFError:
            said = f"the process that leads them died ({leader.exitcode})"
        finally:
            end()
            leader.join()
        if said:
            raise WorkersFailedError(said)


def _lead(flags: str, function: Callable[[Item], object], items: Sequence[Item], sending: Connection) -> None:
    """Runs the pipeline in the process that leads the workers, which are in its session; sends what went wrong."""
    os.setsid()

    def end_with_parent() -> None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        parent.join()
        os.killpg(0, signal.SIGKILL)

    def fail(raised: threading.ExceptHookArgs) -> None:
        # The engine for this machine has such a thread for each worker, which raises where that dies. Threads of the
        # connections to it raise too, and say less.
        if raised.thread is not None and raised.thread.name == "run_worker":
            sending.send(f"{raised.exc_type.__name__}: {raised.exc_value}")

    threading.Thread(target=end_with_parent, daemon=True).start()
    threading.excepthook = fail
    runner, options = _engine(flags)
    import apache_beam

    try:
        with apache_beam.Pipeline(runner=runner, options=options) as pipeline:
            _ = pipeline | apache_beam.Create(items) | apache_beam.Reshuffle() | apache_beam.Map(function)
        sending.send("")
    # Whatever it is, it is for the parent to say.
    except Exception as error:
        sending.send("".join(traceback.format_exception_only(error)))


def _engine(flags: str) -> tuple[str, Any]:
    """Name of the runner, and the options."""
    logging.disable(logging.WARNING)  # it tells which clouds it does without
    try:
        from apache_beam import runners, version
        from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    except ImportError as error:
        raise UserError(
            f"config.beam: needs Apache Beam ({error}); install it with: pip install 'lowres-jax[prepare,beam]'"
        ) from error
    finally:
        logging.disable(logging.NOTSET)
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
    if name.rpartition(".")[2].lower().startswith("dataflow"):
        raise UserError(
            "config.beam: --runner=DataflowRunner: its machines share no disk with this one, and records are written "
            "to config.data_dir; use FlinkRunner or SparkRunner on machines that see it"
        )
    # It tells of every stage; what goes wrong comes as an error.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    return name, options


def _split(flags: str) -> list[str]:
    try:
        return shlex.split(flags)
    except ValueError as error:
        raise UserError(f"config.beam={flags!r}: {error}") from error
