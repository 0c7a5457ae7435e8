"""Random search: fresh genomes in every generation, of which the best so far is kept; the floor of every comparison.

    genomes    scale z,   z ~ N(0, 1) for each gene,   P of them in each generation
    kept       the best so far on one batch of training images, the same in all generations

Nothing is inherited: only the best fitness so far is passed from one generation to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np import fitness as fitnesses
from genreg_np.backends.base import Backend, Batch, Brood, Work
from genreg_np.backends.memory import Plan
from genreg_np.model import Float32, Network
from genreg_np.settings import option
from genreg_np.strategies import rewards
from genreg_np.strategies.base import PopulationStrategy, Scored, State, brood_works, plan_of
from genreg_np.strategies.epochs import UNMOVED, draw_batch, genome_batch, no_batch
from genreg_np.strategies.problem import Problem
from genreg_np.strategies.rewards import RewardSettings
from genreg_np.streams import Stream


@dataclass(frozen=True)
class RandomSearchOptions(RewardSettings):
    """Settings of random search."""

    population_size: int = option(200, "genomes per generation", low=1, high=1_000_000)
    scale: float = option(0.1, "standard deviation of a gene", low=0, high=1000)
    batch_size: int = option(
        1000, "training images to score by", low=1, high=1_000_000, fixed="the best so far was scored on others"
    )
    fitness: str = option(
        "accuracy", "fitness of a genome", choices=fitnesses.FITNESSES, fixed="the best so far has another fitness"
    )
    prediction: str = rewards.prediction("argmax")
    correct_reward: float = rewards.correct_reward()
    wrong_penalty: float = rewards.wrong_penalty()


@dataclass(frozen=True)
class RandomSearchContext:
    """What a run computes once and never saves."""

    options: RandomSearchOptions
    backend: Backend
    network: Network
    batch: Batch | None  # the whole training set; all genomes are scored on the first batch of epoch 0


@dataclass(frozen=True)
class RandomSearchState(Scored, State):
    """The state between generations."""

    genes: Float32  # (D,) the best so far
    best_fitness: float = 0.0  # its fitness, a mean over the batch
    mean_fitness: float = 0.0  # of the last generation
    mean_accuracy: float | None = None
    non_finite: int = 0  # fitness values replaced so far
    perfect: int = 0  # 1 if its fitness was +inf: then it is never replaced


class RandomSearch(PopulationStrategy[RandomSearchOptions, RandomSearchContext, RandomSearchState]):
    """The strategy `random-search`."""

    name = "random-search"
    summary = "the best of fresh random networks: no inheritance, a floor to compare with"
    Options = RandomSearchOptions

    @staticmethod
    def works(options: RandomSearchOptions, depth: int) -> tuple[Work, ...]:
        """Return the works that a backend must compile for it; `depth` is the number of learning layers."""
        return brood_works(options.fitness)

    @staticmethod
    def prepare(problem: Problem, options: RandomSearchOptions, backend: Backend) -> RandomSearchContext:
        """Collect what stays the same in all generations."""
        scoring = options.scoring
        batch = genome_batch(problem, options.batch_size, scoring)
        return RandomSearchContext(options, backend, problem.network, batch)

    @classmethod
    def start(cls, context: RandomSearchContext, stream: Stream) -> RandomSearchState:
        """Return the state before the first genomes."""
        return RandomSearchState(0, np.zeros(context.network.gene_count, np.float32))

    @classmethod
    def breed(cls, state: RandomSearchState, context: RandomSearchContext, stream: Stream, told: bool = False) -> Brood:
        """Return fresh genomes, as mutations of zeros."""
        options = context.options
        return Brood(
            network=context.network,
            seed=stream.seed,
            generation=state.generation,
            survivors=np.zeros((1, len(state.genes)), np.float32),
            parents=np.zeros((options.population_size, 2), np.int32),
            mutation_rate=1.0,
            mutation_scale=options.scale,
        )

    @classmethod
    def batch(cls, state: RandomSearchState, context: RandomSearchContext, stream: Stream) -> Batch:
        """Return the first images of epoch 0, the same in all generations."""
        if context.batch is None:
            raise no_batch()
        return draw_batch(context.batch, UNMOVED, stream, 0)

    @classmethod
    def select(
        cls,
        state: RandomSearchState,
        context: RandomSearchContext,
        brood: Brood,
        fitness: NDArray[np.float64],
        accuracy: float | None = None,
    ) -> RandomSearchState:
        """Keep the best genome if it is better than all before; a perfect one is never replaced."""
        earned = fitnesses.replace_non_finite(fitness)
        images = 1 if accuracy is None or context.batch is None else len(context.batch.weights)
        values = earned.values / images
        best = int(np.lexsort((-np.arange(len(values)), values, earned.perfect))[-1])  # the first of equals
        perfect, better = bool(earned.perfect[best]), values[best] > state.best_fitness or state.generation == 0
        genes, fitness_of_best = state.genes, state.best_fitness
        if not state.perfect and (perfect or better):
            genes = context.backend.to_host(context.backend.rebuild(brood, np.array([best])))[0]
            fitness_of_best = float(values[best])
        return RandomSearchState(
            state.generation + 1,
            genes,
            fitness_of_best,
            fitnesses.mean_and_deviation(values)[0],
            accuracy,
            state.non_finite + earned.replaced,
            int(state.perfect or perfect),
        )

    @staticmethod
    def plan(problem: Problem, options: RandomSearchOptions, backend: Backend) -> Plan:
        """Return how a generation is computed, and the memory it takes."""
        what = f"{options.population_size:,} fresh genomes, built where they are scored"
        return plan_of(what, problem.network.gene_count, 2, problem.features)

    @staticmethod
    def champions(state: RandomSearchState) -> dict[str, Float32]:
        """Return `best`, the best genome so far."""
        return {"best": state.genes}
