"""Node perturbation: every image judges mirrored pairs of mutants, which are recombined by their advantage.

One generation, a batch of N images, K pairs for each image and layer, one genome (D,):

    pairs      each unit's pre-activation z becomes z + sigma e and z - sigma e, e = +-1       backends
    advantage  d = (F(z + sigma e) - F(z - sigma e)) / (2 sigma)                               backends
    estimate   g = mean over images and pairs of d e x^T, x the layer's input                  backends
    step       m += (1 - b1) (g - m),   s += (1 - b2) (g^2 - s)
               genes += rate m / (sqrt(s) + eps)

The rate falls linearly to 0; the weights of the last generations are averaged. No derivative is taken, of an activation
or of the fitness, so both may be steps. This is an estimate of a gradient with a step size, not a population that
persists; docs/methods.md says how it compares.

Sources: Widrow & Lehr 1990 (MADALINE Rule III), Williams 1992 (REINFORCE), Werfel, Xie & Seung 2005, Zhang et al. 2017
(mirrored pairs); Kingma & Ba 2015 for the step (their equations 1 - 5, with g an estimate).
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genreg_np import fitness as fitnesses
from genreg_np.backends.base import Backend, Batch, Perturbation
from genreg_np.errors import UsageError
from genreg_np.model import Float32, Network
from genreg_np.settings import Settings, option
from genreg_np.strategies.base import Problem
from genreg_np.streams import Purpose, Stream, unit_floats

MEMORY, SQUARE_MEMORY, EPSILON = 0.9, 0.999, np.float32(1e-8)  # b1, b2, eps
ONLY_AT_START = "only generation 0 draws from it"


@dataclass(frozen=True)
class NodeOptions(Settings):
    """Settings of node perturbation."""

    pairs: int = option(16, "mirrored pairs of mutants per image and layer, a power of two", low=1, high=1024)
    sigma: float = option(0.3, "how far a unit's pre-activation is mutated", above=0, high=1000)
    batch_size: int = option(500, "images per generation", low=1, high=1_000_000)
    step_size: float = option(0.005, "first step, about the change of a gene per generation", above=0, high=1000)
    annealing: str = option("linear", "how the step falls to 0 over the run", choices=("linear", "none"))
    weight_decay: float = option(0.0, "pull of weights towards 0, added to the estimate", low=0, high=1000)
    averaging: float = option(0.2, "last fraction of the run whose weights are averaged", low=0, high=1)
    fitness: str = option("log-probability", "what an image's mutants earn", choices=fitnesses.IMAGE_FITNESSES)
    prediction: str = option("sampled", "how a class is predicted for a reward", choices=fitnesses.PREDICTIONS)
    correct_reward: float = option(10.0, "earned for a right prediction", low=-1e6, high=1e6)
    wrong_penalty: float = option(-1.5, "earned for a wrong prediction", low=-1e6, high=1e6)
    initial_gain: float = option(
        1.0, "first weights have this deviation times 1 / sqrt(inputs)", low=0, high=1000, fixed=ONLY_AT_START
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pairs & (self.pairs - 1):
            raise UsageError(f"pairs = {self.pairs} must be a power of two: 1, 2, 4, 8, ...")

    @property
    def annealed(self) -> bool:
        """Whether a generation depends on how many there are in all."""
        return self.annealing != "none" or self.averaging > 0


@dataclass(frozen=True)
class NodeContext:
    """What a run computes once and never saves."""

    options: NodeOptions
    backend: Backend
    network: Network
    batch: Batch  # the whole training set, of which a generation takes some rows; weights (batch_size,)
    decay: Float32 = field(repr=False)  # (D,) weight decay of weights, 0 of biases
    generations: int  # in all


@dataclass(frozen=True)
class NodeState:
    """What lives between generations."""

    generation: int  # generations done so far
    genes: Float32  # (D,)
    mean: Float32  # (D,) m, running mean of the estimate
    square: Float32  # (D,) s, running mean of its square
    average: Float32  # (D,) mean genes of the last `averaged` generations
    averaged: int = 0
    fitness: float = 0.0  # mean over the last batch, before its step
    accuracy: float = 0.0  # fraction of the last batch predicted right, before its step

    def metrics(self) -> dict[str, float]:
        """Return what is recorded of the last generation; one genome's fitness is both best and mean."""
        return {"best_trust": self.fitness, "mean_trust": self.fitness, "mean_accuracy": self.accuracy}


class NodePerturbation:
    """The strategy `node-perturbation`."""

    name = "node-perturbation"
    Options = NodeOptions

    @staticmethod
    def prepare(problem: Problem, options: NodeOptions, backend: Backend) -> NodeContext:
        """Put together what stays the same.

        Raises
        ------
        UsageError
            Without labelled data.
        """
        if problem.features is None or problem.labels is None:
            raise UsageError("node-perturbation judges images: it needs a dataset (genreg takes a fitness of models)")
        decay = np.zeros(problem.network.gene_count, np.float32)
        for weights, _ in problem.network.weight_slices:
            decay[weights] = options.weight_decay
        batch = Batch(
            problem.features,
            problem.labels,
            np.ones(min(options.batch_size, len(problem.labels))),
            *fitnesses.scoring(options.fitness, options.prediction, options.correct_reward, options.wrong_penalty),
            function=problem.image_fitness,
        )
        return NodeContext(options, backend, problem.network, batch, decay, problem.generations)

    @classmethod
    def start(cls, context: NodeContext, stream: Stream) -> NodeState:
        """Draw the first genes: weights from U(+-gain sqrt(3 / I)), so that sums vary as the inputs do; biases 0."""
        network = context.network
        genes = unit_floats(stream.words(Purpose.INITIAL, 0, 0, network.gene_count)) * np.float32(2) - np.float32(1)
        for layer, (weights, biases) in zip(network.dense, network.weight_slices, strict=True):
            genes[weights] *= np.float32(context.options.initial_gain * (3 / layer.inputs) ** 0.5)
            genes[biases] = 0
        return cls.seeded(genes)

    @staticmethod
    def seeded(genes: Float32) -> NodeState:
        """Return a start from one genome (D,)."""
        genes = np.array(genes, np.float32)
        return NodeState(0, genes, np.zeros_like(genes), np.zeros_like(genes), np.zeros_like(genes))

    @staticmethod
    def step(state: NodeState, context: NodeContext, stream: Stream) -> NodeState:
        """Judge the next batch's mutants, and move the genes."""
        options, generation = context.options, state.generation
        estimate = context.backend.perturb(
            context.network,
            state.genes,
            draw_batch(context.batch, stream, generation),
            Perturbation(options.pairs, options.sigma, stream.seed, generation),
        )
        change = estimate.change - context.decay * state.genes
        mean = state.mean + np.float32(1 - MEMORY) * (change - state.mean)
        square = state.square + np.float32(1 - SQUARE_MEMORY) * (change * change - state.square)
        done = generation / max(1, context.generations)
        rate = options.step_size * (max(0.0, 1 - done) if options.annealing == "linear" else 1.0)
        # Both memories begin empty: what they lack, (1 - b^t), is made up for in the rate.
        rate *= (1 - SQUARE_MEMORY ** (generation + 1)) ** 0.5 / (1 - MEMORY ** (generation + 1))
        genes: Float32 = state.genes + np.float32(rate) * np.divide(mean, np.sqrt(square) + EPSILON)
        averaged = state.averaged + 1 if done >= 1 - options.averaging else 0
        average = state.average
        if averaged:
            average = average + np.float32(1 / averaged) * (genes - average)
        return NodeState(generation + 1, genes, mean, square, average, averaged, estimate.fitness, estimate.accuracy)

    @staticmethod
    def champions(state: NodeState) -> dict[str, Float32]:
        """Return `best`: the average genes once there is one, else the present ones."""
        return {"best": state.average if state.averaged else state.genes}


def draw_batch(whole: Batch, stream: Stream, generation: int) -> Batch:
    """Return the images of a generation: every image once in each epoch, in the epoch's own order.

    A last batch that would be too small is left out.
    """
    size, images = len(whole.weights), len(whole.labels)
    epoch, place = divmod(generation, images // size)
    rows = epoch_order(stream, epoch, images)[place * size : (place + 1) * size].copy()
    return dataclasses.replace(whole, rows=rows, labels=whole.labels[rows])


@functools.lru_cache(maxsize=2)
def epoch_order(stream: Stream, epoch: int, images: int) -> NDArray[np.int64]:
    """Return the order of all images in an epoch, (images,): a pure function, kept because it is dear."""
    order = stream.permutation(Purpose.EPOCH, epoch, 0, images)
    order.flags.writeable = False
    return order
