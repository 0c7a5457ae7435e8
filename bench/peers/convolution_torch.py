"""PyTorch's training step of a small convolutional network, on one thread, timed on demand (bench/convolution.py).

For each line of stdin, JSON [filters, filters, kernel size, batch norm, layout, images, steps], prints the milliseconds
of a step. A network is made the first time that it is asked for, with a few steps that are not timed.
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


def make(first: int, second: int, size: int, norm: bool, layout: str, images: int) -> Callable[[], None]:
    """Return a function that does a step."""
    memory = torch.channels_last if layout == "channels last" else torch.contiguous_format
    side = ((28 - size + 1) // 2 - size + 1) // 2
    layers: list[nn.Module] = []
    for inputs, filters in ((1, first), (first, second)):
        layers += [nn.Conv2d(inputs, filters, size), *([nn.BatchNorm2d(filters)] if norm else [])]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(second * side * side, 10)).to(memory_format=memory)
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
    """Answer line after line."""
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
