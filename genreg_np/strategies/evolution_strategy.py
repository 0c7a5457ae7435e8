"""An evolution strategy: whole genomes are mutated in mirrored pairs, ranked, and recombined into one step.

One generation, P genomes around one (D,), all scored on the same batch:

    genomes    genes + sigma z_i and genes - sigma z_i,   z_i ~ N(0, 1) for each gene,   i = 1 .. P/2
    utility    u = rank / (P - 1) - 1/2, the best 1/2, the worst -1/2
    estimate   g = 1 / (P sigma) sum over i of (u_i+ - u_i-) z_i
    step       along g, scaled gene by gene                                              ascent.py

It is here for comparison: node perturbation does the same per unit and per image.

Source: Salimans, Ho, Chen, Sidor & Sutskever 2017, arXiv 1703.03864 (algorithm 1, mirrored sampling, rank shaping).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import fitness as fitnesses
from genreg_np.backends.base import Backend, Batch, Brood, Work
from genreg_np.backends.memory import Plan
from genreg_np.layers.base import Array, array_module
from genreg_np.model import Float32, Network
from genreg_np.settings import option
from genreg_np.strategies import rewards
from genreg_np.strategies.ascent import annealed_rate, ascend, weight_decay
from genreg_np.strategies.base import PopulationStrategy, Scored, State, brood_works, first_genes, plan_of
from genreg_np.strategies.epochs import UNMOVED, draw_batch, genome_batch, no_batch
from genreg_np.strategies.problem import Problem
from genreg_np.strategies.rewards import RewardSettings
from genreg_np.streams import Purpose, Stream


@dataclass(frozen=True)
class EvolutionStrategyOptions(RewardSettings):
    """Settings of the evolution strategy."""

    population_size: int = option(200, "genomes per generation, half of them mirrored", low=2, high=1_000_000)
    sigma: float = option(0.02, "standard deviation of a gene's mutation", above=0, high=1000)
    batch_size: int = option(1000, "images per generation", low=1, high=1_000_000)
    step_size: float = option(0.01, "first step, about the change of a gene per generation", above=0, high=1000)
    annealing: str = option("linear", "how the step falls to 0 over the run", choices=("linear", "none"))
    weight_decay: float = option(0.0, "pull of weights towards 0, added to the estimate", low=0, high=1000)
    fitness: str = option("log-probability", "fitness of a genome", choices=fitnesses.FITNESSES)
    prediction: str = rewards.prediction("argmax")
    correct_reward: float = rewards.correct_reward()
    wrong_penalty: float = rewards.wrong_penalty()
    initial_gain: float = option(
        1.0,
        "deviation of the first weights, times 1 / sqrt(inputs)",
        low=0,
        high=1000,
        fixed="only generation 0 draws from it",
    )

    @property
    def annealed(self) -> bool:
        """Whether a generation depends on the total number of generations."""
        return self.annealing != "none"


@dataclass(frozen=True)
class EvolutionStrategyContext:
    """What a run computes once and never saves."""

    options: EvolutionStrategyOptions
    backend: Backend
    network: Network
    batch: Batch | None  # the whole training set, from which a generation takes some rows; None without a dataset
    decay: Float32 = field(repr=False)  # (D,)
    zeros: Any = field(repr=False)  # (P/2, D) float32 on the device, to which noise is added
    generations: int  # of the whole run


@dataclass(frozen=True)
class EvolutionStrategyState(Scored, State):
    """The state between generations."""

    genes: Float32  # (D,)
    mean: Float32  # (D,) running mean of the estimate
    square: Float32  # (D,) running mean of its square
    best_fitness: float = 0.0  # of the last generation, a mean over its images
    mean_fitness: float = 0.0
    mean_accuracy: float | None = None
    non_finite: int = 0  # fitness values replaced so far


class EvolutionStrategy(PopulationStrategy[EvolutionStrategyOptions, EvolutionStrategyContext, EvolutionStrategyState]):
    """The strategy `evolution-strategy`."""

    name = "evolution-strategy"
    summary = "mirrored mutants of one genome, ranked and recombined: no derivatives, but an estimate with a step size"
    Options = EvolutionStrategyOptions

    @staticmethod
    def works(options: EvolutionStrategyOptions, depth: int) -> tuple[Work, ...]:
        """Return the works that a backend must compile for it; `depth` is the number of learning layers."""
        return brood_works(options.fitness)

    @staticmethod
    def prepare(problem: Problem, options: EvolutionStrategyOptions, backend: Backend) -> EvolutionStrategyContext:
        """Collect what stays the same in all generations."""
        scoring = options.scoring
        return EvolutionStrategyContext(
            options,
            backend,
            problem.network,
            genome_batch(problem, options.batch_size, scoring),
            weight_decay(problem.network, options.weight_decay),
            backend.to_device(np.zeros((max(1, options.population_size // 2), problem.network.gene_count), np.float32)),
            problem.generations,
        )

    @classmethod
    def start(cls, context: EvolutionStrategyContext, stream: Stream) -> EvolutionStrategyState:
        """Draw the first genes."""
        return cls.seeded(first_genes(context.network, context.options.initial_gain, stream))

    @staticmethod
    def seeded(genes: Float32) -> EvolutionStrategyState:
        """Return the first state with one genome (D,)."""
        genes = np.array(genes, np.float32)
        return EvolutionStrategyState(0, genes, np.zeros_like(genes), np.zeros_like(genes))

    @classmethod
    def breed(
        cls, state: EvolutionStrategyState, context: EvolutionStrategyContext, stream: Stream, told: bool = False
    ) -> Brood:
        """Return mirrored mutants of the genome, all those with a plus sign first."""
        return _mutants(state, context, stream, _noise(state, context, stream.seed))

    @classmethod
    def batch(cls, state: EvolutionStrategyState, context: EvolutionStrategyContext, stream: Stream) -> Batch:
        """Return the next images of an epoch."""
        if context.batch is None:
            raise no_batch()
        return draw_batch(context.batch, UNMOVED, stream, state.generation)

    @classmethod
    def select(
        cls,
        state: EvolutionStrategyState,
        context: EvolutionStrategyContext,
        brood: Brood,
        fitness: NDArray[np.float64],
        accuracy: float | None = None,
    ) -> EvolutionStrategyState:
        """Move the genome along the estimate from its mutants' ranks."""
        return _moved(state, context, _noise(state, context, brood.seed), fitness, accuracy)

    @classmethod
    def step(
        cls, state: EvolutionStrategyState, context: EvolutionStrategyContext, stream: Stream
    ) -> EvolutionStrategyState:
        """Score the next generation's genomes and move the genome, drawing the noise only once."""
        noise = _noise(state, context, stream.seed)
        batch = cls.batch(state, context, stream)
        judged = context.backend.score(_mutants(state, context, stream, noise), batch)
        return _moved(state, context, noise, judged.fitness, float(judged.accuracy.mean()))

    @staticmethod
    def plan(problem: Problem, options: EvolutionStrategyOptions, backend: Backend) -> Plan:
        """Return how a generation is computed, and the memory it takes."""
        what = f"{options.population_size:,} genomes in mirrored pairs"
        return plan_of(what, problem.network.gene_count, 6 + 3 * options.population_size, problem.features)

    @staticmethod
    def champions(state: EvolutionStrategyState) -> dict[str, Float32]:
        """Return `best`, the genome around which the population is drawn."""
        return {"best": state.genes}

    @staticmethod
    def centre(state: EvolutionStrategyState) -> Float32:
        """Return the genome around which the population is drawn."""
        return state.genes


def _noise(state: EvolutionStrategyState, context: EvolutionStrategyContext, seed: int) -> Array:
    """Return a generation's deviates z, (P/2, D), on the device."""
    return context.backend.mutate(context.zeros, seed, state.generation, Purpose.MUTATION, 1.0, 1.0, 0)


def _mutants(state: EvolutionStrategyState, context: EvolutionStrategyContext, stream: Stream, noise: Array) -> Brood:
    backend = context.backend
    with backend.computing():
        genes, steps = backend.to_device(state.genes), noise * context.options.sigma
        genomes = array_module(noise).concatenate([genes + steps, genes - steps])
    return Brood.unchanged(context.network, genomes, stream.seed, state.generation)


def _moved(
    state: EvolutionStrategyState,
    context: EvolutionStrategyContext,
    noise: Array,
    fitness: NDArray[np.float64],
    accuracy: float | None,
) -> EvolutionStrategyState:
    """Return the state after a step along the estimate from the mutants' fitness (P,)."""
    options, backend, generation = context.options, context.backend, state.generation
    earned = fitnesses.replace_non_finite(fitness)
    upper, lower = np.split(centred_ranks(earned.values, earned.perfect), 2)
    shares = ((upper - lower) / (len(fitness) * options.sigma)).astype(np.float32)
    with backend.computing():
        change = backend.to_host(array_module(noise).matmul(backend.to_device(shares), noise))
    genes, mean, square = ascend(
        state.genes,
        state.mean,
        state.square,
        change - context.decay * state.genes,
        generation,
        annealed_rate(options.step_size, options.annealing, generation, context.generations),
    )
    images = 1 if accuracy is None or context.batch is None else len(context.batch.weights)
    values = earned.values / images
    return EvolutionStrategyState(
        generation + 1,
        genes,
        mean,
        square,
        float(values.max()),
        fitnesses.mean_and_deviation(values)[0],
        accuracy,
        state.non_finite + earned.replaced,
    )


def centred_ranks(fitness: NDArray[np.float64], perfect: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return utilities (P,) from -1/2 for the worst to 1/2 for the best, perfect ones on top; ties by number."""
    ranks = np.empty(len(fitness))
    ranks[np.lexsort((fitness, perfect))] = np.arange(len(fitness))
    return ranks / max(1, len(fitness) - 1) - 0.5
