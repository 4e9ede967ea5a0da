"""The peers of our networks in PyTorch (a benchmark-only dependency: pip install torch==2.13.0), as timed loops."""

import functools
from collections.abc import Callable
from typing import Any

Loops = dict[str, dict[str, Callable[[], object]]]


def loops(make: Callable[[], Any], batch: int, size: int, threads: int, classes: int = 0) -> Loops:
    """Training steps and inference of a network, in PyTorch's default layout and in channels_last.

    Args:
      make: makes the network.
      batch: images of a call.
      size: side of its input, in pixels.
      threads: threads to compute with.
      classes: people of a classifier; 0 for a generator that enlarges four times.

    Returns:
      "training step" and "inference" -> name of the layout -> a call; empty where PyTorch is not installed.
    """
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(threads)
    found: Loops = {"training step": {}, "inference": {}}
    for name, layout in (("PyTorch", torch.contiguous_format), ("PyTorch, channels_last", torch.channels_last)):
        torch.manual_seed(0)
        network = make().to(memory_format=layout)
        optimizer = torch.optim.Adam(network.parameters(), 1e-4)
        images = torch.rand(batch, 3, size, size).to(memory_format=layout)
        targets = torch.randint(0, classes, (batch,)) if classes else torch.rand(batch, 3, 4 * size, 4 * size)

        def train(
            network: Any = network, optimizer: Any = optimizer, images: Any = images, targets: Any = targets
        ) -> None:
            network.train()
            optimizer.zero_grad()
            output = network(images)
            loss = torch.nn.functional.cross_entropy(output, targets) if classes else (output - targets).abs().mean()
            loss.backward()
            optimizer.step()

        def infer(network: Any = network, images: Any = images) -> None:
            network.eval()
            with torch.inference_mode():
                network(images)

        found["training step"][name], found["inference"][name] = train, infer
    return found


def _train(network: Any, optimizer: Any, images: Any, targets: Any) -> None:
    network.train()
    optimizer.zero_grad()
    output = network(images)
    from torch.nn import functional

    of_classes = targets.ndim == 1
    loss = functional.cross_entropy(output, targets) if of_classes else (output - targets).abs().mean()
    loss.backward()
    optimizer.step()


def _infer(network: Any, images: Any) -> None:
    import torch

    network.eval()
    with torch.inference_mode():
        network(images)


def srresnet() -> Any:
    """SRResNet x4, as `super_resolution.srresnet`."""
    from torch import nn

    def convolution(inputs: int, outputs: int, side: int) -> Any:
        return nn.Conv2d(inputs, outputs, side, padding=side // 2)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(
                *(convolution(64, 64, 3), nn.BatchNorm2d(64), nn.PReLU(64)),
                *(convolution(64, 64, 3), nn.BatchNorm2d(64)),
            )

        def forward(self, images: Any) -> Any:
            return images + self.body(images)

    class SRResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Sequential(convolution(3, 64, 9), nn.PReLU(64))
            self.trunk = nn.Sequential(*(Block() for _ in range(16)), convolution(64, 64, 3), nn.BatchNorm2d(64))
            doublings = [(convolution(64, 256, 3), nn.PixelShuffle(2), nn.PReLU(64)) for _ in range(2)]
            self.last = nn.Sequential(*doublings[0], *doublings[1], convolution(64, 3, 9), nn.Tanh())

        def forward(self, images: Any) -> Any:
            first = self.first(images)
            return (self.last(first + self.trunk(first)) + 1) / 2

    return SRResNet()


def resnet50(classes: int) -> Any:
    """Keras's first ResNet-50 with a softmax over people, as `recognition.resnet`."""
    from torch import nn

    relu = functools.partial(nn.ReLU, inplace=True)

    class Block(nn.Module):
        def __init__(self, inputs: int, width: int, stride: int, shortcut: bool) -> None:
            super().__init__()
            self.body = nn.Sequential(
                *(nn.Conv2d(inputs, width, 1, stride), nn.BatchNorm2d(width), relu()),
                *(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), relu()),
                *(nn.Conv2d(width, 4 * width, 1), nn.BatchNorm2d(4 * width)),
            )
            own = nn.Sequential(nn.Conv2d(inputs, 4 * width, 1, stride), nn.BatchNorm2d(4 * width))
            self.shortcut = own if shortcut else nn.Identity()

        def forward(self, images: Any) -> Any:
            return nn.functional.relu(self.body(images) + self.shortcut(images))

    layers = [nn.Conv2d(3, 64, 7, 2, padding=3), nn.BatchNorm2d(64), relu(), nn.MaxPool2d(3, 2, padding=1)]
    inputs = 64
    for stage, count in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for number in range(count):
            layers.append(Block(inputs, width, 2 if stage and not number else 1, number == 0))
            inputs = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))
