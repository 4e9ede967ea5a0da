"""SRResNet's training step and inference (32 -> 128), ours beside PyTorch eager's, in one run on one machine.

    pip install torch==2.13.0  # a benchmark-only dependency: --index-url https://download.pytorch.org/whl/cpu
    python benchmarks/training_speed.py [--batch 16] [--threads 2] [--rounds 5]

PyTorch runs in its default layout and channels_last; the better one counts. Both sides take the same batch and as many
threads; medians. The share of the measured matrix-product rate says how much of the machine is used. Without torch ours
alone is measured. An otherwise idle machine is needed for figures worth quoting.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Multiplications and additions of SRResNet at 32 -> 128: 2 x 2.27 GMAC forward, three times that in training.
_GFLOP_FORWARD = 4.55


def median_rate(run: Callable[[], object], batch: int, rounds: int) -> float:
    """Images/s."""
    run()
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return batch / statistics.median(seconds)


def matrix_rate() -> float:
    """GFLOP/s of a float32 2048 matrix product, by JAX."""
    matrix = jnp.ones((2048, 2048))
    product = jax.jit(jnp.matmul)
    rate = median_rate(lambda: jax.block_until_ready(product(matrix, matrix)), 1, 9)
    return 2 * 2048**3 * rate / 1e9


def ours(batch: int, rounds: int) -> dict[str, float]:
    """Images/s of our steps and inference."""
    from lowres_jax.recognition.loss_networks import identity_networks
    from lowres_jax.recognition.recognizer import load_recognizer
    from lowres_jax.super_resolution.training import train_config, trainer
    from lowres_jax.training import devices

    generator = np.random.default_rng(0)
    images = {"image": generator.integers(0, 256, (batch, 128, 128, 3), np.uint8)}
    found = {}
    config = train_config.default_config()
    config.steps, config.ema = 1000, 0.0
    for name, weight in (("training step", 0.0), ("identity step", 0.1)):
        config.losses.identity.weight = weight
        lenses = identity_networks([load_recognizer("sface")], weight) if weight else []
        training = trainer.make(config, config.steps, identity=lenses)
        step, constants = devices.data_parallel(training.step), devices.replicate(training.constants)
        state = [devices.replicate(training.init())]

        def run(step: Callable = step, constants: dict = constants, state: list = state) -> None:
            state[0], metrics = step(state[0], constants, devices.divide(images))
            jax.block_until_ready((state[0], metrics))

        found[name] = median_rate(run, batch, rounds)
    predict = trainer.predict(training.generator)
    variables = trainer.result(training.init())
    low = generator.random((batch, 32, 32, 3)).astype(np.float32)
    found["inference"] = median_rate(functools.partial(predict, variables, low, batch), batch, rounds)
    return found


def theirs(batch: int, rounds: int, threads: int) -> dict[str, float]:
    """Images/s of the same network in PyTorch eager, the better of two layouts."""
    import torch

    torch.set_num_threads(threads)
    found: dict[str, float] = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        network = torch_srresnet().to(memory_format=layout)
        optimizer = torch.optim.Adam(network.parameters(), 1e-4)
        low = torch.rand(batch, 3, 32, 32).to(memory_format=layout)
        high = torch.rand(batch, 3, 128, 128).to(memory_format=layout)

        network.train()
        train = functools.partial(_train, network, optimizer, low, high)
        found["training step"] = max(found.get("training step", 0.0), median_rate(train, batch, rounds))
        network.eval()
        with torch.inference_mode():
            rate = median_rate(functools.partial(network, low), batch, rounds)
        found["inference"] = max(found.get("inference", 0.0), rate)
    return found


def torch_srresnet() -> Any:
    """SRResNet x4 in PyTorch."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.PReLU(64), nn.Conv2d(64, 64, 3, padding=1),
                nn.BatchNorm2d(64),
            )  # fmt: skip

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images + self.body(images)

    class SRResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Sequential(nn.Conv2d(3, 64, 9, padding=4), nn.PReLU(64))
            self.trunk = nn.Sequential(
                *(Block() for _ in range(16)), nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64)
            )
            up = [nn.Conv2d(64, 256, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(64)]
            again = [nn.Conv2d(64, 256, 3, padding=1), nn.PixelShuffle(2), nn.PReLU(64)]
            self.last = nn.Sequential(*up, *again, nn.Conv2d(64, 3, 9, padding=4), nn.Tanh())

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            first = self.first(images)
            return (self.last(first + self.trunk(first)) + 1) / 2

    return SRResNet()


def _train(network: Any, optimizer: Any, low: Any, high: Any) -> None:
    optimizer.zero_grad()
    (network(low) - high).abs().mean().backward()
    optimizer.step()


def arguments_of(description: str | None, batch: int) -> argparse.Namespace:
    """The command line: batch, threads, rounds."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def print_rates(
    arguments: argparse.Namespace,
    ours: Callable[[int, int], dict[str, float]],
    theirs: Callable[[int, int, int], dict[str, float]],
    gflop_forward: float,
) -> None:
    """Measures both sides and prints a table.

    Args:
      arguments: see `arguments_of`.
      ours: (batch, rounds) -> images/s of what is compared, "inference" and training steps.
      theirs: (batch, rounds, threads) -> the same of PyTorch; an ImportError where it is not installed.
      gflop_forward: that the network takes for an image; a training step takes three times as many.
    """
    jax.config.update("jax_num_cpu_devices", arguments.threads)
    own = ours(arguments.batch, arguments.rounds)
    rate = matrix_rate()
    try:
        other = theirs(arguments.batch, arguments.rounds, arguments.threads)
    except ImportError:
        other = {}
        print("torch is not installed: ours alone")
    print(f"batch {arguments.batch}, {arguments.threads} cores; matrix product {rate:.0f} GFLOP/s")
    print("                 ours (images/s)  of the product's rate  PyTorch (images/s)  ratio")
    for name, value in own.items():
        factor = 1 if name == "inference" else 3
        share = value * factor * gflop_forward / rate
        peer = other.get(name)
        beside = f"{peer:19.1f} {value / peer:6.2f}" if peer else ""
        print(f"{name:16} {value:16.1f} {share:22.0%} {beside}".rstrip())


if __name__ == "__main__":
    print_rates(arguments_of(__doc__, batch=16), ours, theirs, _GFLOP_FORWARD)
