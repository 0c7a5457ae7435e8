"""A plain PyTorch loop over networks given by descriptions; does not need genreg-np.

    python search_torch.py FEATURES.npy LABELS.npy

Reads one case per line as JSON (`words`, `shape`, `options` of the strategy `gradient`, `rates` per step, `seed`) and
writes seconds, steps and the last loss as JSON: batches in a new random order each epoch, one thread.
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn

ACTIVATIONS = {
    "relu": nn.ReLU, "leaky-relu": lambda: nn.LeakyReLU(0.01), "selu": nn.SELU, "elu": nn.ELU, "tanh": nn.Tanh,
}  # fmt: skip


class Same(nn.Module):
    """Zero padding, with which a convolution keeps the size of its input, or halves it."""

    def __init__(self, size: int, stride: int) -> None:
        super().__init__()
        self.size, self.stride = size, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the padded maps."""
        around: list[int] = []
        for extent in reversed(x.shape[2:]):
            zeros = max(0, (math.ceil(extent / self.stride) - 1) * self.stride + self.size - extent)
            around += [zeros // 2, zeros - zeros // 2]
        return nn.functional.pad(x, around)


def layers_of(word: list[str], shape: torch.Size) -> list[nn.Module]:
    """Return the modules for one word of a description, for maps or values of a shape (N, ...)."""
    name, numbers = word[0], [int(part) for part in word[1:] if part.isdigit()]
    channels = shape[1]
    if name == "conv":
        filters, size, stride = numbers[0], numbers[1], numbers[2] if "stride" in word else 1
        own = nn.Conv2d(channels, filters, size, stride)
        return [Same(size, stride), own] if "same" in word else [own]
    if name in ("max", "avg"):
        return [nn.MaxPool2d(numbers[0]) if name == "max" else nn.AvgPool2d(numbers[0])]
    if name == "adaptive":
        return [(nn.AdaptiveMaxPool2d if word[1] == "max" else nn.AdaptiveAvgPool2d)(numbers[0])]
    if name == "dense":
        flat = [nn.Flatten()] if len(shape) > 2 else []
        return [*flat, nn.Linear(math.prod(shape[1:]), numbers[0])]
    if name.endswith("-norm"):
        kinds = {
            "batch-norm": nn.BatchNorm2d, "instance-norm": lambda c: nn.InstanceNorm2d(c, affine=True),
            "group-norm": lambda c: nn.GroupNorm(numbers[0], c),
        }  # fmt: skip
        return [kinds[name](channels)]
    if name == "dropout":
        return [nn.Dropout(float(word[1]))]
    return [nn.PReLU(channels) if name == "prelu" else ACTIVATIONS[name]()]


def network_of(words: str, shape: list[int]) -> nn.Sequential:
    """Return the network of a description."""
    network, values = nn.Sequential(), torch.zeros(2, *([1] if len(shape) == 2 else []), *shape)
    for text in words.split("/"):
        for layer in layers_of(text.split(), values.shape):
            network.append(layer)
            values = layer(values)
    return network


def optimiser_of(options: dict[str, Any], network: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser of a case."""
    kind, momentum = options["optimiser"], options.get("momentum", 0.0)
    rest = {"lr": options["learning_rate"], "weight_decay": options["weight_decay"]}
    if kind in ("adam", "adamw"):
        return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind](network.parameters(), **rest)
    if kind.startswith("rmsprop"):
        return torch.optim.RMSprop(network.parameters(), momentum=momentum, **rest)
    return torch.optim.SGD(network.parameters(), momentum=momentum, nesterov=kind == "nesterov", **rest)


def trained(case: dict[str, Any], features: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Train a case's network, and return the time it took."""
    torch.manual_seed(case["seed"])
    network = network_of(case["words"], case["shape"])
    images = features.reshape(-1, *([1] if len(case["shape"]) == 2 else []), *case["shape"])
    optimiser = optimiser_of(case["options"], network)
    batch, smoothing = case["options"]["batch_size"], case["options"]["label_smoothing"]
    each, order = len(images) // batch, torch.empty(0)
    began = time.perf_counter()
    for step, rate in enumerate(case["rates"]):
        if step % each == 0:
            order = torch.randperm(len(images))
        rows = order[step % each * batch :][:batch]
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(network(images[rows]), labels[rows], label_smoothing=smoothing)
        loss.backward()
        optimiser.step()
    return {"seconds": time.perf_counter() - began, "steps": len(case["rates"]), "loss": loss.item()}


def main() -> None:
    """Process case after case."""
    torch.set_num_threads(1)
    features, labels = (torch.from_numpy(np.load(path)) for path in sys.argv[1:3])
    for line in sys.stdin:
        print(json.dumps(trained(json.loads(line), features, labels)), flush=True)


if __name__ == "__main__":
    main()
