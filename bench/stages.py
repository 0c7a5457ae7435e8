"""Where a generation's time goes: each stage timed alone, on the real kernels, tiles and threads.

    python stages.py WORKLOAD.npz GENE        prints JSON

dense       batch, build (crossover and mutation), product (first layers), finish (the rest of the network), rebuild
inherited   batch, product (survivors' first layers), inherit (pre-activations and mutated inputs), finish, rebuild

Each stage has a least amount of work, from which its limit follows (limits.py): the longer of operations / GEMM peak
and bytes / memory bandwidth. P genomes, S survivors, D genes, W lit inputs, H hidden units, N images, K classes, r the
mutation rate:

batch      8 N I bytes             read, and written with the images as columns
build      12 P H W bytes          two parents read, a child written
product    2 P H W N operations    S in place of P where pre-activations are inherited
inherit    2 r P H W N operations  a multiply-add per mutated weight and image;  8 P H N bytes
finish     (25 + 2 K) P H N operations   a tanh, and the second layer;  8 P H N bytes
rebuild    12 S D bytes

Bytes are counted as if they came from memory. What a cache holds comes faster, so a stage may beat its limit.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from ours import batch_of, brood_of
from workload import MUTATION_RATE, Workload

from genreg_np.backends.numba import backend as backend
from genreg_np.backends.numba.kernels import brood as kernels
from genreg_np.backends.numba.kernels.jit import kernel
from genreg_np.backends.numba.kernels.network import judge
from genreg_np.backends.numba.kernels.offspring import build_lit_rows
from genreg_np.layers.groups import Gene

REPETITIONS = 15


@kernel()
def build(brood, batch, tile_genomes, tile_rows, begin, end):
    """Build all first layers, as score_dense does, and use none."""
    columns, spans, places = batch[:3]
    population, hidden = len(brood[1]), brood[7][0, 1]
    for tile in range(begin, end):
        first = tile * tile_genomes
        count = min(tile_genomes, population - first)
        block = np.empty((count * tile_rows, len(columns)), np.float32)
        for row in range(0, hidden, tile_rows):
            height = min(tile_rows, hidden - row)
            for g in range(count):
                build_lit_rows(block[g * height : (g + 1) * height], row, spans, places, first + g, brood)


@kernel()
def multiply(block, columns, population, hidden, tile_genomes, tile_rows, begin, end):
    """Multiply with the batch as score_dense does, but the same block (tile_genomes tile_rows, W) every time."""
    for tile in range(begin, end):
        count = min(tile_genomes, population - tile * tile_genomes)
        products = np.empty((count * hidden, columns.shape[1]), np.float32)
        for row in range(0, hidden, tile_rows):
            height = min(tile_rows, hidden - row)
            np.dot(block[: count * height], columns, products[count * row : count * row + count * height])


@kernel()
def finish(fitness, products, batch, task, brood, begin, end):
    """Compute what follows the first layer's products (H, N), the same for every genome."""
    labels, weights = batch[3], batch[4]
    kind, reward, penalty = task
    for genome in range(begin, end):
        logits = kernels.finish_forward(products.copy(), genome, brood)
        fitness[genome] = judge(logits, labels, weights, kind, reward, penalty, genome, brood[5], brood[6])[0]


def stages(workload: Workload, gene: Gene) -> tuple[dict[str, Callable[[], object]], Callable[[], object]]:
    """Return each stage as a function, and the whole generation."""
    engine, brood, batch = backend.NumbaBackend(), brood_of(workload, gene), batch_of(workload)
    survivors = np.arange(workload.survivors)
    columns, spans, places = backend._lit_inputs(batch.features)
    what, description = (columns, spans, places, batch.labels, batch.weights), backend._description(brood)
    task = (int(batch.score), batch.reward, batch.penalty)
    population, hidden, inputs, images = workload.population, workload.hidden, workload.inputs, len(batch)
    rows, height = backend._tile(hidden, len(columns))
    block, fitness = np.full((rows * height, len(columns)), np.float32(0.1)), np.empty(population)
    products = np.random.default_rng(0).normal(size=(hidden, images)).astype(np.float32)

    tiles = -(-population // rows)

    def running(count: int, function: Callable[..., object], *arguments: Any) -> Callable[[], object]:
        return lambda: engine._share_out(count, function, *arguments)

    timed: dict[str, Callable[[], object]] = {
        "batch": lambda: (backend._lit_inputs(batch.features), backend._description(brood))
    }
    if backend.plan(brood) == "dense":
        timed["build"] = running(tiles, build, description, what, rows, height)
        timed["product"] = running(tiles, multiply, block, columns, population, hidden, rows, height)
    else:
        multiplied = np.empty((workload.survivors, hidden, images), np.float32)
        arguments = (multiplied, brood.survivors, hidden, inputs, spans, columns)
        timed["product"] = running(len(multiplied), kernels.survivor_products, *arguments)
        timed["product"]()
        accuracy = np.empty(population)
        timed["inherit"] = running(
            population, kernels.score_inherited, fitness, accuracy, what, task, description, multiplied
        )
    timed["finish"] = running(population, finish, fitness, products, what, task, description)
    timed["rebuild"] = lambda: engine.rebuild(brood, survivors)
    return timed, lambda: (engine.score(brood, batch), engine.rebuild(brood, survivors))


def work(workload: Workload, gene: Gene, lit: int) -> dict[str, tuple[float, float]]:
    """Return the least (operations, bytes) of each stage."""
    population, hidden, images = workload.population, workload.hidden, len(workload.images)
    units, inherited = population * hidden * images, gene is not Gene.WEIGHT
    return {
        "batch": (0, 8 * workload.images.size),
        "build": (0, 12 * population * hidden * lit),
        "product": (2 * (workload.survivors if inherited else population) * hidden * lit * images, 0),
        "inherit": (2 * MUTATION_RATE * lit * units, 8 * units),
        "finish": ((25 + 2 * workload.classes) * units, 8 * units),
        "rebuild": (0, 12 * workload.survivors * workload.genes),
    }


def measure(workload: Workload, gene: Gene) -> dict[str, Any]:
    """Return the median milliseconds of each stage and of the whole, taking turns, and each stage's least work."""
    timed, whole = stages(workload, gene)
    everything = timed | {"whole": whole}
    milliseconds: dict[str, list[float]] = {name: [] for name in everything}
    for _ in range(REPETITIONS + 1):
        for name, action in everything.items():
            start = time.perf_counter()
            action()
            milliseconds[name].append(1000 * (time.perf_counter() - start))
    median = {name: statistics.median(values[1:]) for name, values in milliseconds.items()}
    if "inherit" in median:  # timed with the finish, which follows it in the same kernel
        median["inherit"] = max(0.0, median["inherit"] - median["finish"])
    lit = backend._lit_inputs(workload.images)[0].shape[0]
    needs = work(workload, gene, lit)
    return {
        "whole_ms": round(median.pop("whole"), 2),
        "lit_inputs": lit,
        "stages": {
            name: {"median_ms": round(value, 2), "operations": needs[name][0], "bytes": needs[name][1]}
            for name, value in median.items()
        },
    }


if __name__ == "__main__":
    print(json.dumps(measure(Workload.load(sys.argv[1]), Gene[sys.argv[2].upper()])))
