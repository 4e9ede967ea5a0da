"""The processes of one run, on one machine or several."""

import contextlib
import os

import jax
from ml_collections import ConfigDict

from lowres_jax.errors import UserError
from lowres_jax.runtime import lifeline

_HEARTBEAT_SECONDS = 25
# The others wait at the end for process 0, which evaluates.
_LAST_EVALUATION_SECONDS = 3600


def connect(config: ConfigDict) -> None:
    """Joins the processes of a run, before anything else touches a device.

    Args:
      config: `coordinator` ("host:port" of process 0), `processes` and `process`; or, where they are None, the
        environment's LOWRES_JAX_COORDINATOR, LOWRES_JAX_PROCESSES and LOWRES_JAX_PROCESS. "auto" as coordinator
        lets JAX find all three (TPU VMs, Slurm). Without a coordinator the run has one process.

    Raises:
      UserError: the coordinator does not answer, its port is taken, or the numbers are missing or given twice.
    """
    coordinator = config.coordinator or os.environ.get("LOWRES_JAX_COORDINATOR", "")
    if not coordinator:
        return
    # Where processes share CPUs they exchange gradients by gloo; accelerators have their own ways.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # JAX's own handler of SIGTERM would take the place of ours (see `signals`), which tells all processes too.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        if coordinator == "auto":
            # Only JAX knows where the others are; that one has died it finds by itself, with a dump.
            jax.distributed.initialize(
                initialization_timeout=config.connect_seconds,
                heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
                shutdown_timeout_seconds=_LAST_EVALUATION_SECONDS,
            )
            return
        number = config.process
        if number is None:
            number = int(os.environ.get("LOWRES_JAX_PROCESS", -1))
        count = config.processes or int(os.environ.get("LOWRES_JAX_PROCESSES", 0))
        if not 0 <= number < count:
            raise UserError(
                f"config.coordinator={coordinator}: process {number} of {count} cannot be; give config.process and "
                "config.processes, or LOWRES_JAX_PROCESS and LOWRES_JAX_PROCESSES"
            )
        lifeline.meet(coordinator, number, count, config.connect_seconds)
        if number > 0:
            # JAX itself ends the process where nobody listens yet.
            lifeline.reached(coordinator, config.connect_seconds).close()
        jax.distributed.initialize(
            coordinator,
            count,
            number,
            initialization_timeout=config.connect_seconds,
            shutdown_timeout_seconds=_LAST_EVALUATION_SECONDS,
        )
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"config.coordinator={coordinator}: the processes did not find together within {config.connect_seconds} s "
            f"({str(error).splitlines()[0][:120]}); is process 0 running, and its port open?"
        ) from error


def leave() -> None:
    """Ends this process's part in the run, once all others do too.

    A process that just ended would have the others aborted, whose coordinator it may be.
    """
    if jax.process_count() > 1:
        lifeline.leave()
        with contextlib.suppress(RuntimeError):
            jax.distributed.shutdown()
