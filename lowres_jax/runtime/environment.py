"""Settings that a process makes once: devices and the compilation cache."""

import logging
import os
from pathlib import Path

from ml_collections import ConfigDict

from lowres_jax.errors import UserError
from lowres_jax.runtime import configuration

_PLATFORMS = ("cpu", "gpu", "tpu")
_TIMEOUT = "xla_cpu_collective_call_terminate_timeout_seconds"


def cache_folder() -> Path:
    """Folder for fetched weights, data sets and compiled programs: $LOWRES_JAX_CACHE or ~/.cache/lowres_jax."""
    return Path(os.environ.get("LOWRES_JAX_CACHE") or Path.home() / ".cache" / "lowres_jax")


def datasets_folder(data_dir: str | None = None) -> Path:
    """Folder of prepared sets.

    Args:
      data_dir: folder of `config.data_dir`, or None for the one in the cache folder.
    """
    return Path(data_dir).expanduser() if data_dir else cache_folder() / "datasets"


def _cpu_devices(config: ConfigDict) -> int:
    """Number of devices that JAX sees in this machine's processor.

    XLA computes small convolutions with one core only; one device for each core has every batch divided between them.
    """
    wanted = config.get("cpu_devices") or 0
    if wanted < 0:
        raise UserError(f"config.cpu_devices={wanted}: must be a whole number, 1 or more, or None")
    if wanted:
        return wanted
    if config.get("coordinator") or os.environ.get("LOWRES_JAX_COORDINATOR"):
        # Processes share the machine already.
        return 1
    cores = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)
    batch_size = config.get("batch_size", 0)
    # A training's batch has to be divided evenly; for others it does no harm.
    return max(count for count in range(1, cores + 1) if batch_size % count == 0)


def enable_compilation_cache() -> None:
    """Keeps compiled programs between runs, where JAX's own variables do not say otherwise."""
    import jax

    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _be_patient() -> None:
    """Has XLA wait 20 minutes where one CPU device waits for another, unless the user's own XLA_FLAGS say otherwise.

    After its own 40 seconds it aborts the process with a dump, which on a machine that is busy with other work, where a
    step of a large network may take as long, ends trainings.
    """
    given = os.environ.get("XLA_FLAGS", "")
    if _TIMEOUT not in given:
        os.environ["XLA_FLAGS"] = f"{given} --{_TIMEOUT}=1200".strip()


def initialize(config: ConfigDict) -> None:
    """Turns the compilation cache on and checks that the platform asked for is there.

    Args:
      config: `platform` ("cpu", "gpu", "tpu", or None for the best there is) is read if present; likewise `coordinator`
        and what belongs to it (see `distributed.connect`).

    Raises:
      UserError: the platform asked for is not available, or the processes of a run do not find together.
    """
    import jax

    # JAX tells at INFO which backends it did not find; a missing one that was asked for is our own error below.
    logging.getLogger("jax").setLevel(logging.WARNING)
    enable_compilation_cache()
    _be_patient()
    jax.config.update("jax_num_cpu_devices", _cpu_devices(config))
    platform = config.get("platform")
    if platform and platform not in _PLATFORMS:
        raise UserError(f"config.platform={platform}: no such platform; {configuration.nearest(platform, _PLATFORMS)}")
    if platform == "cpu":
        # Nothing else is looked for, so that all there is to compute on is the processor.
        jax.config.update("jax_platforms", "cpu")
    if "coordinator" in config:
        from lowres_jax.runtime import distributed

        distributed.connect(config)
    if not platform:
        return
    # Left to itself JAX takes an accelerator where there is one.
    found = jax.default_backend()
    if found != platform:
        raise UserError(
            f"config.platform={platform}: JAX finds no such device here, only {found}; "
            f"install jax for it (BUILD.md) or leave the key empty"
        )
    print(f"running on {jax.device_count()} {platform} device(s): {jax.devices()[0].device_kind}")
