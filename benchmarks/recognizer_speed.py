"""Templates a second of SFace: this package's, its depthwise layers as XLA's own grouped convolutions, and OpenCV's.

And gradients of its kernels, as for training it on.

    python benchmarks/recognizer_speed.py [--images=512] [--rounds=3]

OpenCV takes one aligned face of 112 px at a time. Compilation is not counted. Figures of a machine that does other work
meanwhile mean nothing.
"""

import argparse
import contextlib
import functools
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import jax
import numpy as np
import skimage.data
from flax import linen as nn

from lowres_jax.pretrained import cards
from lowres_jax.recognition.recognizer import NetworkRecognizer, load_network
from lowres_jax.recognition.sface import PixelDense, ShiftedConvolution
from lowres_jax.runtime import environment


def faces(count: int) -> np.ndarray:
    """(count, 112, 112, 3) float32: windows around the astronaut's face."""
    picture = skimage.data.astronaut()[20:180, 130:290].astype(np.float32) / 255.0
    return np.stack([picture[k % 48 : k % 48 + 112, k // 48 % 48 : k // 48 % 48 + 112] for k in range(count)])


def grouped(layer: ShiftedConvolution, images: jax.Array) -> jax.Array:
    """What a shifted convolution computes, by XLA's convolution."""
    channels = images.shape[-1]
    kernel: Any = layer.get_variable("params", "kernel")
    groups = channels if layer.features is None else 1
    return jax.lax.conv_general_dilated(
        images,
        kernel,
        (layer.stride, layer.stride),
        ((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def rates(runs: dict[str, Callable[[np.ndarray], np.ndarray]], images: np.ndarray, rounds: int) -> dict[str, float]:
    """Images a second of each, median of rounds that take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(images[:64])
    for _ in range(rounds):
        for name, run in runs.items():
            begin = time.perf_counter()
            run(images)
            seconds[name].append(time.perf_counter() - begin)
    return {name: len(images) / statistics.median(each) for name, each in seconds.items()}


def gradient_rates(recognizer: NetworkRecognizer, images: np.ndarray, rounds: int) -> dict[str, float]:
    """Images a second of the gradient of all kernels: ours, and with the gradients of the 1x1 ones left to XLA."""

    def left_to_xla(next_function: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if isinstance(context.module, PixelDense) and context.method_name == "__call__":
            kernel: Any = context.module.get_variable("params", "kernel")
            return args[0] @ kernel
        return next_function(*args, **kwargs)

    def loss(params: Any, batch: jax.Array, plainly: bool) -> jax.Array:
        variables = recognizer.variables | {"params": params}
        with nn.intercept_methods(left_to_xla) if plainly else contextlib.nullcontext():
            return (recognizer.module.apply(variables, batch) ** 2).sum()

    def run(plainly: bool) -> Callable[[np.ndarray], np.ndarray]:
        compiled = jax.jit(jax.grad(functools.partial(loss, plainly=plainly)))
        return lambda batch: jax.block_until_ready(compiled(recognizer.variables["params"], batch))

    return rates({"ours": run(plainly=False), "1x1 left to XLA": run(plainly=True)}, images, rounds)


def main() -> None:
    """Measures, compares the templates, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    environment.enable_compilation_cache()
    images = faces(arguments.images)
    recognizer = load_network("sface")
    card = cards.load_card("sface", "recognition")
    opencv = cv2.FaceRecognizerSF.create(str(Path(cards.weight_path(card))), "")

    def by_opencv(batch: np.ndarray) -> np.ndarray:
        pixels = np.round(batch[..., ::-1] * 255).astype(np.uint8)
        found = np.concatenate([opencv.feature(each) for each in pixels])
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def plainly(next_function: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if isinstance(context.module, ShiftedConvolution) and context.method_name == "__call__":
            return grouped(context.module, *args)
        return next_function(*args, **kwargs)

    def apply(variables: Any, batch: jax.Array) -> jax.Array:
        with nn.intercept_methods(plainly):
            return recognizer.module.apply(variables, batch)

    compiled = jax.jit(apply)

    def by_grouped(batch: np.ndarray) -> np.ndarray:
        parts = [batch[start : start + 64] for start in range(0, len(batch), 64)]
        return np.concatenate([np.asarray(compiled(recognizer.variables, part)) for part in parts])

    runs = {"ours": recognizer.templates, "grouped convolutions": by_grouped, "OpenCV": by_opencv}
    for name, rate in rates(runs, images, arguments.rounds).items():
        print(f"{name:22}{rate:8.1f} templates/s")
    for name, rate in gradient_rates(recognizer, images[:16], arguments.rounds).items():
        print(f"{name:22}{rate:8.1f} gradients/s of all kernels")
    likeness = np.sum(recognizer.templates(images[:32]) * by_opencv(images[:32]), axis=1)
    print(f"{os.cpu_count()} processors; cosine of ours and OpenCV's at least {likeness.min():.5f}")


if __name__ == "__main__":
    main()
