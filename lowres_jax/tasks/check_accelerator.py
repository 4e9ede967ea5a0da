"""Does this machine's accelerator compute what its processor does? Networks and training steps, side by side."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.errors import UserError
from lowres_jax.interchange import device_agreement
from lowres_jax.nn.precision import DEVICE, FULL
from lowres_jax.runtime import signals
from lowres_jax.settings.check_accelerator import KEYS
from lowres_jax.utils.files import write_atomically

FILE = "accelerator.json"
# Largest difference in float32: of results, and of training steps, whose depth enlarges the last digits: two
# versions of JAX on one processor differ by up to 2e-2, TF32 would by far more.
_LIMIT, _STEP_LIMIT = 1e-3, 5e-2


def run(config: ConfigDict, workdir: Path) -> None:
    """Computes everything on the processor, then on the accelerator; accelerator.json gets the figures one by one.

    Raises:
      UserError: there is no accelerator, or something is computed wrongly.
    """
    config_keys.check(config, KEYS)
    device = jax.devices()[0]
    machine = {
        "platform": jax.default_backend(),
        "device": device.device_kind,
        "devices": jax.device_count(),
        "jax": jax.__version__,
        "memory_gib": round(((device.memory_stats() or {}).get("bytes_limit", 0)) / 2**30, 1),
    }
    print(f"{machine['devices']} x {machine['device']} ({machine['platform']}), JAX {machine['jax']}", flush=True)
    if machine["platform"] == "cpu" and not config.small:
        raise UserError(
            "no accelerator: JAX finds this machine's processor only; is jax installed for it (BUILD.md), and its "
            "driver new enough (nvidia-smi)?"
        )
    print("The processor computes first, in a process of its own (minutes) ...", flush=True)
    found, wrong = _checked(config, _of_the_processor(config), machine, workdir / FILE)
    if wrong:
        raise UserError(f"{len(wrong)} of {len(found)} differ from the processor's values: {', '.join(wrong)}")
    print(workdir / FILE)


def _of_the_processor(config: ConfigDict) -> dict[str, np.ndarray]:
    """Results of a process that sees no accelerator, by name of the check.

    Raises:
      UserError: the process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "processor.npz"
        command = [sys.executable, "-m", device_agreement.__name__, str(path), str(int(config.small))]
        process = subprocess.Popen([*command, *config.trainings], env=os.environ | {"JAX_PLATFORMS": "cpu"})
        try:
            while process.poll() is None:
                signals.check()
                time.sleep(0.1)
        finally:
            process.terminate()
        if process.returncode:
            raise UserError("the processor's values could not be computed (see above)")
        with np.load(path) as arrays:
            return dict(arrays)


def _checked(
    config: ConfigDict, expected: Mapping[str, np.ndarray], machine: Mapping[str, Any], path: Path
) -> tuple[dict[str, Any], Sequence[str]]:
    """Results by name, and the names of wrong ones."""
    found: dict[str, dict[str, Any]] = {}
    for check in signals.interruptible(device_agreement.checks(config.trainings, config.small)):
        begin = time.monotonic()
        limit = _STEP_LIMIT if check.trains else _LIMIT
        try:
            figures: dict[str, Any] = {"difference": _difference(check, expected, FULL), "limit": limit}
            figures["right"] = figures["difference"] <= limit
            if not check.trains:
                figures["device_precision"] = _difference(check, expected, DEVICE)
        except jax.errors.JaxRuntimeError as error:
            figures = {"error": str(error).splitlines()[0][:200], "right": False}
        found[check.name] = figures | {"seconds": round(time.monotonic() - begin, 1)}
        with write_atomically(path) as file:
            file.write(json.dumps({"machine": machine, "checks": found}, indent=1).encode() + b"\n")
        said = figures.get("error") or f"{figures['difference']:.1e} (at most {limit:g})"
        if "device_precision" in figures:
            said += f"; by the device's own precision {figures['device_precision']:.1e}"
        print(f"{'right' if figures['right'] else 'WRONG'}  {check.name}: {said}", flush=True)
    return found, [name for name, figures in found.items() if not figures["right"]]


def _difference(check: device_agreement.Check, expected: Mapping[str, np.ndarray], precision: str) -> float:
    return device_agreement.difference(check.name, expected[check.name], check.compute(precision))
