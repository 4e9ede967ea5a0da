"""Images a second that each upscaler makes of 32x32 faces, in batches, one by one, and by OpenCV where it can.

    python benchmarks/upscaler_speed.py [--names=bicubic,srgan] [--batch_size=16] [--seconds=3]

OpenCV runs bilinear and bicubic by `cv2.resize` one by one, and the published EDSR graphs by `cv2.dnn` (in one batch of
4 and one by one; the shuffle at their end is left out, as OpenCV 4.14 refuses it). Compilation is not counted. Figures
of a machine that does other work meanwhile mean nothing.
"""

import argparse
import functools
import os
import time
from collections.abc import Callable

import cv2
import numpy as np
import skimage.data
from tensorboardX.proto import graph_pb2

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards
from lowres_jax.runtime import environment
from lowres_jax.super_resolution.upscaler import load_upscaler

OPENCV_METHODS = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
OPENCV_BATCH = 4


def faces(count: int) -> np.ndarray:
    """(count, 32, 32, 3) float32: windows around the astronaut's face."""
    picture = cv2.resize(skimage.data.astronaut()[:256, 96:352], (64, 64), interpolation=cv2.INTER_AREA)
    windows = [picture[k % 32 : k % 32 + 32, k // 32 % 32 : k // 32 % 32 + 32] for k in range(count)]
    return np.stack(windows).astype(np.float32) / 255.0


def rate(run: Callable[[], object], images: int, seconds: float) -> float:
    """Images a second: the best of the runs that fit into the time (at least two, after one that is not counted)."""
    run()
    times: list[float] = []
    while len(times) < 2 or sum(times) < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return images / min(times)


def opencv_runs(name: str, images: np.ndarray) -> tuple[Callable[[], object] | None, Callable[[], object] | None]:
    """(in one batch, one by one) by OpenCV; None where it cannot."""
    if name in OPENCV_METHODS:
        enlarge = functools.partial(cv2.resize, dsize=None, fx=4, fy=4, interpolation=OPENCV_METHODS[name])
        return None, lambda: [enlarge(image) for image in images]
    if not name.startswith("edsr"):
        return None, None
    graph = graph_pb2.GraphDef.FromString(cards.weight_path(cards.load_card(name, "super_resolution")).read_bytes())
    position = next(number for number, node in enumerate(graph.node) if node.op == "DepthToSpace")
    last = graph.node[position].input[0]
    del graph.node[position:]
    network = cv2.dnn.readNetFromTensorflow(np.frombuffer(graph.SerializeToString(), np.uint8))
    blob = np.ascontiguousarray((images[:OPENCV_BATCH] * 255.0).transpose(0, 3, 1, 2))

    def run(batch: np.ndarray) -> None:
        network.setInput(batch)
        network.forward(last)

    return lambda: run(blob), lambda: run(blob[:1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", default="bilinear,bicubic,srresnet,srgan,esrgan,edsr_x2,edsr_x3,edsr_x4")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure")
    arguments = parser.parse_args()
    environment.enable_compilation_cache()
    import jax

    images = faces(arguments.batch_size)
    print(f"{os.cpu_count()} cores, {jax.default_backend()}, load {os.getloadavg()[0]:.1f}; images a second, 32x32")
    print(
        f"{'':10} {'scale':>6} {f'batch {len(images)}':>10} {'one by one':>11} {'OpenCV batch':>13} {'OpenCV one':>11}"
    )
    for name in arguments.names.split(","):
        try:
            upscaler = load_upscaler(name)
            opencv_batch, opencv_one = opencv_runs(name, images)
        except UserError as error:
            print(f"{name:10} {error}")
            continue
        slow = name.startswith(("edsr", "esrgan"))
        singles = images[: 2 if slow else None]
        own_one = functools.partial(lambda upscaler, singles: [upscaler(i[None]) for i in singles], upscaler, singles)
        figures = [
            rate(functools.partial(upscaler, images), len(images), arguments.seconds),
            rate(own_one, len(singles), arguments.seconds),
        ]
        row = f"{name:10} {'x' + str(upscaler.scale):>6} {figures[0]:10.1f} {figures[1]:11.1f}"
        for run, count, width in (
            (opencv_batch, OPENCV_BATCH, 13),
            (opencv_one, len(images) if name in OPENCV_METHODS else 1, 11),
        ):
            row += f" {rate(run, count, arguments.seconds):{width}.1f}" if run else f" {'-':>{width}}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
