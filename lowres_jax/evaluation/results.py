"""results.json: what every evaluation leaves for people, reports and programs (docs: protocols, `results.json`)."""

import datetime
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lowres_jax.errors import UserError
from lowres_jax.evaluation import bootstrap
from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.utils.files import write_atomically

_KEYS = ("dataset", "created", "versions", "rows")
_ROW_KEYS = ("upscaler", "lr_size", "recognizer", "protocol", "metrics", "interval", "difference")


def row(
    upscaler: str,
    lr_size: int,
    recognizer: str,
    protocol: str,
    estimate: Estimate,
    references: Mapping[str, Estimate],
    images: int,
    folds: int | None,
    undetected: int,
) -> dict[str, Any]:
    """One row of results.json; what is not finite is left out.

    Args:
      upscaler: name, "none" for the originals, "raw" for the unenlarged images.
      lr_size: side of the low-resolution image in pixels.
      recognizer: name.
      protocol: "lfw", "lfw_searcher", "all_against_all", "searcher", "all_against_all_centered", "searcher_centered",
        "blufr", "blufr_searcher", "open_set_o1" to "open_set_o3", or "image_quality".
      estimate: estimate of the method.
      references: "bicubic" and "bilinear" -> their estimate on the same resamples; the method itself is skipped.
      images: number of images of the evaluation.
      folds: number of folds, None where there are none.
      undetected: images in which no face was found.
    """
    found = {name: estimate for name, estimate in references.items() if name != upscaler}
    resampled = {name: samples for name, samples in estimate.samples.items() if np.isfinite(samples).all()}
    return {
        "upscaler": upscaler,
        "lr_size": lr_size,
        "recognizer": recognizer,
        "protocol": protocol,
        "metrics": _finite({name: (value,) for name, value in estimate.metrics.items()}, scalar=True),
        "interval": _finite({name: bootstrap.interval(samples) for name, samples in resampled.items()}),
        "difference": {
            reference: _finite(
                {
                    name: bootstrap.difference(estimate, other, name)
                    for name in resampled
                    if name in other.samples and np.isfinite(other.samples[name]).all()
                }
            )
            for reference, other in found.items()
        },
        "images": images,
        "folds": folds,
        "undetected": undetected,
    }


def _finite(values: Mapping[str, Sequence[float]], scalar: bool = False) -> dict[str, Any]:
    """JSON has no NaN and no infinity; and a sum's rounding error must not look like an interval that excludes zero."""
    kept = {
        name: [round(float(number), 9) for number in numbers]
        for name, numbers in values.items()
        if all(math.isfinite(number) for number in numbers)
    }
    return {name: numbers[0] for name, numbers in kept.items()} if scalar else dict(kept)


def versions() -> dict[str, str]:
    """Versions of the packages that made the figures."""
    import cv2
    import jax

    devices = jax.devices()
    kind = _processor() if devices[0].platform == "cpu" else f"{len(devices)} x {devices[0].device_kind}"
    found = {name: importlib.metadata.version(name) for name in ("lowres_jax", "jax", "flax", "numpy")}
    return {
        "python": platform.python_version(),
        **found,
        "opencv": cv2.__version__,
        "device": f"{kind}, {os.cpu_count()} CPU cores",
    }


def _processor() -> str:
    """The processor's name where the system tells it (Linux does), else its architecture."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def make_results(dataset: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The content of results.json, stamped with time and versions."""
    created = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    return {"dataset": dataset, "created": created, "versions": versions(), "rows": [dict(each) for each in rows]}


def write_results(path: Path, results: Mapping[str, Any]) -> None:
    """Writes results.json whole or not at all.

    Raises:
      UserError: the file cannot be written.
    """
    content = json.dumps(results, indent=1, allow_nan=False)
    with write_atomically(path) as file:
        file.write(content.encode() + b"\n")


def read_results(path: Path) -> dict[str, Any]:
    """Reads results.json.

    Raises:
      UserError: the file is missing, or not one that an evaluation of this project wrote.
    """
    advice = "give the results.json of a workdir, written by the compare task"
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {advice}") from error
    except ValueError as error:
        raise UserError(f"{path}: not a JSON file; {advice}") from error
    missing = [key for key in _KEYS if not isinstance(results, dict) or key not in results]
    if missing:
        raise UserError(f"{path}: has no {missing[0]!r}; {advice}")
    for position, each in enumerate(results["rows"]):
        missing = [key for key in _ROW_KEYS if not isinstance(each, dict) or key not in each]
        if missing:
            raise UserError(f"{path}: row {position} has no {missing[0]!r}; {advice}")
    return results
