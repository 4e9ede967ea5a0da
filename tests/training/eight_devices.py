"""Run as a program: the same training on one and on eight simulated devices, and with its mean broken.

    python tests/training/eight_devices.py RESULT.npz

SGD, since Adam hides a gradient that is some times too large; batch normalization in both networks; losses that look
over the border of a device.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh

from lowres_jax.runtime import environment
from lowres_jax.super_resolution.training import discriminator, train_config, trainer
from lowres_jax.training import checkpoints, devices

# Of the adversarial run one: at the kinks of leaky ReLUs and of L1 a difference in the last bit becomes one of percents
# within three steps (seen with another optimization level of XLA); no order of additions is the right one.
STEPS, ADVERSARIAL_STEPS = 3, 1
discriminator._LAYERS = ((64, 1), (128, 2))  # type: ignore[assignment]  # two convolutions, not eight


def made_trainer(adversarial: bool) -> trainer.Trainer:
    config = train_config.smoke(train_config.default_config())
    config.hr_size = 16
    config.model.fields.update({"blocks": 1, "features": 4})
    config.losses.edge.weight = 1.0
    if adversarial:
        config.losses.adversarial.update({"weight": 0.1, "kind": "relativistic_average", "gradient_penalty": 0.1})
    config.discriminator.update({"sees": "rgb_and_edges", "head": "pooled", "width": 1 / 16})
    for optimizer in (config.optimizer, config.discriminator_optimizer):
        optimizer.update({"name": "sgd", "learning_rate": 0.05, "b1": 0.0})
    return trainer.make(config, STEPS)


def batches() -> list[dict[str, np.ndarray]]:
    generator = np.random.default_rng(0)
    return [
        {
            "image": generator.integers(0, 256, (8, 16, 16, 3), np.uint8),
            "edges": generator.integers(0, 2, (8, 16, 16, 1), np.uint8),
        }
        for _ in range(STEPS)
    ]


def run(count: int, adversarial: bool = False, mean: Callable[..., Any] | None = None) -> dict[str, np.ndarray]:
    """The leaves of the state and the losses after some steps on `count` devices."""
    original = jax.lax.pmean
    mesh = Mesh(np.asarray(jax.devices()[:count]), (devices.AXIS,), axis_types=(AxisType.Auto,))
    devices.mesh = functools.lru_cache(lambda: mesh)
    jax.lax.pmean = mean or original
    try:
        training = made_trainer(adversarial)
        step, state = devices.data_parallel(training.step), devices.replicate(training.init())
        for batch in batches()[: ADVERSARIAL_STEPS if adversarial else STEPS]:
            state, metrics = step(state, {}, devices.divide(batch))
        return checkpoints.flat_leaves({"state": devices.fetch(state), "metrics": devices.fetch(metrics)})
    finally:
        jax.lax.pmean = original


def broken(instead: Callable[..., Any]) -> Callable[..., Any]:
    """The mean, but something else instead for gradients."""
    original = jax.lax.pmean

    def mean(tree: Any, axis: str, **settings: Any) -> Any:
        is_gradient = isinstance(tree, dict) and "conv_first" in tree
        return instead(tree, axis) if is_gradient else original(tree, axis, **settings)

    return mean


def main() -> None:
    jax.config.update("jax_num_cpu_devices", 8)
    environment.enable_compilation_cache()
    runs = {
        "1": run(1),
        "missing": run(8, mean=broken(lambda tree, axis: tree)),
        "doubled": run(8, mean=broken(jax.lax.psum)),
        "1 adversarial": run(1, adversarial=True),
        "8 adversarial": run(8, adversarial=True),
    }
    arrays = {f"{name}:{leaf}": array for name, leaves in runs.items() for leaf, array in leaves.items()}
    np.savez(sys.argv[1], allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
