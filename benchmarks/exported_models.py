"""Exported networks beside ours: size, speed in onnxruntime, and what storing their weights smaller costs.

    python benchmarks/exported_models.py --judge dlib identity identity_x8 sface

On the people that no training saw (CASIA-WebFace prepared as for the trainings). Of upscalers: PSNR at the size that
they are made for and DIR at FAR 1 % with originals enrolled, by a judge; of recognizers the DIR of originals. Speed:
images a second by onnxruntime and by the project, in turn, medians of five rounds of 32.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lowres_jax.data.degradations import low_resolution
from lowres_jax.data.records import open_records
from lowres_jax.data.resize import fit
from lowres_jax.data.splits import split_identities
from lowres_jax.evaluation.identification import (
    detection_and_identification_rate,
    probe_statistics,
    threshold_at_far,
)
from lowres_jax.interchange import onnx_file
from lowres_jax.interchange.networks import portable
from lowres_jax.pretrained import cards
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import environment
from lowres_jax.super_resolution.upscaler import load_upscaler

_BATCH = 32


def main() -> None:
    """Measures and prints a row for each model and precision."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--judge", default="dlib", help="none: speed and PSNR only")
    parser.add_argument("--dataset", default="casia_webface/mtcnn_jpeg")
    arguments = parser.parse_args()
    environment.enable_compilation_cache()
    source = open_records(environment.datasets_folder() / arguments.dataset)
    held_out = split_identities(source.labels, 0.05, 0).validation
    crops, labels = source.crops(held_out)[0].astype(np.float32) / np.float32(255), source.labels[held_out]
    judge = None if arguments.judge == "none" else load_recognizer(arguments.judge)
    originals = None
    print(f"{len(crops)} crops of {len(np.unique(labels))} people held out; upscalers judged by {arguments.judge}")
    print(f"{'':22}{'MB':>7}{'images/s':>10}{'ours':>7}{'PSNR':>8}{'DIR':>7}")
    for name in arguments.models:
        network, enlarges = portable(name), name in cards.names("super_resolution")
        if enlarges:
            size = int(network.facts["made_for"])
            inputs = np.concatenate([low_resolution(part, size) for part in np.array_split(crops, 32)])
            ours: Callable[[np.ndarray], np.ndarray] = load_upscaler(name)
            if judge is not None and originals is None:
                originals = judge.templates(crops)
        else:
            inputs = fit(crops, int(network.facts["input_size"]))
            ours = load_recognizer(name).templates
        for precision in onnx_file.PRECISIONS:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "network.onnx"
                onnx_file.write(path, network, precision)
                content = path.read_bytes()
            session = onnx_file.session(content)

            def run(images: np.ndarray, session: Callable[..., list[np.ndarray]] = session) -> np.ndarray:
                return session(images)[0]

            found = np.concatenate([run(part) for part in np.array_split(inputs, len(inputs) // _BATCH)])
            speeds = measured([run, ours], inputs[:_BATCH])
            line = f"{name:14}{precision:8}{len(content) / 1e6:7.2f}{speeds[0]:10.1f}{speeds[1]:7.1f}"
            if enlarges:
                line += f"{np.mean(-10.0 * np.log10(np.mean((found - crops) ** 2, axis=(1, 2, 3)))):8.2f}"
                line += f"{rate(judge.templates(found), labels, originals):7.1f}" if judge is not None else ""
            else:
                line += f"{'':8}{rate(found, labels, None):7.1f}"
            print(line, flush=True)


def measured(functions: list[Callable[[np.ndarray], np.ndarray]], batch: np.ndarray) -> list[float]:
    """Images a second of each, in turn."""
    for each in functions:
        each(batch)
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(5):
        for own, each in zip(seconds, functions, strict=True):
            begin = time.perf_counter()
            each(batch)
            own.append(time.perf_counter() - begin)
    return [len(batch) / statistics.median(own) for own in seconds]


def rate(probes: np.ndarray, labels: np.ndarray, gallery: np.ndarray | None) -> float:
    """DIR at FAR 1 %, rank 1, in per cent."""
    found = probe_statistics(probes, labels, gallery)
    return 100.0 * detection_and_identification_rate(found, threshold_at_far(found, 0.01), 1)


if __name__ == "__main__":
    main()
