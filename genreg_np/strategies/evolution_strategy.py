"""An evolution strategy: whole genomes mutated in mirrored pairs, ranked, and recombined into one step.

One generation, P genomes around one (D,), all scored on the same batch:

    genomes    genes + sigma z_i and genes - sigma z_i,   z_i ~ N(0, 1) for each gene,   i = 1 .. P/2
    utility    u = rank / (P - 1) - 1/2, the best 1/2, the worst -1/2
    estimate   g = 1 / (P sigma) sum over i of (u_i+ - u_i-) z_i
    step       along g, scaled gene by gene                                              ascent.py

Here for comparison: it is what node perturbation is without looking at units and single images.

Source: Salimans, Ho, Chen, Sidor & Sutskever 2017, arXiv 1703.03864 (algorithm 1, mirrored sampling, rank shaping).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import fitness as fitnesses
from genreg_np.backends.base import Backend, Batch, Brood, Gene, Work
from genreg_np.layers.base import array_module
from genreg_np.memory import Plan
from genreg_np.model import Float32, Network
from genreg_np.settings import Settings, option
from genreg_np.strategies.ascent import annealed_rate, ascend, weight_decay
from genreg_np.strategies.base import Problem, Scored, first_genes, plan_of
from genreg_np.strategies.epochs import UNMOVED, draw_batch, training_batch
from genreg_np.streams import Purpose, Stream


@dataclass(frozen=True)
class EvolutionStrategyOptions(Settings):
    """Settings of the evolution strategy."""

    population_size: int = option(200, "genomes per generation, half of them mirrored", low=2, high=1_000_000)
    sigma: float = option(0.02, "standard deviation of a gene's mutation", above=0, high=1000)
    batch_size: int = option(1000, "images per generation", low=1, high=1_000_000)
    step_size: float = option(0.01, "first step, about the change of a gene per generation", above=0, high=1000)
    annealing: str = option("linear", "how the step falls to 0 over the run", choices=("linear", "none"))
    weight_decay: float = option(0.0, "pull of weights towards 0, added to the estimate", low=0, high=1000)
    fitness: str = option("log-probability", "what a genome earns", choices=fitnesses.BUILT_IN)
    prediction: str = option("argmax", "how a class is predicted for a reward", choices=fitnesses.PREDICTIONS)
    correct_reward: float = option(10.0, "earned for a right prediction", low=-1e6, high=1e6)
    wrong_penalty: float = option(-1.5, "earned for a wrong prediction", low=-1e6, high=1e6)
    initial_gain: float = option(
        1.0,
        "first weights have this deviation times 1 / sqrt(inputs)",
        low=0,
        high=1000,
        fixed="only generation 0 draws from it",
    )

    @property
    def annealed(self) -> bool:
        """Whether a generation depends on how many there are in all."""
        return self.annealing != "none"


@dataclass(frozen=True)
class EvolutionStrategyContext:
    """What a run computes once and never saves."""

    options: EvolutionStrategyOptions
    backend: Backend
    network: Network
    batch: Batch  # the whole training set, of which a generation takes some rows; weights (batch_size,)
    decay: Float32 = field(repr=False)  # (D,)
    zeros: Any = field(repr=False)  # (P/2, D) float32 of the backend, to which noise is added
    generations: int  # in all


@dataclass(frozen=True)
class EvolutionStrategyState(Scored):
    """What lives between generations."""

    generation: int  # generations done so far
    genes: Float32  # (D,)
    mean: Float32  # (D,) running mean of the estimate
    square: Float32  # (D,) running mean of its square
    best_fitness: float = 0.0  # of the last generation, a mean over its images
    mean_fitness: float = 0.0
    mean_accuracy: float = 0.0
    non_finite: int = 0  # fitness values replaced so far


class EvolutionStrategy:
    """The strategy `evolution-strategy`."""

    name = "evolution-strategy"
    summary = "mirrored mutants of one genome, ranked and recombined: no derivatives, but an estimate with a step size"
    Options = EvolutionStrategyOptions

    @staticmethod
    def works(options: EvolutionStrategyOptions, depth: int) -> tuple[Work, ...]:
        """Return what a backend has to do for it, and so what must be compiled; `depth` is how many layers learn."""
        return (Work.BROODS,)

    @staticmethod
    def prepare(problem: Problem, options: EvolutionStrategyOptions, backend: Backend) -> EvolutionStrategyContext:
        """Put together what stays the same.

        Raises
        ------
        UsageError
            Without labelled data.
        """
        scoring = fitnesses.scoring(options.fitness, options.prediction, options.correct_reward, options.wrong_penalty)
        return EvolutionStrategyContext(
            options,
            backend,
            problem.network,
            training_batch(problem, options.batch_size, scoring),
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
        """Return a start from one genome (D,)."""
        genes = np.array(genes, np.float32)
        return EvolutionStrategyState(0, genes, np.zeros_like(genes), np.zeros_like(genes))

    @staticmethod
    def step(
        state: EvolutionStrategyState, context: EvolutionStrategyContext, stream: Stream
    ) -> EvolutionStrategyState:
        """Score the next generation's genomes, and move the genes."""
        options, generation = context.options, state.generation
        backend = context.backend
        noise = backend.mutate(context.zeros, stream.seed, generation, Purpose.MUTATION, 1.0, 1.0, 0)
        with backend.computing():
            xp, genes, steps = array_module(noise), backend.to_device(state.genes), noise * options.sigma
            genomes = xp.concatenate([genes + steps, genes - steps])
        batch = draw_batch(context.batch, UNMOVED, stream, generation)
        judged = backend.score(as_they_are(context.network, genomes, stream, generation), batch)
        fitness = fitnesses.replace_non_finite(judged.fitness)
        upper, lower = np.split(centred_ranks(fitness.values), 2)
        shares = ((upper - lower) / (len(genomes) * options.sigma)).astype(np.float32)
        with backend.computing():
            change = backend.to_host(xp.matmul(backend.to_device(shares), noise))
        genes, mean, square = ascend(
            state.genes,
            state.mean,
            state.square,
            change - context.decay * state.genes,
            generation,
            annealed_rate(options.step_size, options.annealing, generation, context.generations),
        )
        earned = fitness.values / len(batch)
        return EvolutionStrategyState(
            generation + 1,
            genes,
            mean,
            square,
            float(earned.max()),
            float(earned.mean()),
            float(judged.accuracy.mean()),
            state.non_finite + fitness.replaced,
        )

    @staticmethod
    def plan(problem: Problem, options: EvolutionStrategyOptions, backend: Backend) -> Plan:
        """Say how a generation is computed, and what memory that takes."""
        what = f"{options.population_size:,} genomes in mirrored pairs"
        return plan_of(what, problem.network.gene_count, 6 + 3 * options.population_size, problem.features)

    @staticmethod
    def champions(state: EvolutionStrategyState) -> dict[str, Float32]:
        """Return `best`, the genome around which the population is drawn."""
        return {"best": state.genes}


def as_they_are(network: Network, genomes: Float32, stream: Stream, generation: int) -> Brood:
    """Describe genomes (P, D) that are to be scored unchanged: each its own parent, all elites."""
    parents = np.repeat(np.arange(len(genomes), dtype=np.int32)[:, None], 2, axis=1)
    return Brood(network, stream.seed, generation, genomes, parents, Gene.NONE, 0.0, 0.0, len(genomes), 0.0, 0.0)


def centred_ranks(fitness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return utilities (P,) from -1/2 for the worst to 1/2 for the best; equals by number."""
    ranks = np.empty(len(fitness))
    ranks[np.argsort(fitness, kind="stable")] = np.arange(len(fitness))
    return ranks / max(1, len(fitness) - 1) - 0.5
