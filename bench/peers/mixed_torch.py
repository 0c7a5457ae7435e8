"""PyTorch on the CPU: the networks of a population one after the other, as in the notebook of Cooke and de Alfaro.

As a worker (worker.py) it is timed. As a script it computes the results of PyTorch's gradients and optimisers:

    python mixed_torch.py IN.npz OUT.npz        IN has genes (P, D), features, labels, widths, parts
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import itertools

from workload import Workload

BATCH, WIDTHS = 100, (256, 128)


class Halves(torch.nn.Module):
    """A layer split into parallel parts whose outputs are concatenated."""

    def __init__(self, inputs: int, outputs: int, parts: int) -> None:
        super().__init__()
        self.parts = torch.nn.ModuleList(torch.nn.Linear(inputs, outputs // parts) for _ in range(parts))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the outputs of all parts."""
        return torch.cat([part(values) for part in self.parts], dim=1)


def network_of(genes: np.ndarray, widths: tuple[int, ...], parts: tuple[int, ...]) -> torch.nn.Sequential:
    """Return a network with our genes (D,): a layer's weights, then its biases."""
    layers: list[torch.nn.Module] = []
    at = 0
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        layer = Halves(inputs, outputs, parts[index])
        weights = torch.from_numpy(genes[at : at + inputs * outputs].reshape(outputs, inputs).copy())
        at += inputs * outputs
        biases = torch.from_numpy(genes[at : at + outputs].copy())
        at += outputs
        height = outputs // parts[index]
        with torch.no_grad():
            for number, part in enumerate(layer.parts):
                rows = slice(number * height, (number + 1) * height)
                part.weight.copy_(weights[rows])
                part.bias.copy_(biases[rows])
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1], torch.nn.LogSoftmax(dim=1))


def batches(features: Any, labels: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield batches in order."""
    images, right = torch.from_numpy(features), torch.from_numpy(labels)
    yield from zip(images.split(BATCH), right.split(BATCH), strict=True)


def set_up(workload: Workload) -> Callable[[], object]:
    """Return a function that does all steps of all networks, one network at a time, with new optimisers each time."""
    widths = (workload.inputs, *WIDTHS, workload.classes)
    genes = sum(outputs * (inputs + 1) for inputs, outputs in itertools.pairwise(widths))
    rng = np.random.default_rng(0)
    networks = []
    for _ in range(workload.population):
        start = (rng.random(genes, np.float32) - np.float32(0.5)) * np.float32(0.1)
        networks.append(network_of(start, widths, (1, 1, 1)))
    parts = list(batches(workload.images, workload.labels))
    loss = torch.nn.NLLLoss()

    def step() -> None:
        for network in networks:
            optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
            for images, right in parts:
                optimiser.zero_grad(set_to_none=True)
                loss(network(images), right).backward()
                optimiser.step()

    return step


OPTIMISERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
    "rmsprop": lambda parameters: torch.optim.RMSprop(parameters, lr=0.001),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.001),
}


def main() -> None:
    """Train every network with every optimiser and write the results."""
    with np.load(sys.argv[1], allow_pickle=False) as file:
        data = dict(file)
    widths, parts = tuple(map(int, data["widths"])), tuple(map(int, data["parts"]))
    found: dict[str, Any] = {}
    for name, make in OPTIMISERS.items():
        rows = []
        for genes in data["genes"]:
            network = network_of(genes, widths, parts)
            optimiser = make(network.parameters())
            for images, right in batches(data["features"], data["labels"]):
                optimiser.zero_grad(set_to_none=True)
                torch.nn.functional.nll_loss(network(images), right).backward()
                optimiser.step()
            pieces = []
            for layer in network:
                if isinstance(layer, Halves):
                    pieces += [part.weight.detach().numpy().ravel() for part in layer.parts]
                    pieces += [part.bias.detach().numpy() for part in layer.parts]
            rows.append(np.concatenate(pieces))
        found[name] = np.array(rows)
    np.savez(sys.argv[2], **found)


if __name__ == "__main__":
    main()
