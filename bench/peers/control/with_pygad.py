"""PyGAD: a genetic algorithm on the weights as numbers; the best of the last generation is the policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pygad
from common import Network, main, mean_return


def train(env: Any, seconds: float, seed: int, episodes: int) -> Callable[[np.ndarray], int]:
    """Return a policy after training for `seconds` seconds."""
    began, network = time.perf_counter(), Network(env)

    def fitness(search: Any, genes: np.ndarray, number: int) -> float:
        seeds = [search.generations_completed * episodes + number for number in range(episodes)]
        return mean_return(env, lambda seen: network.act(genes, seen), seeds)

    search = pygad.GA(
        num_generations=10**6, sol_per_pop=24, num_parents_mating=8, num_genes=network.size, fitness_func=fitness,
        init_range_low=-1, init_range_high=1, random_mutation_min_val=-0.5, random_mutation_max_val=0.5,
        mutation_percent_genes=20, keep_elitism=2, random_seed=seed, suppress_warnings=True,
        on_generation=lambda search: "stop" if time.perf_counter() - began >= seconds else None,
    )  # fmt: skip
    search.run()
    best, _, _ = search.best_solution(pop_fitness=search.last_generation_fitness)
    return lambda seen: network.act(best, seen)


if __name__ == "__main__":
    main(train)
