"""Hill climbing: the best of a few mutants, w + mask * scale z, replaces the genome w where it is better."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genreg_np import fitness as fitnesses
from genreg_np.backends.base import Backend, Batch, Brood, Work
from genreg_np.backends.memory import Plan
from genreg_np.model import Float32, Network
from genreg_np.settings import Settings, option
from genreg_np.strategies.base import PopulationStrategy, Scored, State, first_genes, plan_of
from genreg_np.strategies.epochs import UNMOVED, draw_batch, genome_batch, no_batch
from genreg_np.strategies.problem import Problem
from genreg_np.streams import Stream


@dataclass(frozen=True)
class HillClimberOptions(Settings):
    """Settings: what `--set` takes, with what each may be."""

    children: int = option(40, "mutants per generation", low=1, high=1_000_000)
    rate: float = option(0.1, "share of genes that mutate", low=0, high=1)
    scale: float = option(0.5, "standard deviation of a mutation", low=0, high=1000)
    batch_size: int = option(1000, "training images to judge by", low=1, high=1_000_000)


@dataclass(frozen=True)
class HillClimberContext:
    """What stays the same, and is never saved."""

    options: HillClimberOptions
    backend: Backend
    network: Network
    batch: Batch | None  # all training images; None where the user tells the fitness


@dataclass(frozen=True)
class HillClimberState(Scored, State):
    """What lives between generations, and is saved."""

    genes: Float32  # (D,)
    best_fitness: float = 0.0  # the last generation's, a mean over its images
    mean_fitness: float = 0.0
    mean_accuracy: float | None = None
    non_finite: int = 0  # fitness values replaced so far


class HillClimber(PopulationStrategy[HillClimberOptions, HillClimberContext, HillClimberState]):
    """The strategy `hill-climber`."""

    name = "hill-climber"
    summary = "the best of a few mutants replaces the genome, where it is better"
    Options = HillClimberOptions

    @staticmethod
    def works(options: HillClimberOptions, depth: int) -> tuple[Work, ...]:
        return (Work.BROODS,)

    @staticmethod
    def plan(problem: Problem, options: HillClimberOptions, backend: Backend) -> Plan:
        what = f"{options.children:,} mutants, built where they are judged"
        return plan_of(what, problem.network.gene_count, 2, problem.features)

    @staticmethod
    def prepare(problem: Problem, options: HillClimberOptions, backend: Backend) -> HillClimberContext:
        scoring = fitnesses.scoring("log-probability", "argmax", 0.0, 0.0)
        batch = genome_batch(problem, options.batch_size, scoring)
        return HillClimberContext(options, backend, problem.network, batch)

    @classmethod
    def start(cls, context: HillClimberContext, stream: Stream) -> HillClimberState:
        return cls.seeded(first_genes(context.network, 1.0, stream))

    @classmethod
    def seeded(cls, genes: Float32) -> HillClimberState:
        return HillClimberState(0, np.array(genes, np.float32))

    @classmethod
    def batch(cls, state: HillClimberState, context: HillClimberContext, stream: Stream) -> Batch:
        if context.batch is None:
            raise no_batch()
        return draw_batch(context.batch, UNMOVED, stream, state.generation)

    @classmethod
    def breed(cls, state: HillClimberState, context: HillClimberContext, stream: Stream, told: bool = False) -> Brood:
        options, parents = context.options, np.zeros((context.options.children + 1, 2), np.int32)
        brood = Brood.unchanged(context.network, state.genes[None], stream.seed, state.generation)
        return replace(brood, parents=parents, elites=1, mutation_rate=options.rate, mutation_scale=options.scale)

    @classmethod
    def select(
        cls,
        state: HillClimberState,
        context: HillClimberContext,
        brood: Brood,
        fitness: NDArray[np.float64],
        accuracy: float | None = None,
    ) -> HillClimberState:
        earned = fitnesses.replace_non_finite(fitness)  # NaN and -inf become the worst, +inf is marked as perfect
        best = int(np.where(earned.perfect, np.inf, earned.values).argmax())
        genes = context.backend.to_host(context.backend.rebuild(brood, np.array([best])))[0]
        means = earned.values / (1 if accuracy is None or context.batch is None else len(context.batch.weights))
        average = fitnesses.mean_and_deviation(means)[0]  # which no size of fitness makes overflow
        measured = float(means[best]), average, accuracy, state.non_finite + earned.replaced
        return HillClimberState(state.generation + 1, genes, *measured)

    @staticmethod
    def champions(state: HillClimberState) -> dict[str, Float32]:
        return {"best": state.genes}
