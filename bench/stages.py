"""Where a generation's time goes: each stage timed separately, with the real kernels, tiles and threads.

    python stages.py WORKLOAD.npz GENE        prints JSON

dense       batch, build (crossover and mutation), product (first layers), finish (the rest of the network), rebuild
inherited   batch, product (survivors' first layers), inherit (pre-activations and mutated inputs), finish, rebuild

Each stage has a minimum amount of work, which gives its limit (limits.py): the longer of operations / GEMM peak and
bytes / memory bandwidth. P genomes, S survivors, D genes, W active inputs, H hidden units, N images, K classes, r the
mutation rate:

batch      8 N I bytes             read, and written with the images as columns
build      12 P H W bytes          two parents read, a child written
product    2 P H W N operations    S instead of P if pre-activations are inherited
inherit    2 r P H W N operations  a multiply-add per mutated weight and image;  8 P H N bytes
finish     (25 + 2 K) P H N operations   a tanh, and the second layer;  8 P H N bytes
rebuild    12 S D bytes

Bytes are counted as if they came from memory. Cached data arrive faster, so a stage may beat its limit.
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

from genreg_np.backends.numba import broods
from genreg_np.backends.numba.backend import NumbaBackend
from genreg_np.backends.numba.kernels.network import multiply
from genreg_np.backends.threads import single_threaded_blas
from genreg_np.layers.groups import Gene

REPETITIONS = 15


def stages(workload: Workload, gene: Gene) -> tuple[dict[str, Callable[[], object]], Callable[[], object]]:
    """Return each stage as a function, and the whole generation."""
    engine, brood, batch = NumbaBackend(), brood_of(workload, gene), batch_of(workload)
    survivors = np.arange(workload.survivors)
    population, hidden, images = workload.population, workload.hidden, len(batch)
    tiles, everyone = broods.BroodTiles(brood, batch), np.arange(population)

    def in_tiles(size: int, do: Callable[[Any], object]) -> Callable[[], object]:
        """Return a function that passes all genomes' numbers to `do`, `size` at a time."""

        def some(first: int, last: int) -> None:
            for tile in range(first, last):
                do(everyone[tile * size : (tile + 1) * size])

        def run() -> None:
            with single_threaded_blas():
                engine._run(-(-population // size), some)

        return run

    def build(genomes: Any) -> None:
        for row in range(0, hidden, tiles.rows):
            tiles.build(genomes, row)

    block = np.full((1, tiles.genomes * tiles.rows, len(tiles.columns)), np.float32(0.1))

    def product(genomes: Any) -> None:
        products = np.empty((1, len(genomes) * hidden, images), np.float32)
        for row in range(0, hidden, tiles.rows):
            count = len(genomes) * min(tiles.rows, hidden - row)
            at = len(genomes) * row
            multiply(block[:, :count], tiles.columns[None], products[:, at : at + count])

    timed: dict[str, Callable[[], object]] = {"batch": lambda: broods.BroodTiles(brood, batch)}
    if broods.way_of(brood) == "dense":
        size = tiles.genomes
        timed["build"], timed["product"] = in_tiles(size, build), in_tiles(size, product)
    else:
        size, multiplied = (
            broods.inherited_at_once(hidden, images),
            np.empty((workload.survivors, hidden, images), "f4"),
        )

        def multiply_survivors() -> None:
            with single_threaded_blas():
                engine._run(workload.survivors, lambda first, last: tiles.survivor_products(multiplied, first, last))

        multiply_survivors()
        timed["product"] = multiply_survivors
        timed["inherit"] = in_tiles(size, lambda genomes: tiles.pre_activations(multiplied, genomes))
    values = np.random.default_rng(0).normal(size=(size, hidden, images)).astype(np.float32)
    timed["finish"] = in_tiles(size, lambda genomes: tiles.finish(values[: len(genomes)].copy(), genomes))
    timed["rebuild"] = lambda: engine.rebuild(brood, survivors)
    return timed, lambda: (engine.score(brood, batch), engine.rebuild(brood, survivors))


def work(workload: Workload, gene: Gene, active: int) -> dict[str, tuple[float, float]]:
    """Return the minimum (operations, bytes) of each stage."""
    population, hidden, images = workload.population, workload.hidden, len(workload.images)
    units, inherited = population * hidden * images, gene is not Gene.WEIGHT
    return {
        "batch": (0, 8 * workload.images.size),
        "build": (0, 12 * population * hidden * active),
        "product": (2 * (workload.survivors if inherited else population) * hidden * active * images, 0),
        "inherit": (2 * MUTATION_RATE * active * units, 8 * units),
        "finish": ((25 + 2 * workload.classes) * units, 8 * units),
        "rebuild": (0, 12 * workload.survivors * workload.genes),
    }


def measure(workload: Workload, gene: Gene) -> dict[str, Any]:
    """Return the median milliseconds of each stage and of the whole, in turn, and each stage's minimum work."""
    timed, whole = stages(workload, gene)
    everything = timed | {"whole": whole}
    milliseconds: dict[str, list[float]] = {name: [] for name in everything}
    for _ in range(REPETITIONS + 1):
        for name, action in everything.items():
            start = time.perf_counter()
            action()
            milliseconds[name].append(1000 * (time.perf_counter() - start))
    median = {name: statistics.median(values[1:]) for name, values in milliseconds.items()}
    active = broods.active_inputs(workload.images)[0].shape[0]
    needs = work(workload, gene, active)
    return {
        "whole_ms": round(median.pop("whole"), 2),
        "active_inputs": active,
        "stages": {
            name: {"median_ms": round(value, 2), "operations": needs[name][0], "bytes": needs[name][1]}
            for name, value in median.items()
        },
    }


if __name__ == "__main__":
    print(json.dumps(measure(Workload.load(sys.argv[1]), Gene[sys.argv[2].upper()])))
