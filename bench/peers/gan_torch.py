"""Steps of a pair of dense networks in PyTorch, one thread: the median milliseconds over a number of steps.

    python bench/peers/gan_torch.py STEPS

The plain loop of PyTorch's examples: images are generated once per step; the discriminator learns from real and
generated ones, then the generator through it. Prints JSON: for Adam with its defaults, and for fused Adam.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import torch
from torch import nn

BATCH, WARM = 128, 10


def net(*widths: int) -> nn.Sequential:
    """Return dense layers with leaky ReLU between them."""
    layers: list[nn.Module] = []
    for place in range(len(widths) - 1):
        layers += [nn.Linear(widths[place], widths[place + 1]), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers[:-1])


def milliseconds(steps: int, **options: bool) -> float:
    """Return the median milliseconds of a step."""
    maker, judge = nn.Sequential(net(64, 256, 256, 784), nn.Tanh()), net(784, 256, 256, 1)
    by_maker, by_judge = (torch.optim.Adam(one.parameters(), 2e-4, (0.5, 0.999), **options) for one in (maker, judge))
    images, loss = torch.rand(100 * BATCH, 784) * 2 - 1, nn.BCEWithLogitsLoss()
    ones, zeros, times = torch.ones(BATCH, 1), torch.zeros(BATCH, 1), []
    for _ in range(steps + WARM):
        began = time.perf_counter()
        real = images[torch.randint(0, len(images), (BATCH,))]
        generated = maker(torch.randn(BATCH, 64))
        by_judge.zero_grad()
        (loss(judge(real), ones) + loss(judge(generated.detach()), zeros)).backward()
        by_judge.step()
        by_maker.zero_grad()
        loss(judge(generated), ones).backward()
        by_maker.step()
        times.append(time.perf_counter() - began)
    return 1e3 * statistics.median(times[WARM:])


if __name__ == "__main__":
    torch.set_num_threads(1)
    count = int(sys.argv[1])
    print(json.dumps({"plain": milliseconds(count), "fused": milliseconds(count, fused=True)}))
