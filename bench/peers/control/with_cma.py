"""pycma: CMA-ES on the returns of episodes; the mean of its distribution is the policy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cma
import numpy as np
from common import Network, main, mean_return


def train(env: Any, seconds: float, seed: int, episodes: int) -> Callable[[np.ndarray], int]:
    """Return a policy after training for `seconds` seconds."""
    began, network = time.perf_counter(), Network(env)
    search = cma.CMAEvolutionStrategy(np.zeros(network.size), 0.5, {"seed": seed + 1, "popsize": 24, "verbose": -9})
    generation = 0
    while time.perf_counter() - began < seconds:
        seeds = [generation * episodes + number for number in range(episodes)]
        genomes = search.ask()
        returns = [mean_return(env, lambda seen, genes=genes: network.act(genes, seen), seeds) for genes in genomes]
        search.tell(genomes, [-value for value in returns])
        generation += 1
    best = np.asarray(search.result.xfavorite)
    return lambda seen: network.act(best, seen)


if __name__ == "__main__":
    main(train)
