"""Our implementations of one generation, and the GEMM they are compared with. Each is `set_up(workload) -> step`.

A step is what a run does between two records, except for drawing the batch: choose two parents per child, build and
score all children, rebuild the survivors. `run` is the whole step of a real run, including batch, trust and selection.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np
from workload import MUTATION_RATE, MUTATION_SCALE, Workload

from genreg_np import Evolution, TrainConfig, load_dataset
from genreg_np.backends import create
from genreg_np.backends.base import Batch, Brood
from genreg_np.fitness import Score
from genreg_np.layers.groups import Gene
from genreg_np.model import Network

Step = Callable[[], object]
MOST_GEMM_WEIGHTS = 300_000_000  # 1.2 GB


def brood_of(workload: Workload, gene: Gene) -> Brood:
    """Return generation 1 of a workload: random survivors and random parents."""
    rng = np.random.default_rng(0)
    network = Network.build((workload.inputs,), (workload.hidden,), workload.classes)
    survivors = rng.random((workload.survivors, workload.genes), np.float32) - np.float32(0.5)
    parents = rng.integers(0, workload.survivors, (workload.population, 2)).astype(np.int32)
    return Brood(
        network=network,
        seed=7,
        generation=1,
        survivors=survivors,
        parents=parents,
        gene=gene,
        mutation_rate=MUTATION_RATE,
        mutation_scale=MUTATION_SCALE,
    )


def batch_of(workload: Workload) -> Batch:
    """Return the images with the reward for sampled predictions of GENREG."""
    count = len(workload.labels)
    return Batch(workload.images, workload.labels, np.ones(count), Score.REWARD_SAMPLED, 10.0, -1.5)


def generation(backend: str, gene: Gene, workload: Workload) -> Step:
    """Return a step of GENREG on a fixed batch."""
    engine = create(backend)
    engine.warm_up()
    brood, batch = brood_of(workload, gene), batch_of(workload)
    rng = np.random.default_rng(1)

    def step() -> None:
        nonlocal brood
        fitness = engine.score(brood, batch).fitness
        survivors = engine.rebuild(brood, np.argsort(-fitness, kind="stable")[: workload.survivors])
        parents = rng.integers(0, workload.survivors, brood.parents.shape).astype(np.int32)
        brood = dataclasses.replace(brood, generation=brood.generation + 1, survivors=survivors, parents=parents)

    return step


def run(workload: Workload) -> Step:
    """Return the whole step of a run of the workload's preset."""
    config = TrainConfig.from_preset(workload.preset, validate_every=10**6, generations=10**6)
    evolution = Evolution(config, load_dataset(config.dataset), backend="cpu")
    evolution.step()  # generation 0 has no parents
    return evolution.step


def gemm(workload: Workload) -> Step:
    """Return the first layers of all genomes as one product (P H, I) @ (I, N) on all cores, in parts if it is large."""
    rows = workload.population * workload.hidden
    part = min(rows, MOST_GEMM_WEIGHTS // workload.inputs)
    left = np.random.default_rng(0).random((part, workload.inputs), np.float32)
    right = np.ascontiguousarray(workload.images.T)
    out = np.empty((part, len(workload.labels)), np.float32)

    def step() -> None:
        for start in range(0, rows, part):
            count = min(part, rows - start)
            np.matmul(left[:count], right, out=out[:count])

    return step


GENERATIONS = {
    "numba, gene = weight": ("numba", Gene.WEIGHT),
    "numba, gene = unit": ("numba", Gene.UNIT),
    "numba, gene = none": ("numba", Gene.NONE),
    "numpy, gene = weight": ("numpy", Gene.WEIGHT),
}
IMPLEMENTATIONS: dict[str, Callable[[Workload], Step]] = {
    "gemm": gemm,
    **{name: partial(generation, *how) for name, how in GENERATIONS.items()},
    "whole step of a run": run,
}
