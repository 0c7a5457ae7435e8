"""One implementation of one generation, timed on demand: the driver starts one process per implementation.

    python worker.py IMPLEMENTATION WORKLOAD.npz

Prints one line of JSON when ready (seconds of set-up and compilation), then for each line on stdin does one generation
and prints its milliseconds. Every implementation does the same work: a new population of children of the last, scored
by the accuracy of P networks I-H-K (tanh) on the same N images.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import numpy as np

RATE, SCALE, SURVIVORS = 0.07, 0.1, 0.2
SETTINGS = {}


def load(path: str) -> None:
    data = np.load(path)
    SETTINGS.update(
        images=data["images"], labels=data["labels"], hidden=int(data["hidden"]), classes=int(data["classes"])
    )
    SETTINGS["population"] = int(data["population"])
    inputs = data["images"].shape[1]
    SETTINGS["genes"] = SETTINGS["hidden"] * (inputs + 1) + SETTINGS["classes"] * (SETTINGS["hidden"] + 1)


def genreg(backend: str, crossover: str) -> Callable[[], None]:
    from genreg_np.backends import create
    from genreg_np.backends.base import Batch, Brood, Gene, Score
    from genreg_np.model import Network

    images, labels = SETTINGS["images"], SETTINGS["labels"].astype(np.int64)
    population, genes = SETTINGS["population"], SETTINGS["genes"]
    count = int(population * SURVIVORS)
    rng = np.random.default_rng(0)
    network = Network.build((images.shape[1],), (SETTINGS["hidden"],), SETTINGS["classes"])
    engine = create(backend)
    engine.warm_up()
    state = {"survivors": rng.uniform(-0.5, 0.5, (count, genes)).astype(np.float32), "generation": 1}
    batch = Batch(images, labels, np.ones(len(labels)), Score.REWARD_SAMPLED, 10.0, -1.5)

    def step() -> None:
        parents = rng.integers(0, count, (population, 2)).astype(np.int32)
        gene = Gene[crossover.upper()]
        brood = Brood(network, 7, state["generation"], state["survivors"], parents, gene, RATE, SCALE, 0, 0.5, 0.1)
        fitness = engine.score(brood, batch).fitness
        state["survivors"] = engine.rebuild(brood, np.argsort(-fitness, kind="stable")[:count])
        state["generation"] += 1

    return step


def gemm() -> Callable[[], None]:
    rng = np.random.default_rng(0)
    images, labels = SETTINGS["images"], SETTINGS["labels"]
    left = rng.random((SETTINGS["population"] * SETTINGS["hidden"], images.shape[1]), np.float32)
    right = np.ascontiguousarray(images.T)
    out = np.empty((len(left), len(labels)), np.float32)
    return lambda: np.matmul(left, right, out=out)


def evosax() -> Callable[[], None]:
    import jax
    import jax.numpy as jnp
    import optax
    from evosax.algorithms import SimpleGA

    images, labels = jnp.asarray(SETTINGS["images"]), jnp.asarray(SETTINGS["labels"])
    hidden, classes, inputs = SETTINGS["hidden"], SETTINGS["classes"], SETTINGS["images"].shape[1]
    algorithm = SimpleGA(SETTINGS["population"], jnp.zeros(SETTINGS["genes"]), optax.constant_schedule(SCALE))
    params = algorithm.default_params.replace(crossover_rate=0.5)
    first, second = hidden * inputs, hidden * inputs + hidden

    def errors(genome: jax.Array) -> jax.Array:
        units = jnp.tanh(images @ genome[:first].reshape(hidden, inputs).T + genome[first:second])
        last = second + classes * hidden
        logits = units @ genome[second:last].reshape(classes, hidden).T + genome[last:]
        return -jnp.mean(logits.argmax(axis=1) == labels)

    key = jax.random.key(0)
    start = jax.random.normal(key, (SETTINGS["population"], SETTINGS["genes"])) * 0.3
    state = algorithm.init(key, start, jax.vmap(errors)(start), params)

    @jax.jit
    def generation(key: jax.Array, state):  # type: ignore[no-untyped-def]
        key, ask, tell = jax.random.split(key, 3)
        population, state = algorithm.ask(ask, state, params)
        state, _ = algorithm.tell(tell, population, jax.vmap(errors)(population), state, params)
        return key, state

    held = [key, state]

    def step() -> None:
        held[0], held[1] = generation(*held)
        jax.block_until_ready(held[1])

    return step


def evotorch() -> Callable[[], None]:
    import torch
    from evotorch import Problem
    from evotorch.algorithms import GeneticAlgorithm
    from evotorch.operators import GaussianMutation

    images, labels = torch.from_numpy(SETTINGS["images"]), torch.from_numpy(SETTINGS["labels"].astype(np.int64))
    hidden, classes, inputs = SETTINGS["hidden"], SETTINGS["classes"], SETTINGS["images"].shape[1]
    first, second = hidden * inputs, hidden * inputs + hidden
    last = second + classes * hidden

    def accuracy(genomes: torch.Tensor) -> torch.Tensor:
        count = len(genomes)
        weights = genomes[:, :first].reshape(count * hidden, inputs)
        units = torch.tanh((weights @ images.T).reshape(count, hidden, -1) + genomes[:, first:second, None])
        logits = torch.bmm(genomes[:, second:last].reshape(count, classes, hidden), units) + genomes[:, last:, None]
        return (logits.argmax(dim=1) == labels).float().mean(dim=1)

    problem = Problem(
        "max", accuracy, solution_length=SETTINGS["genes"], initial_bounds=(-0.5, 0.5), vectorized=True,
        dtype=torch.float32, seed=0,
    )  # fmt: skip
    mutation = GaussianMutation(problem, stdev=SCALE, mutation_probability=RATE)
    searcher = GeneticAlgorithm(problem, operators=[mutation], popsize=SETTINGS["population"], elitist=False)
    return searcher.step


def pygad() -> Callable[[], None]:
    import pygad as library

    images, labels = SETTINGS["images"], SETTINGS["labels"]
    hidden, classes, inputs = SETTINGS["hidden"], SETTINGS["classes"], SETTINGS["images"].shape[1]
    first, second = hidden * inputs, hidden * inputs + hidden
    last = second + classes * hidden

    def accuracy(_: object, genomes: np.ndarray, __: object) -> list[float]:
        scores = []
        for genome in np.atleast_2d(np.asarray(genomes, np.float32)):
            units = np.tanh(genome[:first].reshape(hidden, inputs) @ images.T + genome[first:second, None])
            logits = genome[second:last].reshape(classes, hidden) @ units + genome[last:, None]
            scores.append(float(np.mean(logits.argmax(axis=0) == labels)))
        return scores

    population = SETTINGS["population"]
    search = library.GA(
        num_generations=1, num_parents_mating=int(population * SURVIVORS), fitness_func=accuracy,
        sol_per_pop=population, num_genes=SETTINGS["genes"], gene_type=np.float32,
        init_range_low=-0.5, init_range_high=0.5,
        crossover_type="uniform", mutation_type="random", mutation_percent_genes=100 * RATE, keep_elitism=0,
        keep_parents=0, fitness_batch_size=population, random_seed=0, random_mutation_min_val=-SCALE,
        random_mutation_max_val=SCALE, suppress_warnings=True,
    )  # fmt: skip
    return search.run


IMPLEMENTATIONS: dict[str, Callable[[], Callable[[], None]]] = {
    "gemm": gemm,
    "numba, gene = weight": lambda: genreg("numba", "weight"),
    "numba, gene = unit": lambda: genreg("numba", "unit"),
    "numba, gene = none": lambda: genreg("numba", "none"),
    "numpy, gene = weight": lambda: genreg("numpy", "weight"),
    "evosax": evosax,
    "EvoTorch": evotorch,
    "PyGAD": pygad,
}


def main() -> None:
    """Set up, then step for each line."""
    started = time.perf_counter()
    load(sys.argv[2])
    step = IMPLEMENTATIONS[sys.argv[1]]()
    step()
    print(json.dumps({"ready": time.perf_counter() - started}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(json.dumps({"ms": 1000 * (time.perf_counter() - start)}), flush=True)


if __name__ == "__main__":
    main()
