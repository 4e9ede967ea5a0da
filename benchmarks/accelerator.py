"""Speed of an accelerator: networks and training steps in images/s, TFLOP/s and share of its matrix product's rate.

    python benchmarks/accelerator.py [--seconds 120] [--output OUT] [--platform gpu]

Float32, TF32 and bfloat16, a sweep of batches, compile times, MTCNN, the input pipeline, and what a step's time goes
into, in order of worth until the seconds are over. OUT/accelerator_speed.json gets each figure as it is there. PyTorch
is measured beside it where it is installed. `--small` takes thin networks, for a rehearsal on a processor. FLOP are
counted by XLA from the programs.
"""

import argparse
import functools
import gzip
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch_networks
from flax import linen as nn
from ml_collections import ConfigDict

from lowres_jax.data import pipeline
from lowres_jax.data.records import RecordSource
from lowres_jax.errors import UserError
from lowres_jax.interchange import device_agreement
from lowres_jax.localization.mtcnn import cascade as mtcnn
from lowres_jax.nn import precision
from lowres_jax.recognition import resnet
from lowres_jax.recognition.loss_networks import identity_networks
from lowres_jax.recognition.recognizer import load_network
from lowres_jax.recognition.training import train_config as recognition_recipe
from lowres_jax.recognition.training import trainer as recognizer_trainer
from lowres_jax.runtime import environment
from lowres_jax.super_resolution import edsr, rrdbnet, srresnet
from lowres_jax.super_resolution.training import train_config
from lowres_jax.super_resolution.training import trainer as generator_trainer
from lowres_jax.super_resolution.training.transform import Transform
from lowres_jax.training import devices, session
from lowres_jax.utils.files import write_atomically

# Name of a way to compute -> precision of float32 products, dtype of the computation.
WAYS = {
    "float32": (precision.FULL, "float32"),
    "tf32": (precision.DEVICE, "float32"),
    "bfloat16": (precision.DEVICE, "bfloat16"),
}
STEPS_PER_CALL = 10
Figures = dict[str, Any]


def rate(run: Callable[[], Any], seconds: float) -> tuple[float, float]:
    """Calls a second after the first, and the seconds of the first, which compiles."""
    begin = time.perf_counter()
    jax.block_until_ready(run())
    first = time.perf_counter() - begin
    calls, begin = 0, time.perf_counter()
    while calls < 2 or time.perf_counter() - begin < seconds:
        jax.block_until_ready(run())
        calls += 1
    return calls / (time.perf_counter() - begin), first


def matrix_products(small: bool, seconds: float) -> Iterator[tuple[str, Figures]]:
    """TFLOP/s of a large square product, which is what the machine can do at best."""
    side = 512 if small else 8192
    for way, (chosen, dtype) in WAYS.items():
        matrix = jnp.asarray(np.random.default_rng(0).standard_normal((side, side)), dtype)
        product = jax.jit(precision.at(chosen, jnp.matmul))
        speed, first = rate(functools.partial(product, matrix, matrix), seconds)
        yield f"matrix product, {way}", {"tflops": 2 * side**3 * speed / 1e12, "compile_seconds": first}


def inference(
    name: str, module: nn.Module, side: int, batches: list[int], ways: list[str], seconds: float
) -> Iterator[tuple[str, Figures]]:
    """Images/s of a network on images that are on the device already."""
    for way in ways:
        chosen, dtype = WAYS[way]
        if dtype != "float32" and not hasattr(module, "dtype"):
            continue
        computing = module.clone(dtype=jnp.dtype(dtype)) if hasattr(module, "dtype") else module
        variables = jax.device_put(device_agreement.drawn(computing, np.zeros((1, side, side, 3), np.float32)))
        for batch in batches:
            images = jnp.asarray(np.random.default_rng(0).random((batch, side, side, 3), np.float32))
            apply, flop, compiling = compiled(jax.jit(precision.at(chosen, computing.apply)), variables, images)
            speed, _ = rate(functools.partial(apply, variables, images), seconds)
            yield f"{name}, {way}, batch {batch}", _figures(speed, batch, compiling, flop, way)


def generator_step(
    name: str, config: ConfigDict, batches: list[int], ways: list[str], seconds: float
) -> Iterator[tuple[str, Figures]]:
    """Images/s of a generator's training from crops that stay on the device, several steps a call."""
    config = config.copy_and_resolve_references()
    settings, size = config.losses.identity, config.hr_size
    crops = np.random.default_rng(0).integers(0, 256, (64, size, size, 3), np.uint8)
    for way in ways:
        config.compute_dtype = WAYS[way][1]
        lenses = identity_networks([load_network("sface")], settings.weight) if settings.weight else []
        training, samples = generator_trainer.make(config, 1000, None, lenses), Transform(config)
        step, constants = session.from_residents(
            training.step, training.constants, samples, _Crops(crops), np.arange(64)
        )
        for batch in batches:
            generator = np.random.default_rng(0)
            rows = {
                "row": generator.integers(0, 64, (STEPS_PER_CALL, batch)).astype(np.int32),
                "mirrored": generator.random((STEPS_PER_CALL, batch)) < 0.5,
            }
            yield f"{name}, {way}, batch {batch}", _step(training.init(), step, constants, rows, way, seconds)


def recognizer_step(small: bool, batches: list[int], ways: list[str], seconds: float) -> Iterator[tuple[str, Figures]]:
    """Images/s of ResNet-50's training with ArcFace over 10,575 people, images of 112 px on the device."""
    config = recognition_recipe.default_config()
    config.steps, config.model.fields.depth = 1000, 18 if small else 50
    classes = 100 if small else 10_575
    for way in ways:
        config.compute_dtype = WAYS[way][1]
        training = recognizer_trainer.make(config, classes, 1000)
        constants = training.constants(np.arange(classes, dtype=np.int32))
        for batch in batches:
            generator = np.random.default_rng(0)
            rows = {
                "image": generator.integers(0, 256, (STEPS_PER_CALL, batch, 112, 112, 3), np.uint8),
                "label": generator.integers(0, classes, (STEPS_PER_CALL, batch)),
            }
            name = f"ResNet-{config.model.fields.depth} step, {way}, batch {batch}"
            yield name, _step(training.init(), training.step, constants, rows, way, seconds)


class _Crops(RecordSource):
    """The part of a source that `session.from_residents` reads."""

    def __init__(self, crops: np.ndarray):
        self._crops = crops

    def crops(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._crops[indices], np.zeros(len(indices), np.int64)


def _step(state: Any, step: Any, constants: Any, rows: dict[str, np.ndarray], way: str, seconds: float) -> Figures:
    """Figures of a training step; of a loop XLA counts the operations once, so that they are a step's."""
    parallel = devices.data_parallel(precision.at(WAYS[way][0], step), state, stacked=True)
    fixed, batch, place = devices.replicate(constants), devices.divide(rows, stacked=True), [devices.replicate(state)]
    program, flop, compiling = compiled(parallel, place[0], fixed, batch)

    def run() -> Any:
        place[0], metrics = program(place[0], fixed, batch)
        return metrics

    calls, images = rate(run, seconds)[0], next(iter(rows.values())).shape[1]
    return _figures(STEPS_PER_CALL * calls, images, compiling, flop, way)


def compiled(function: Any, *arguments: Any) -> tuple[Callable[..., Any], float, float]:
    """A jitted function's program, its floating-point operations, and the seconds it took to compile."""
    begin = time.perf_counter()
    lowered = function.lower(*arguments)
    program = lowered.compile()
    seconds = time.perf_counter() - begin
    return program, float((lowered.cost_analysis() or {}).get("flops", 0.0)), seconds


def _figures(calls: float, batch: int, compiling: float, flop: float, way: str) -> Figures:
    found = {"images_per_second": calls * batch, "compile_seconds": compiling, "batch": batch, "way": way}
    return found | ({"tflops": calls * flop / 1e12} if flop else {})


def detection(seconds: float) -> Iterator[tuple[str, Figures]]:
    """MTCNN on pictures of 250 px, on noise: the pyramid's work, few faces."""
    detector = mtcnn.Model()
    pictures = list(np.random.default_rng(0).random((64, 250, 250, 3), np.float32))
    speed, first = rate(lambda: [len(found) for found in detector.detect_batch(pictures)], seconds)
    yield "MTCNN, 250 px", {"images_per_second": speed * len(pictures), "compile_seconds": first}


def input_pipeline(seconds: float) -> Iterator[tuple[str, Figures]]:
    """Crops/s that the host decodes for a step, and choices/s for crops on the device."""
    folder = environment.cache_folder() / "datasets"
    sets = sorted(path.parent for path in folder.glob("*/*/*/dataset_info.json") if path.parts[-4] != "lfw")
    if not sets:
        return
    source, samples = RecordSource(sets[0]), Transform(train_config.default_config())
    batch, threads = 64, len(os.sched_getaffinity(0))
    for name, choices in (("decoded on the host", None), ("chosen for the device", samples.choices)):
        batches = pipeline.batches(source, batch, seed=0, transform=samples, threads=threads, choices=choices)
        speed, _ = rate(functools.partial(next, batches), seconds)
        yield f"input, crops {name}, {threads} threads", {"images_per_second": speed * batch}


def templates(small: bool, seconds: float) -> Iterator[tuple[str, Figures]]:
    """SFace from images on the host to templates on the host, as figures are made: float32."""
    images = np.random.default_rng(0).random((64 if small else 1024, 112, 112, 3), np.float32)
    network = load_network("sface")
    speed, first = rate(lambda: network.templates(images), seconds)
    yield "SFace templates, float32", {"images_per_second": speed * len(images), "compile_seconds": first}


def profile(config: ConfigDict, batch: int) -> Iterator[tuple[str, Figures]]:
    """The largest operations of a generator's step by time, by JAX's profiler."""
    crops = np.random.default_rng(0).integers(0, 256, (64, config.hr_size, config.hr_size, 3), np.uint8)
    lenses = identity_networks([load_network("sface")], config.losses.identity.weight)
    training, samples = generator_trainer.make(config, 1000, None, lenses), Transform(config)
    step, constants = session.from_residents(training.step, training.constants, samples, _Crops(crops), np.arange(64))
    state = training.init()
    parallel = devices.data_parallel(precision.at(precision.DEVICE, step), state)
    fixed, place = devices.replicate(constants), devices.replicate(state)
    rows = devices.divide({"row": np.arange(batch, dtype=np.int32) % 64, "mirrored": np.zeros(batch, bool)})
    place, _ = parallel(place, fixed, rows)
    jax.block_until_ready(place)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            for _ in range(3):
                place, _ = parallel(place, fixed, rows)
            jax.block_until_ready(place)
            seconds = time.perf_counter() - begin
        traces = sorted(Path(folder).rglob("perfetto_trace.json.gz"))
        totals = operations(json.loads(gzip.decompress(traces[0].read_bytes()))) if traces else {}
    whole = sum(totals.values()) or 1.0
    largest = sorted(totals.items(), key=lambda item: -item[1])[:12]
    yield (
        f"profile of the identity step, {config.compute_dtype}, batch {batch}",
        {
            "seconds_a_step": seconds / 3,
            "device_share": min(1.0, whole / 1e6 / seconds),
            "operations": {name: round(total / whole, 4) for name, total in largest},
        },
    )


def operations(trace: dict[str, Any]) -> dict[str, float]:
    """Microseconds of each kind of operation on the devices; numbers at the end of names are left out."""
    events = trace["traceEvents"] if isinstance(trace, dict) else trace
    names = {e["pid"]: e["args"]["name"] for e in events if e.get("name") == "process_name"}
    threads = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e.get("name") == "thread_name"}
    totals: dict[str, float] = {}
    for event in events:
        if event.get("ph") != "X" or "dur" not in event:
            continue
        thread = threads.get((event["pid"], event["tid"]), "")
        device = "/device:" in names.get(event["pid"], "") and "Stream" in thread
        host = "/host:CPU" in names.get(event["pid"], "") and "XLA" in thread
        # On a processor the executor's own entries hold those of the operations.
        if device or (host and not event["name"].startswith(("ThunkExecutor", "Rendezvous"))):
            kind = event["name"].rstrip("0123456789.")
            totals[kind] = totals.get(kind, 0.0) + event["dur"]
    return totals


def pytorch(batch: int, seconds: float) -> Iterator[tuple[str, Figures]]:
    """The same SRResNet x4 step by PyTorch, channels last, bfloat16 by autocast, compiled where that works."""
    try:
        import torch
    except ImportError:
        return
    if not torch.cuda.is_available():
        return
    network = torch_networks.srresnet().to("cuda", memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)
    low, high = torch.rand(batch, 3, 32, 32, device="cuda"), torch.rand(batch, 3, 128, 128, device="cuda")
    low, high = (images.to(memory_format=torch.channels_last) for images in (low, high))

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16):
            loss = (network(low).float() - high).abs().mean()
        loss.backward()
        optimizer.step()
        torch.cuda.synchronize()

    speed, first = rate(step, seconds)
    yield f"PyTorch: SRResNet x4 step, bfloat16, batch {batch}", _figures(speed, batch, first, 0.0, "bfloat16")


def cases(small: bool) -> Iterator[Callable[[], Iterator[tuple[str, Figures]]]]:
    """All measurements, in order of worth."""
    seconds = 0.2 if small else 1.0
    sizes = [8] if small else [128, 64, 256, 512]
    fields: dict[str, Any] = {"blocks": 1, "features": 16} if small else {}

    def generator(scale: int, identity: bool, adversarial: bool = False) -> ConfigDict:
        config = train_config.default_config()
        config.steps = 1000
        config.model.fields.update({"scale": scale, **fields})
        config.losses.identity.weight = 0.1 if identity else 0.0
        if small:
            config.hr_size = 64
        if adversarial:
            config.losses.adversarial.weight, config.losses.edge.weight = 1e-4, 1.0
            config.discriminator.update({"sees": "rgb_and_edges", "width": 0.125 if small else 1.0})
        return config

    face = generator(8, True)
    face.compute_dtype = "bfloat16"
    models = {
        "SRResNet x4": (srresnet.Model(**fields), 32),
        "SRResNet x8": (srresnet.Model(scale=8, **fields), 16),
        "ResNet-50": (resnet.Model(depth=18 if small else 50, dropout=0.0), 112),
        "RRDBNet x4": (rrdbnet.Model(**fields), 32),
        "EDSR x4": (edsr.Model(**(fields or {"tail": "direct"})), 32),
    }
    all_ways = list(WAYS)
    yield lambda: matrix_products(small, seconds)
    yield lambda: generator_step("identity x8 step", face, sizes[:1], ["bfloat16", "tf32"], seconds)
    yield lambda: generator_step("identity x4 step", generator(4, True), sizes[:1], ["bfloat16"], seconds)
    yield lambda: profile(face, sizes[0])
    yield lambda: inference("SRResNet x4", *models["SRResNet x4"], sizes[:1], all_ways, seconds)
    yield lambda: templates(small, seconds)
    yield lambda: input_pipeline(seconds)
    yield lambda: generator_step("canny step", generator(4, False, True), sizes[1:2] or sizes, ["bfloat16"], seconds)
    yield lambda: recognizer_step(small, sizes[:1], ["bfloat16"], seconds)
    yield lambda: pytorch(sizes[0], seconds)
    yield lambda: generator_step("plain x4 step", generator(4, False), sizes[:1], ["bfloat16", "tf32"], seconds)
    yield lambda: detection(seconds)
    for name in ("SRResNet x8", "ResNet-50", "RRDBNet x4", "EDSR x4"):
        yield functools.partial(inference, name, *models[name], sizes[:1], ["bfloat16", "tf32"], seconds)
    yield lambda: generator_step("identity x8 step", face, sizes[1:], ["bfloat16"], seconds)
    yield lambda: recognizer_step(small, sizes[:1], ["tf32"], seconds)


def main() -> None:
    """Measures until the seconds are over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--output", type=Path, default=Path("workdirs/accelerator"))
    parser.add_argument("--platform", default="")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.seconds
    environment.initialize(ConfigDict({"platform": arguments.platform}))
    found: dict[str, Figures] = {}
    for case in cases(arguments.small):
        measured = case()
        # One after the other, each a program to compile: the time is read between them.
        while time.monotonic() < end:
            try:
                name, figures = next(measured)
            except StopIteration:
                break
            except (jax.errors.JaxRuntimeError, UserError) as error:
                name, figures = f"failed: {type(error).__name__}", {"error": str(error).splitlines()[0][:200]}
                print(f"{name}: {figures['error']}", flush=True)
                break
            found[name] = figures
            _tell(name, figures, found)
            with write_atomically(arguments.output / "accelerator_speed.json") as file:
                file.write(json.dumps(found, indent=1).encode() + b"\n")
    print(f"{len(found)} figures; {max(0.0, end - time.monotonic()):.0f} s left", flush=True)


def _tell(name: str, figures: Figures, found: dict[str, Figures]) -> None:
    """Prints a line, with the share of what a matrix product of the same way reaches."""
    parts = []
    if "images_per_second" in figures:
        parts.append(f"{figures['images_per_second']:,.0f} images/s")
    if "tflops" in figures:
        parts.append(f"{figures['tflops']:.3g} TFLOP/s")
        peak = found.get(f"matrix product, {figures.get('way')}", {}).get("tflops")
        if peak:
            figures["share_of_product"] = figures["tflops"] / peak
            parts.append(f"{figures['share_of_product']:.0%} of the product's rate")
    if "operations" in figures:
        parts.append(", ".join(f"{kind} {share:.0%}" for kind, share in list(figures["operations"].items())[:4]))
    if "compile_seconds" in figures:
        parts.append(f"compiled in {figures['compile_seconds']:.1f} s")
    print(f"{name}: {', '.join(parts)}", flush=True)


if __name__ == "__main__":
    main()
