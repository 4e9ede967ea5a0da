"""Trains small recognizers for some steps on as many simulated devices as asked; run by test_trainer.py.

python sharded_head.py DEVICES FOLDER KIND ...
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from lowres_jax.recognition.training import train_config
from lowres_jax.recognition.training.trainer import Trainer
from lowres_jax.training import checkpoints, devices

CLASSES, STEPS = 120, 4  # some on each of eight devices
CLIP_NORM = 0.5  # less than the gradients have


class Small(nn.Module):
    """A recognizer of two layers."""

    axis_name: str | None = devices.AXIS

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        features = nn.Dense(16, name="first")(images.reshape(len(images), -1)[:, ::97])
        features = nn.BatchNorm(not train, momentum=0.9, axis_name=self.axis_name, name="norm")(features)
        return nn.Dense(8, name="second")(nn.relu(features))


def settings(kind: str) -> ConfigDict:
    """Settings of a training in which all that the head does is on."""
    config = train_config.default_config()
    config.size, config.steps, config.ema = 32, STEPS, 0.9
    config.losses.classification.update({"kind": kind, "scale": 8.0, "margin": 0.3, "smoothing": 0.1})
    config.optimizer.update({"learning_rate": 0.3, "weight_decay": 1e-3, "clip_norm": CLIP_NORM})
    return config


def batches() -> Iterator[dict[str, np.ndarray]]:
    """The same four batches of 16."""
    generator = np.random.default_rng(0)
    for _ in range(STEPS):
        images = generator.integers(0, 256, (16, 32, 32, 3), np.uint8)
        yield {"image": images, "label": generator.integers(0, CLASSES, 16) + 2}


def train(kind: str, count: int, path: Path) -> None:
    """Writes the state after the last step, and the figures of all."""
    training = Trainer(Small(), None, CLASSES, settings(kind), STEPS)
    state = training.init()
    constants = training.constants(np.arange(-2, CLASSES))
    step = devices.data_parallel(training.step, state)
    state, constants = devices.replicate(state), devices.replicate(constants)
    classes = state.networks["head"].params["sharded_classes"]
    assert len({shard.device for shard in classes.addressable_shards}) == count
    assert classes.addressable_shards[0].data.shape == (8, 128 // count)
    figures = []
    for batch in batches():
        state, metrics = step(state, constants, devices.divide(batch))
        figures.append({name: float(value) for name, value in devices.fetch(metrics).items()})
    found = checkpoints.flat_leaves({"state": devices.fetch(state)})
    np.savez(path, figures=[[each[name] for name in sorted(each)] for each in figures], **found)


if __name__ == "__main__":
    devices_wanted, folder, *kinds = sys.argv[1:]
    jax.config.update("jax_num_cpu_devices", int(devices_wanted))
    jax.config.update("jax_platforms", "cpu")
    for each in kinds:
        train(each, int(devices_wanted), Path(folder) / f"{devices_wanted}_{each}.npz")
