"""Our implementations of part of an epoch of mixed evolution: P networks, some steps of gradient descent each.

A workload's images are the batches of the steps, in sequence; the network is the published one, 784-256-128-10.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from workload import Workload

from genreg_np.backends import create
from genreg_np.backends.gradients import Descent
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Network

HIDDEN, BATCH, STEPS, POPULATION = (256, 128), 100, 60, 20


def network_of(workload: Workload) -> Network:
    """Return the published network for the workload's images."""
    return Network.build((workload.inputs,), HIDDEN, workload.classes, "relu")


def first_genes(workload: Workload) -> np.ndarray:
    """Return the initial population (P, D), the same for every implementation."""
    network, rng = network_of(workload), np.random.default_rng(0)
    genes = rng.random((workload.population, network.gene_count), np.float32) - np.float32(0.5)
    for layer, (weights, biases) in zip(network.dense, network.weight_slices, strict=True):
        genes[:, weights.start : biases.stop] *= np.float32(2 / layer.inputs**0.5)
    return genes


def descend(backend: str, together: bool, workload: Workload) -> Callable[[], object]:
    """Return a function that does all steps of all networks, in one call or in one call per network."""
    engine = create(backend)
    descent = Descent(network_of(workload), Optimiser("sgd", 0.01, 0.9), BATCH)
    genes, order = first_genes(workload), np.arange(len(workload.labels))
    pieces = [genes] if together else list(np.split(genes, len(genes)))

    def step() -> list[np.ndarray]:
        return [engine.descend(descent, piece, workload.images, workload.labels, order)[0] for piece in pieces]

    return step


IMPLEMENTATIONS: dict[str, Callable[[Workload], Callable[[], object]]] = {
    "numba, all networks in one call": partial(descend, "numba", True),
    "numba, a call for each network": partial(descend, "numba", False),
    "numpy, all networks in one call": partial(descend, "numpy", True),
}
