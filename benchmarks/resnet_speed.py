"""ResNet-50's training step and templates at 112 px, ours beside PyTorch eager's, in one run on one machine.

    pip install torch==2.13.0  # a benchmark-only dependency: --index-url https://download.pytorch.org/whl/cpu
    python benchmarks/resnet_speed.py [--batch 32] [--threads 2] [--rounds 5]

Both train the original's recognizer (Keras's first ResNet-50, pooled features, softmax over 1,000 people, Adam).
PyTorch runs in its default layout and channels_last; the better one counts. Medians. An otherwise idle machine is
needed for figures worth quoting.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from training_speed import arguments_of, median_rate, print_rates

# Multiplications and additions of ResNet-50 with its stride in the first 1x1 convolution: 2 x 3.87 / 4 GMAC at 112 px.
_GFLOP_FORWARD = 1.94
_PEOPLE, _SIZE = 1000, 112


def ours(batch: int, rounds: int) -> dict[str, float]:
    """Images/s of our step and of templates."""
    from lowres_jax.recognition.recognizer import NetworkRecognizer
    from lowres_jax.recognition.training import train_config, trainer
    from lowres_jax.training import devices, networks

    config = train_config.default_config()
    config.size, config.model.fields.embedding, config.steps = _SIZE, 0, 1000
    config.losses.classification.update({"kind": "softmax", "scale": 1.0, "margin": 0.0})
    config.optimizer.update({"name": "adam", "learning_rate": 1e-4, "weight_decay": 0.0})
    training = trainer.make(config, _PEOPLE, config.steps)
    generator = np.random.default_rng(0)
    rows = {
        "image": generator.integers(0, 256, (batch, _SIZE, _SIZE, 3), np.uint8),
        "label": generator.integers(0, _PEOPLE, batch),
    }
    start = training.init()
    step, constants = (
        devices.data_parallel(training.step, start),
        devices.replicate(training.constants(np.arange(_PEOPLE))),
    )
    state = [devices.replicate(start)]

    def run(step: Callable = step, constants: dict = constants) -> None:
        state[0], metrics = step(state[0], constants, devices.divide(rows))
        jax.block_until_ready((state[0], metrics))

    found = {"training step": median_rate(run, batch, rounds)}
    module = networks.alone(training.recognizer)
    judge = NetworkRecognizer("resnet50", module, trainer.result(start), _SIZE)
    images = generator.random((4 * batch, _SIZE, _SIZE, 3)).astype(np.float32)
    found["inference"] = median_rate(functools.partial(judge.templates, images), len(images), rounds)
    return found


def theirs(batch: int, rounds: int, threads: int) -> dict[str, float]:
    """Images/s of the same network in PyTorch eager, the better of two layouts."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)

    class Block(nn.Module):
        def __init__(self, inputs: int, width: int, stride: int, shortcut: bool) -> None:
            super().__init__()
            layers: list[nn.Module] = [
                nn.Conv2d(inputs, width, 1, stride),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            layers += [nn.Conv2d(width, 4 * width, 1), nn.BatchNorm2d(4 * width)]
            self.body = nn.Sequential(*layers)
            self.shortcut: nn.Module = nn.Identity()
            if shortcut:
                self.shortcut = nn.Sequential(nn.Conv2d(inputs, 4 * width, 1, stride), nn.BatchNorm2d(4 * width))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.body(images) + self.shortcut(images))

    stem = [nn.Conv2d(3, 64, 7, 2, padding=3), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1)]
    blocks, inputs = [], 64
    for stage, count in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for number in range(count):
            blocks.append(Block(inputs, width, 2 if stage and not number else 1, number == 0))
            inputs = 4 * width
    backbone = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    head = nn.Linear(2048, _PEOPLE)
    found: dict[str, float] = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        network = nn.Sequential(backbone, head).to(memory_format=layout)
        optimizer = torch.optim.Adam(network.parameters(), 1e-4)
        images = torch.rand(batch, 3, _SIZE, _SIZE).to(memory_format=layout)
        labels = torch.randint(0, _PEOPLE, (batch,))
        network.train()

        def train(
            network: Any = network, optimizer: Any = optimizer, images: Any = images, labels: Any = labels
        ) -> None:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()

        found["training step"] = max(found.get("training step", 0.0), median_rate(train, batch, rounds))
        network.eval()
        many = torch.rand(4 * batch, 3, _SIZE, _SIZE).to(memory_format=layout)
        with torch.inference_mode():
            rate = median_rate(functools.partial(backbone, many), len(many), rounds)
        found["inference"] = max(found.get("inference", 0.0), rate)
    return found


if __name__ == "__main__":
    print_rates(arguments_of(__doc__, batch=32), ours, theirs, _GFLOP_FORWARD)
