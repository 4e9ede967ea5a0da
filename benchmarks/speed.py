"""Our loops beside a peer's, in turn, in one run on one machine: items a second, median of the rounds.

    python benchmarks/speed.py generator            # SRResNet 32 -> 128: steps and inference; PyTorch
    python benchmarks/speed.py resnet50             # training step and templates at 112 px; PyTorch
    python benchmarks/speed.py sface                # templates and gradients; OpenCV, XLA's grouped convolutions
    python benchmarks/speed.py upscalers            # every upscaler; OpenCV where it can
    python benchmarks/speed.py mtcnn --source FOLDER              # detection; the package mtcnn
    python benchmarks/speed.py clip --source walk.mp4             # frames searched; as deepface does it
    python benchmarks/speed.py records --source PREPARED_SET      # decoded records; tf.data
    python benchmarks/speed.py all_against_all      # 13,233 templates; the literal matrix of distances
    python benchmarks/speed.py onnx                 # exported models; onnxruntime
    python benchmarks/speed.py preparation --source FOLDER        # one process; workers of Apache Beam

The first round compiles and is not counted. Figures mean something on an otherwise idle machine only.
"""

import argparse
import contextlib
import functools
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import skimage.data
import torch_networks
from flax import linen as nn
from ml_collections import ConfigDict

from lowres_jax.data import images
from lowres_jax.data.picture_files import find_pictures
from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards
from lowres_jax.recognition.recognizer import NetworkRecognizer, load_network, load_recognizer
from lowres_jax.runtime import cli, environment
from lowres_jax.super_resolution.upscaler import load_upscaler
from lowres_jax.training import devices

_PEOPLE = 1000  # that ResNet-50 tells apart


@dataclass(frozen=True)
class Loop:
    """Ways to do the same.

    Attributes:
      name: name of it.
      count: items of a call.
      ways: name -> a call; ours first.
      gflop: floating-point operations of an item, in billions; 0: not counted.
    """

    name: str
    count: int
    ways: Mapping[str, Callable[[], object]]
    gflop: float = 0.0


def faces(count: int, side: int) -> np.ndarray:
    """(count, side, side, 3) float32: windows around the astronaut's face."""
    picture = cv2.resize(skimage.data.astronaut()[:256, 96:352], (2 * side, 2 * side), interpolation=cv2.INTER_AREA)
    steps = [(number % side, number // side % side) for number in range(count)]
    windows = [picture[top : top + side, left : left + side] for left, top in steps]
    return np.stack(windows).astype(np.float32) / np.float32(255)


def generator(given: argparse.Namespace) -> Iterator[Loop]:
    """Training steps for L1 and with the identity loss, and inference."""
    from lowres_jax.recognition.loss_networks import identity_networks
    from lowres_jax.super_resolution.training import train_config, trainer

    batch, config = given.count or 16, train_config.default_config()
    theirs = torch_networks.loops(torch_networks.srresnet, batch, 32, given.threads)
    config.steps, config.ema = 1000, 0.0
    rows = {"image": np.random.default_rng(0).integers(0, 256, (batch, 128, 128, 3), np.uint8)}
    gflop = 4.55  # 2 x 2.27 GMAC forward, three times that in training
    for name, weight in (("training step", 0.0), ("identity step", 0.1)):
        config.losses.identity.weight = weight
        lenses = identity_networks([load_network("sface")], weight) if weight else []
        training = trainer.make(config, config.steps, identity=lenses)
        ours = _step(training.step, training.init(), training.constants, rows)
        yield Loop(name, batch, {"ours": ours, **theirs.get(name, {})}, 3 * gflop)
    infer = functools.partial(trainer.predict(training.generator), trainer.result(training.init()))
    low = faces(batch, 32)
    yield Loop("inference", batch, {"ours": lambda: infer(low, batch), **theirs.get("inference", {})}, gflop)


def resnet50(given: argparse.Namespace) -> Iterator[Loop]:
    """Recognizer of Orsini and Rossi 2022: pooled features, softmax over 1,000 people, Adam."""
    from lowres_jax.recognition.training import train_config, trainer
    from lowres_jax.training import networks

    batch, config, draw = given.count or 32, train_config.default_config(), np.random.default_rng(0)
    make = functools.partial(torch_networks.resnet50, _PEOPLE)
    theirs = torch_networks.loops(make, batch, 112, given.threads, _PEOPLE)
    config.model.fields.embedding, config.steps = 0, 1000
    config.losses.classification.update({"kind": "softmax", "scale": 1.0, "margin": 0.0})
    config.optimizer.update({"name": "adam", "learning_rate": 1e-4, "weight_decay": 0.0})
    training = trainer.make(config, _PEOPLE, config.steps)
    pixels, labels = draw.integers(0, 256, (batch, 112, 112, 3), np.uint8), draw.integers(0, _PEOPLE, batch)
    state, gflop = training.init(), 1.94  # 2 x 3.87 / 4 GMAC at 112 px
    ours = _step(training.step, state, training.constants(np.arange(_PEOPLE)), {"image": pixels, "label": labels})
    yield Loop("training step", batch, {"ours": ours, **theirs.get("training step", {})}, 3 * gflop)
    judge = NetworkRecognizer("resnet50", networks.alone(training.recognizer), trainer.result(state), 112)
    templates = functools.partial(judge.templates, faces(batch, 112))
    yield Loop("inference", batch, {"ours": templates, **theirs.get("inference", {})}, gflop)


def _step(step: Any, state: Any, constants: Any, rows: dict[str, np.ndarray]) -> Callable[[], object]:
    """A call that makes one training step, over and over."""
    parallel, fixed, place = (
        devices.data_parallel(step, state),
        devices.replicate(constants),
        [devices.replicate(state)],
    )

    def run() -> None:
        place[0], metrics = parallel(place[0], fixed, devices.divide(rows))
        jax.block_until_ready((place[0], metrics))

    return run


def sface(given: argparse.Namespace) -> Iterator[Loop]:
    """Templates: ours, depthwise layers as XLA's grouped convolutions, OpenCV; and gradients of all kernels."""
    from lowres_jax.recognition.sface import PixelDense, ShiftedConvolution

    recognizer, crops = load_network("sface"), faces(given.count or 512, 112)
    opencv = cv2.FaceRecognizerSF.create(str(cards.weight_path(cards.load_card("sface", "recognition"))), "")

    def one_by_one() -> list[np.ndarray]:
        return [opencv.feature(each) for each in images.to_uint8(crops[..., ::-1])]

    def grouped(next_function: Any, args: Any, kwargs: Any, context: Any) -> Any:
        layer = context.module
        if not isinstance(layer, ShiftedConvolution) or context.method_name != "__call__":
            return next_function(*args, **kwargs)
        kernel: Any = layer.get_variable("params", "kernel")
        return jax.lax.conv_general_dilated(
            args[0],
            kernel,
            (layer.stride, layer.stride),
            ((1, 1), (1, 1)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=args[0].shape[-1] if layer.features is None else 1,
        )

    def left_to_xla(next_function: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if isinstance(context.module, PixelDense) and context.method_name == "__call__":
            kernel: Any = context.module.get_variable("params", "kernel")
            return args[0] @ kernel
        return next_function(*args, **kwargs)

    def apply(params: Any, batch: jax.Array, instead: Any = None) -> jax.Array:
        with nn.intercept_methods(instead) if instead else contextlib.nullcontext():
            return recognizer.module.apply(recognizer.variables | {"params": params}, batch)

    def loss(params: Any, batch: jax.Array, instead: Any) -> jax.Array:
        return (apply(params, batch, instead) ** 2).sum()

    params: Any = recognizer.variables["params"]
    plain = jax.jit(functools.partial(apply, instead=grouped))
    parts = [crops[start : start + 64] for start in range(0, len(crops), 64)]
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: recognizer.templates(crops),
        "grouped convolutions": lambda: [np.asarray(plain(params, part)) for part in parts],
        "OpenCV": one_by_one,
    }
    yield Loop("templates", len(crops), ways)
    few = crops[:16]
    gradients: dict[str, Callable[[], object]] = {}
    for name, instead in (("ours", None), ("1x1 left to XLA", left_to_xla)):
        gradient = jax.jit(jax.grad(functools.partial(loss, instead=instead)))
        gradients[name] = functools.partial(lambda run: jax.block_until_ready(run(params, few)), gradient)
    yield Loop("gradients", len(few), gradients)


def upscalers(given: argparse.Namespace) -> Iterator[Loop]:
    """32x32 faces in a batch and one by one; `cv2.resize`, and `cv2.dnn` for the published EDSR graphs."""
    crops = faces(given.count or 16, 32)
    for name in given.names or ["bilinear", "bicubic", "srresnet", "srgan", "esrgan", "edsr_x4"]:
        try:
            upscaler, few = load_upscaler(name), crops[: 2 if name.startswith("e") else None]
        except UserError as error:
            print(error)
            continue
        ways: dict[str, Callable[[], object]] = {"ours": functools.partial(upscaler, few)}
        ways["ours, one by one"] = functools.partial(_each, upscaler, [each[None] for each in few])
        interpolation = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}.get(name)
        if interpolation is not None:
            enlarge = functools.partial(cv2.resize, dsize=None, fx=4, fy=4, interpolation=interpolation)
            ways["OpenCV"] = functools.partial(_each, enlarge, few)
        elif name.startswith("edsr"):
            ways["OpenCV"] = _edsr_by_opencv(name, few)
        yield Loop(name, len(few), ways)


def _each(enlarge: Callable[[Any], object], crops: Sequence[np.ndarray] | np.ndarray) -> None:
    for crop in crops:
        enlarge(crop)


def _edsr_by_opencv(name: str, crops: np.ndarray) -> Callable[[], object]:
    """The published graph without the shuffle at its end, which OpenCV 4.14 refuses."""
    from tensorboardX.proto import graph_pb2

    graph = graph_pb2.GraphDef.FromString(cards.weight_path(cards.load_card(name, "super_resolution")).read_bytes())
    position = next(number for number, node in enumerate(graph.node) if node.op == "DepthToSpace")
    last = graph.node[position].input[0]
    del graph.node[position:]
    network = cv2.dnn.readNetFromTensorflow(np.frombuffer(graph.SerializeToString(), np.uint8))
    network.setInput(np.ascontiguousarray((crops * 255.0).transpose(0, 3, 1, 2)))
    return functools.partial(network.forward, last)


def mtcnn(given: argparse.Namespace) -> Iterator[Loop]:
    """Pictures of one size, in batches and one by one, with the same thresholds."""
    from mtcnn import MTCNN

    from lowres_jax.localization.mtcnn.cascade import Model

    astronaut = skimage.data.astronaut()[:250, 100:350].astype(np.float32) / np.float32(255)
    paths = find_pictures(given.source).paths[: given.count or 128] if given.source else []
    pictures = [images.read_image(path) for path in paths] or [astronaut] * (given.count or 128)
    package, ours, whole = MTCNN(), Model(), [images.to_uint8(each) for each in pictures]
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: ours.detect_batch(pictures),
        "ours, one by one": lambda: [ours.detect(each) for each in pictures],
        "package": lambda: [package.detect_faces(whole[start : start + 16]) for start in range(0, len(whole), 16)],
        "package, one by one": lambda: [package.detect_faces(each) for each in whole],
    }
    yield Loop("detection", len(pictures), ways)


def clip(given: argparse.Namespace) -> Iterator[Loop]:
    """Every fifth frame searched: MTCNN, tracks, SFace in batches; as deepface, a frame and a face at a time."""
    from mtcnn import MTCNN

    from lowres_jax.clips.reading import open_clip
    from lowres_jax.clips.search import follow
    from lowres_jax.faces.reader import FaceReader
    from lowres_jax.localization.detector import load_detector
    from lowres_jax.super_resolution.upscaler import load_upscaler_by_size

    opened, every = open_clip(given.source), 5
    detector, upscaler = load_detector("mtcnn"), load_upscaler_by_size(["bicubic"])
    reader = FaceReader(detector, upscaler, load_recognizer("sface"), 64, look_again=False)
    package = MTCNN()
    recognizer = cv2.FaceRecognizerSF.create(str(cards.weight_path(cards.load_card("sface", "recognition"))), "")

    def theirs() -> None:
        for frame in opened.read():
            for found in package.detect_faces(frame.pixels) if frame.number % every == 0 else ():
                order = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
                points = (value for name in order for value in found["keypoints"][name])
                row = np.asarray([*found["box"], *points, 1.0], np.float32)
                recognizer.feature(recognizer.alignCrop(np.ascontiguousarray(frame.pixels[..., ::-1]), row))

    ours = functools.partial(follow, opened, reader, every, 0.0, None, 2)
    yield Loop("frames", opened.frames, {"ours": ours, "deepface's way": theirs})


def records(given: argparse.Namespace) -> Iterator[Loop]:
    """Shuffled batches of 64 decoded records, by Grain and by TFDS's own reader."""
    import tensorflow_datasets as tfds

    from lowres_jax.data import pipeline
    from lowres_jax.data.records import open_records

    source, batch, calls = open_records(given.source), 64, -(-(given.count or 10_000) // 64)
    builder = tfds.builder_from_directory(str(source.directory))
    split, options = next(iter(builder.info.splits)), tfds.ReadConfig(try_autocache=False)
    data = builder.as_dataset(split=split, shuffle_files=False, read_config=options).repeat().batch(batch).prefetch(2)
    ours, theirs = pipeline.batches(source, batch, seed=0), iter(data)
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: [next(ours) for _ in range(calls)],
        "tf.data": lambda: [next(theirs) for _ in range(calls)],
    }
    yield Loop("records", calls * batch, ways)


def all_against_all(given: argparse.Namespace) -> Iterator[Loop]:
    """Templates and labels like LFW's; ours never holds the N x N matrix."""
    from lowres_jax.evaluation.identification import probe_statistics

    count, draw = given.count or 13_233, np.random.default_rng(0)
    people = max(2, round(count * 0.4344))
    labels = np.concatenate([np.arange(people), draw.integers(people * 7 // 10, people, count - people)])
    templates = draw.normal(size=(people, 128))[labels] + draw.normal(size=(count, 128))
    templates = (templates / np.linalg.norm(templates, axis=1, keepdims=True)).astype(np.float32)

    def literal() -> tuple[np.ndarray, np.ndarray]:
        distances, same = 1.0 - templates @ templates.T, labels[:, None] == labels[None, :]
        others = np.where(same, np.inf, distances)
        np.fill_diagonal(same, False)
        mated = np.where(same, distances, np.inf).min(axis=1)
        return others.min(axis=1), 1 + (others <= mated[:, None]).sum(axis=1)

    ours = functools.partial(probe_statistics, templates, labels)
    yield Loop("templates", count, {"ours": ours, "literal matrix": literal})


def onnx(given: argparse.Namespace) -> Iterator[Loop]:
    """Exported models by onnxruntime."""
    from lowres_jax.interchange import onnx_file
    from lowres_jax.interchange.networks import portable

    for name in given.names or ["identity", "identity_x8", "sface"]:
        network = portable(name)
        enlarges = name in cards.names("super_resolution")
        inputs = faces(given.count or 32, int(network.facts["made_for"]) if enlarges else 112)
        ours: Any = load_upscaler(name) if enlarges else load_recognizer(name).templates
        with tempfile.TemporaryDirectory() as folder:
            onnx_file.write(Path(folder) / "network.onnx", network, "float16")
            session = onnx_file.session((Path(folder) / "network.onnx").read_bytes())
        ways = {"ours": functools.partial(ours, inputs), "onnxruntime": functools.partial(session, inputs)}
        yield Loop(name, len(inputs), ways)


def preparation(given: argparse.Namespace) -> Iterator[Loop]:
    """A folder of one subfolder a person, start of the workers included; that files are the same is a test."""
    from lowres_jax import config_keys
    from lowres_jax.settings import prepare as settings
    from lowres_jax.tasks import prepare

    def run(beam: str | None) -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            config = config_keys.new(settings.KEYS, "prepare")
            config.update({"builder": "people", "source": str(given.source), "data_dir": folder, "beam": beam})
            config.shard_size = 128
            prepare.run(config, Path(folder))

    ways = {"one process": functools.partial(run, None)}
    ways |= {f"{n} workers": functools.partial(run, f"--direct_num_workers={n}") for n in (1, 2, 4)[: given.threads]}
    yield Loop("photographs", len(find_pictures(given.source).paths), ways)


LOOPS: dict[str, Callable[[argparse.Namespace], Iterator[Loop]]] = {
    each.__name__: each
    for each in (
        *(generator, resnet50, sface, upscalers, mtcnn),
        *(clip, records, all_against_all, onnx, preparation),
    )
}


def rates(loop: Loop, rounds: int) -> dict[str, float]:
    """Items a second of each way: they take turns, and the first round does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in loop.ways}
    for number in range(rounds + 1):
        for name, run in loop.ways.items():
            begin = time.perf_counter()
            run()
            if number:
                seconds[name].append(time.perf_counter() - begin)
    return {name: loop.count / statistics.median(each) for name, each in seconds.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loop", choices=LOOPS)
    parser.add_argument("--source", type=Path, help="folder, clip or prepared set, where one is needed")
    parser.add_argument("--names", nargs="*", help="of models, where there are several")
    parser.add_argument("--count", type=int, default=0, help="items of a call; 0: as is usual")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(argv)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    environment.initialize(ConfigDict({"cpu_devices": given.threads}))
    matrix = jnp.ones((2048, 2048))
    product = jax.jit(jnp.matmul)
    peak = 0.0
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; items a second, median of {given.rounds} rounds")
    for loop in LOOPS[given.loop](given):
        found = rates(loop, given.rounds)
        if loop.gflop and not peak:
            multiply = Loop("", 1, {"": lambda: jax.block_until_ready(product(matrix, matrix))})
            peak = 2 * 2048**3 * rates(multiply, 9)[""] / 1e9
            print(f"a float32 matrix product: {peak:.0f} GFLOP/s")
        own = next(iter(found.values()))
        for name, rate in found.items():
            share = f", {rate * loop.gflop / peak:.0%} of the product's rate" if loop.gflop else ""
            print(f"{loop.name:16}{name:24}{rate:10.1f}   ours is {own / rate:.2f} x{share}", flush=True)


if __name__ == "__main__":
    cli.run(main)
