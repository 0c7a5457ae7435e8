"""Node perturbation: every image scores mirrored pairs of mutants, which are recombined by their advantage.

One generation, a batch of N images, K pairs for each image and layer, one genome (D,):

    pairs      each unit's pre-activation z becomes z + sigma e and z - sigma e, e = +-1       backends
    advantage  d = (F(z + sigma e) - F(z - sigma e)) / (2 sigma)                               backends
    estimate   g = mean over images and pairs of d e x^T, x the layer's input                  backends
    step       along g, scaled gene by gene                                                    ascent.py

The rate falls linearly to 0; the weights of the last generations are averaged. No derivative of an activation or of the
fitness is taken, so both may be step functions. This is an estimate of a gradient with a step size, not a population
that persists; docs/methods.md compares the methods.

Sources: Widrow & Lehr 1990 (MADALINE Rule III), Williams 1992 (REINFORCE), Werfel, Xie & Seung 2005, Zhang et al. 2017
(mirrored pairs).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genreg_np import fitness as fitnesses
from genreg_np.backends.base import Backend, Batch, Perturbation, Work
from genreg_np.backends.memory import Plan
from genreg_np.errors import FitnessError
from genreg_np.model import Float32, Network
from genreg_np.settings import option
from genreg_np.strategies import rewards
from genreg_np.strategies.ascent import annealed_rate, ascend, running_average, weight_decay
from genreg_np.strategies.base import State, Strategy, first_genes, plan_of
from genreg_np.strategies.epochs import draw_batch, flat_offsets, training_batch
from genreg_np.strategies.problem import Problem
from genreg_np.strategies.rewards import RewardSettings
from genreg_np.streams import Stream

ONLY_AT_START = "only generation 0 draws from it"


@dataclass(frozen=True)
class NodeOptions(RewardSettings):
    """Settings of node perturbation."""

    pairs: int = option(16, "mirrored pairs of mutants per image and layer", low=1, high=1024)
    sigma: float = option(0.3, "how far a unit's pre-activation is mutated", above=0, high=1000)
    batch_size: int = option(500, "images per generation", low=1, high=1_000_000)
    shift: int = option(0, "largest random shift of training images, in pixels each way", low=0, high=100)
    step_size: float = option(0.005, "first step, about the change of a gene per generation", above=0, high=1000)
    annealing: str = option("linear", "how the step falls to 0 over the run", choices=("linear", "none"))
    weight_decay: float = option(0.0, "pull of weights towards 0, added to the estimate", low=0, high=1000)
    averaging: float = option(0.2, "last fraction of the run whose weights are averaged", low=0, high=1)
    fitness: str = option("log-probability", "fitness of a mutant on an image", choices=fitnesses.IMAGE_FITNESSES)
    advantage: str = option(
        "auto",
        "relative: an image's advantages are divided by their root mean square; auto: for reward and accuracy",
        choices=("auto", "plain", "relative"),
    )
    prediction: str = rewards.prediction("sampled")
    correct_reward: float = rewards.correct_reward()
    wrong_penalty: float = rewards.wrong_penalty()
    initial_gain: float = option(
        1.0, "deviation of the first weights, times 1 / sqrt(inputs)", low=0, high=1000, fixed=ONLY_AT_START
    )

    @property
    def relative(self) -> bool:
        """Whether all images count equally, however much their mutants differ."""
        return self.advantage == "relative" or (self.advantage == "auto" and self.fitness in ("reward", "accuracy"))

    @property
    def annealed(self) -> bool:
        """Whether a generation depends on the total number of generations."""
        return self.annealing != "none" or self.averaging > 0


@dataclass(frozen=True)
class NodeContext:
    """What a run computes once and never saves."""

    options: NodeOptions
    backend: Backend
    network: Network
    batch: Batch  # the whole training set, from which a generation takes some rows; weights (batch_size,)
    decay: Float32 = field(repr=False)  # (D,) weight decay, 0 for biases
    offsets: NDArray[np.int64]  # places by which features may be rolled to shift an image
    generations: int  # of the whole run


@dataclass(frozen=True)
class NodeState(State):
    """The state between generations."""

    genes: Float32  # (D,)
    mean: Float32  # (D,) m, running mean of the estimate
    square: Float32  # (D,) s, running mean of its square
    average: Float32  # (D,) mean genes of the last `averaged` generations
    averaged: int = 0
    fitness: float = 0.0  # mean over the last batch, before its step
    accuracy: float = 0.0  # fraction of the last batch predicted right, before its step

    def metrics(self) -> dict[str, float]:
        """Return the recorded metrics of the last generation; one genome's fitness is both best and mean."""
        measured = dict.fromkeys(("fitness", "best_trust", "mean_trust"), self.fitness)
        return measured | {"mean_accuracy": self.accuracy}


class NodePerturbation(Strategy[NodeOptions, NodeContext, NodeState]):
    """The strategy `node-perturbation`."""

    name = "node-perturbation"
    summary = (
        "mirrored mutants of every unit, scored image by image: no backpropagation and no derivatives, "
        "but an estimate with a step size"
    )
    Options = NodeOptions

    @staticmethod
    def works(options: NodeOptions, depth: int) -> tuple[Work, ...]:
        """Return the works that a backend must compile for it; `depth` is the number of learning layers."""
        if options.fitness in fitnesses.ERRORS:
            return Work.PAIRS, Work.ERROR_PAIRS
        simple = options.fitness == "log-probability" and depth <= 2
        return (Work.PAIRS,) if simple else (Work.PAIRS, Work.SCORED_PAIRS)

    @staticmethod
    def prepare(problem: Problem, options: NodeOptions, backend: Backend) -> NodeContext:
        """Collect what stays the same in all generations.

        Raises
        ------
        UsageError
            Without labelled data, or without a function for fitness = custom.
        """
        scoring = options.scoring
        return NodeContext(
            options,
            backend,
            problem.network,
            training_batch(problem, options.batch_size, scoring),
            weight_decay(problem.network, options.weight_decay),
            flat_offsets(problem.network, options.shift),
            problem.generations,
        )

    @classmethod
    def start(cls, context: NodeContext, stream: Stream) -> NodeState:
        """Draw the first genes."""
        return cls.seeded(first_genes(context.network, context.options.initial_gain, stream))

    @staticmethod
    def seeded(genes: Float32) -> NodeState:
        """Return the first state with one genome (D,)."""
        genes = np.array(genes, np.float32)
        return NodeState(0, genes, np.zeros_like(genes), np.zeros_like(genes), np.zeros_like(genes))

    @staticmethod
    def step(state: NodeState, context: NodeContext, stream: Stream) -> NodeState:
        """Score the next batch's mutants, and move the genes.

        Raises
        ------
        FitnessError
            If fitness or genes are no longer finite: training could not recover.
        """
        options, generation = context.options, state.generation
        estimate = context.backend.perturb(
            context.network,
            state.genes,
            draw_batch(context.batch, context.offsets, stream, generation),
            Perturbation(options.pairs, options.sigma, stream.seed, generation, options.relative),
        )
        genes, mean, square = ascend(
            state.genes,
            state.mean,
            state.square,
            estimate.change - context.decay * state.genes,
            generation,
            annealed_rate(options.step_size, options.annealing, generation, context.generations),
        )
        if not (np.isfinite(estimate.fitness) and np.isfinite(genes).all()):
            raise FitnessError(
                f"generation {generation + 1}: the fitness or the weights became infinite or NaN: "
                f"lower step_size ({options.step_size:g})"
            )
        average, averaged = running_average(
            state.average, state.averaged, genes, generation, context.generations, options.averaging
        )
        return NodeState(generation + 1, genes, mean, square, average, averaged, estimate.fitness, estimate.accuracy)

    @staticmethod
    def plan(problem: Problem, options: NodeOptions, backend: Backend) -> Plan:
        """Return how a generation is computed, and the memory it takes: genes, their step's state and its parts."""
        what = f"{options.pairs} mirrored pairs per image and layer"
        return plan_of(what, problem.network.gene_count, 6, problem.features)

    @staticmethod
    def champions(state: NodeState) -> dict[str, Float32]:
        """Return `best`: the average genes if there are any, else the current ones."""
        return {"best": state.average if state.averaged else state.genes}
