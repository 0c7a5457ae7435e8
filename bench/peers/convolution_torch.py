"""PyTorch's training step of a small convolutional network, on one thread, timed on demand (bench/convolution.py).

For each line on stdin, JSON [network, layout, images, steps], prints the milliseconds of a step; the network is in the
format of --network. It is created on first use, with a few untimed steps.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

torch.set_num_threads(1)

MAKERS: dict[str, Callable[..., nn.Module]] = {  # of input channels, and numbers
    "conv": lambda channels, filters, size, stride, padding: nn.Conv2d(channels, filters, size, stride, padding),
    "batch-norm": nn.BatchNorm2d,
    "instance-norm": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "group-norm": lambda channels, groups: nn.GroupNorm(groups, channels),
    "relu": lambda channels: nn.ReLU(),
    "leaky-relu": lambda channels: nn.LeakyReLU(0.01),
    "prelu": nn.PReLU,
    "elu": lambda channels: nn.ELU(),
    "selu": lambda channels: nn.SELU(),
    "max": lambda channels, size: nn.MaxPool2d(size),
    "avg": lambda channels, size: nn.AvgPool2d(size),
    "dropout": lambda channels, rate: nn.Dropout(rate),
}


def layers_of(network: str) -> nn.Sequential:
    """Return the layers described by a line, for images of 28 x 28."""
    layers, seen = nn.Sequential(), torch.zeros(2, 1, 28, 28)
    for words in (part.split() for part in network.split(" / ")):
        numbers = [float(word) if "." in word else int(word) for word in words if word[0].isdigit()]
        if words[0] == "dense":
            if seen.ndim > 2:
                layers.append(nn.Flatten())
            layers.append(nn.Linear(seen[0].numel(), int(numbers[0])))
        elif words[0] == "adaptive":
            layers.append({"avg": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}[words[1]](int(numbers[0])))
        else:
            if words[0] == "conv":
                numbers = [*[*numbers, 1][:3], int(numbers[1]) // 2 if "same" in words else 0]
            layers.append(MAKERS[words[0]](seen.shape[1], *numbers))
        with torch.no_grad():
            seen = layers[-1](seen) if words[0] != "dense" else torch.zeros(2, layers[-1].out_features)
    return layers


def make(network: str, layout: str, images: int) -> Callable[[], None]:
    """Return a function that does a step."""
    memory = torch.channels_last if layout == "channels last" else torch.contiguous_format
    model = layers_of(network).to(memory_format=memory)
    optimiser, loss = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    values, labels = torch.rand(images, 1, 28, 28).to(memory_format=memory), torch.randint(0, 10, (images,))

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss(model(values), labels).backward()
        optimiser.step()

    for _ in range(5):
        step()
    return step


def main() -> None:
    """Process line after line."""
    made: dict[tuple[Any, ...], Callable[[], None]] = {}
    for line in sys.stdin:
        *network, steps = json.loads(line)
        key = tuple(network)
        if key not in made:
            made[key] = make(*key)
        begun = time.perf_counter()
        for _ in range(steps):
            made[key]()
        print(1000 * (time.perf_counter() - begun) / steps, flush=True)


if __name__ == "__main__":
    main()
