"""EvoTorch: GeneticAlgorithm with GaussianMutation at the published rate; it has no crossover of single weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from evotorch import Problem
from evotorch.algorithms import GeneticAlgorithm
from evotorch.operators import GaussianMutation
from workload import MUTATION_RATE, MUTATION_SCALE, Workload


def set_up(workload: Workload) -> Callable[[], object]:
    """Return a function that does one step of the search; the first layers of all genomes are one product."""
    images, labels = torch.from_numpy(workload.images), torch.from_numpy(workload.labels)
    inputs, hidden, classes = workload.inputs, workload.hidden, workload.classes
    first, second, last = workload.layers()

    def accuracy(genomes: torch.Tensor) -> torch.Tensor:
        count = len(genomes)
        weights = genomes[:, :first].reshape(count * hidden, inputs)
        units = torch.tanh((weights @ images.T).reshape(count, hidden, -1) + genomes[:, first:second, None])
        logits = torch.bmm(genomes[:, second:last].reshape(count, classes, hidden), units) + genomes[:, last:, None]
        return (logits.argmax(dim=1) == labels).float().mean(dim=1)

    problem = Problem(
        "max",
        accuracy,
        solution_length=workload.genes,
        initial_bounds=(-0.5, 0.5),
        vectorized=True,
        dtype=torch.float32,
        seed=0,
    )
    mutation = GaussianMutation(problem, stdev=MUTATION_SCALE, mutation_probability=MUTATION_RATE)
    return GeneticAlgorithm(problem, operators=[mutation], popsize=workload.population, elitist=False).step
