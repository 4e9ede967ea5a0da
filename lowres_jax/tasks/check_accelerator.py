"""Does this machine's accelerator compute what a processor does? The first part of a visit (`visit.reference`)."""

import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.errors import UserError
from lowres_jax.nn.precision import DEVICE, FULL
from lowres_jax.runtime import configuration, signals
from lowres_jax.settings.visits import CHECK_KEYS as KEYS
from lowres_jax.visit import pack, reference, results

# Largest difference in float32: of results, and of training steps, whose depth enlarges the last digits: two
# versions of JAX on one processor differ by up to 2e-2, TF32 would by far more.
_LIMIT, _STEP_LIMIT = 1e-3, 5e-2


def run(config: ConfigDict, workdir: Path) -> None:
    """Computes what the pack holds, and compares; `config.output` gets the figures one by one.

    Raises:
      UserError: there is no accelerator, or something is computed wrongly.
    """
    config_keys.check(config, KEYS)
    del workdir
    folder, output = Path(config.pack), Path(config.output)
    described = pack.described(folder)
    device = jax.devices()[0]
    machine = {
        "platform": jax.default_backend(),
        "device": device.device_kind,
        "devices": jax.device_count(),
        "jax": jax.__version__,
        "memory_gib": round(((device.memory_stats() or {}).get("bytes_limit", 0)) / 2**30, 1),
    }
    results.add(output, machine=machine)
    print(f"{machine['devices']} x {machine['device']} ({machine['platform']}), JAX {machine['jax']}", flush=True)
    found, wrong = _checked(folder, described, output)
    if wrong:
        raise UserError(f"{len(wrong)} of {len(found)} differ from the processor's values: {', '.join(wrong)}")
    if machine["platform"] == "cpu" and not described["small"]:
        raise UserError(
            "no accelerator: JAX finds this machine's processor only; is jax installed for it (BUILD.md), and its "
            "driver new enough (nvidia-smi)?"
        )


def _checked(folder: Path, described: dict[str, Any], output: Path) -> tuple[dict[str, Any], list[str]]:
    """What was computed, by name, and the names of what is wrong."""
    expected = np.load(folder / pack.REFERENCE)
    small = described["small"]
    configs = {
        name: configuration.load(f"configs/{name}.py" + (":smoke" if small else "")) for name in described["trainings"]
    }
    found: dict[str, dict[str, Any]] = {}
    wrong = []
    faces = reference.with_mirrored(expected["faces"])
    for check in signals.interruptible(reference.checks(faces, configs, small)):
        if check.name not in expected:
            raise UserError(f"{folder / pack.REFERENCE}: has no values of {check.name}; make the pack again")
        begin = time.monotonic()
        limit = _STEP_LIMIT if check.trains else _LIMIT
        try:
            figures: dict[str, Any] = {"difference": _difference(check, expected, FULL), "limit": limit}
            right = figures["difference"] <= limit
            if not check.trains:
                figures["device_precision"] = _difference(check, expected, DEVICE)
        except jax.errors.JaxRuntimeError as error:
            figures, right = {"error": str(error).splitlines()[0][:200]}, False
        found[check.name] = figures | {"right": right, "seconds": round(time.monotonic() - begin, 1)}
        if not right:
            wrong.append(check.name)
        results.add(output, check=found)
        said = figures.get("error") or f"{figures['difference']:.1e} (at most {limit:g})"
        rough = (
            f"; by the device's own precision {figures['device_precision']:.1e}"
            if "device_precision" in figures
            else ""
        )
        print(f"{'right' if right else 'WRONG'}  {check.name}: {said}{rough}", flush=True)
    return found, wrong


def _difference(check: reference.Check, expected: Any, precision: str) -> float:
    return reference.difference(check.name, expected[check.name], check.compute(precision))
