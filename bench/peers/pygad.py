"""PyGAD: uniform crossover; uniform mutation steps at the published rate; the fitness of all genomes in one call."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pygad
from workload import MUTATION_RATE, MUTATION_SCALE, Workload


def set_up(workload: Workload) -> Callable[[], object]:
    """Return a function that does one generation."""
    first, second, last = workload.layers()
    columns = np.ascontiguousarray(workload.images.T)

    def accuracy(_: object, genomes: np.ndarray, __: object) -> list[float]:
        scores = []
        for genome in np.atleast_2d(np.asarray(genomes, np.float32)):
            units = np.tanh(genome[:first].reshape(workload.hidden, -1) @ columns + genome[first:second, None])
            logits = genome[second:last].reshape(workload.classes, -1) @ units + genome[last:, None]
            scores.append(float(np.mean(logits.argmax(axis=0) == workload.labels)))
        return scores

    search = pygad.GA(
        num_generations=1,
        num_parents_mating=workload.survivors,
        fitness_func=accuracy,
        fitness_batch_size=workload.population,
        sol_per_pop=workload.population,
        num_genes=workload.genes,
        gene_type=np.float32,
        init_range_low=-0.5,
        init_range_high=0.5,
        crossover_type="uniform",
        mutation_type="random",
        mutation_percent_genes=100 * MUTATION_RATE,
        random_mutation_min_val=-MUTATION_SCALE,
        random_mutation_max_val=MUTATION_SCALE,
        keep_elitism=0,
        keep_parents=0,
        random_seed=0,
        suppress_warnings=True,
    )
    return search.run
