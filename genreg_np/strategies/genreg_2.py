"""GENREG 2.0: filters evolved by Fisher separability, and a linear head by a genetic algorithm in whitened space.

Fixed layers, made once: deskew (shear only); statistics, 64 principal components of the pixels and the evolved filters'
responses, standardised, projected onto the principal axes of the training images and standardised again.

    filters    several populations, each on its own images; fitness of a filter: mean over its pooled responses x of
               sum over classes of n_c (m_c - m)^2 / sum over images of (x - m_class)^2
    harvest    the best eight of each population at three times; the most separable first, each kept if its responses
               correlate by at most 0.95 with those of all kept before
    head       P genomes of weights and biases; fitness: mean log-probability - 1e-4 |W|^2
    generation the best tenth stay; children come from tournaments of four, without crossover:
               sigma' = sigma exp(0.2 N),   genes' = genes + sigma' N (|w| + 0.05 mean |w|)

It is warm-started in closed form: the first head is W = class means, b = -|mean|^2 / 2, which in whitened space is the
least-squares head up to its scale. `warm_start = false` is the same search from random weights.

Source: GENREG_MNIST_2.0's documents and configuration. Simplifications: fewer filters scored on fewer images for fewer
generations, fewer generations of heads, no pairwise referees, and the last best head instead of the best of 61
evaluations on the validation split.

Shapes: N images, F filters, I whitened features, K classes, P genomes of D = K (I + 1) genes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genreg_np import fitness as fitnesses
from genreg_np.backends import memory
from genreg_np.backends.base import Backend, Work
from genreg_np.backends.images import to_levels
from genreg_np.backends.memory import Plan
from genreg_np.backends.threads import in_order
from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.layers.images import Branches, Deskew, FixedLayer, Levels, Project, Standardise
from genreg_np.layers.responses import Statistics
from genreg_np.model import Float32, Network
from genreg_np.settings import Settings, option
from genreg_np.strategies import fisher
from genreg_np.strategies.axes import longest_axes
from genreg_np.strategies.base import State, Strategy, counted, plan_of
from genreg_np.strategies.problem import HiddenLayers, Problem, image_shape
from genreg_np.strategies.tournament import adapted, parents_of
from genreg_np.streams import Purpose, Stream, unit_floats

FIXED = "the network's fixed layers would change"
PIXEL_AXES = 64
SIGMA_RANGE = (5e-4, 0.4)
WEIGHT_FLOOR = 0.05  # of the mean weight, so that a weight of 0 can move
PIECE = 1024  # images whose products one thread sums at a time: a fixed number


@dataclass(frozen=True)
class Genreg2Options(Settings):
    """Settings of GENREG 2.0."""

    filter_rounds: int = option(40, "populations of filters", low=1, high=1000, fixed=FIXED)
    filter_population: int = option(48, "filters of one population", low=8, high=1000, fixed=FIXED)
    filter_generations: int = option(15, "generations of each", low=3, high=10_000, fixed=FIXED)
    filter_images: int = option(30, "images per class that score a filter", low=2, high=10_000, fixed=FIXED)
    axes: int = option(1024, "most principal axes of the features", low=1, fixed=FIXED)
    population_size: int = option(60, "heads per generation", low=10, high=10_000, fixed="the state would change")
    pool: int = option(0, "training images that score a head (0: all)", low=0, fixed="fitness would change")
    warm_start: bool = option(True, "begin at the class means, in closed form", fixed="only generation 0 uses it")
    magnitude_scaling: bool = option(True, "mutate large weights more")
    sigma: float = option(0.005, "first mutation scale of a head", above=0, high=10, fixed="only generation 0 uses it")
    shrinkage: float = option(1e-4, "fitness lost per squared weight", low=0, high=1)
    fitness: str = option("log-probability", "score of a head on an image", choices=("log-probability", "accuracy"))


class Genreg2Problem(Problem):
    """The problem of training a linear head on whitened features."""


@dataclass(frozen=True)
class Genreg2Context:
    """What a run computes once and never saves."""

    options: Genreg2Options
    backend: Backend
    network: Network
    features: Float32 = field(repr=False)  # (N, I), all training images
    labels: NDArray[np.int64]  # (N,)
    pool: NDArray[np.int64]  # rows that score a head
    pooled: Float32 = field(repr=False)  # their features, on the device


@dataclass(frozen=True)
class Genreg2State(State):
    """The state between generations."""

    genomes: Float32  # (P, D), best first
    sigmas: NDArray[np.float64]  # (P,)
    fitness: NDArray[np.float64]  # (P,), best first; empty before the first generation
    non_finite: int = 0  # fitness values replaced so far

    def shapes(self, start: Genreg2State) -> dict[str, tuple[int, ...]]:
        """Return the required shapes of arrays, where they differ from those of the start."""
        return {"fitness": (len(start.genomes) if self.generation else 0,)}

    def metrics(self) -> dict[str, float]:
        """Return the recorded metrics of the last generation."""
        measured = {"best_trust": float(self.fitness[0]), "mean_trust": float(self.fitness.mean())}
        return measured | counted(self.non_finite)


class Genreg2(Strategy[Genreg2Options, Genreg2Context, Genreg2State]):
    """The strategy `genreg-2`."""

    name = "genreg-2"
    summary = (
        "filters evolved by Fisher separability, and a linear head by a genetic algorithm in whitened space, "
        "warm-started in closed form from the class means (warm_start = false: from random weights)"
    )
    Options = Genreg2Options
    predicts_numbers = False
    weighs = False

    @staticmethod
    def works(options: Genreg2Options, depth: int) -> tuple[Work, ...]:
        """Return the works that a backend must compile for it; `depth` is the number of learning layers."""
        return (Work.BROODS, Work.IMAGES)

    @classmethod
    def problem(
        cls, dataset: Dataset, hidden: HiddenLayers, options: Genreg2Options, stream: Stream, backend: Backend
    ) -> Genreg2Problem:
        """Evolve the filters and make the whitened features.

        Raises
        ------
        UsageError
            For inputs that are not images, or are too small, or for hidden layers.
        """
        if hidden.network:
            raise UsageError("genreg-2 trains one linear layer on its own filters: leave out the network")
        if hidden.units:
            raise UsageError(f"genreg-2 trains one linear layer, but hidden = {list(hidden.units)}: leave hidden empty")
        height, width = image_shape(dataset, cls.name, smallest=8)
        shape = height, width
        labels = dataset.train.labels
        upright = Deskew(shape, centred=False)
        images = backend.levels((upright,), to_levels(dataset.train.inputs, dataset.input_range))
        filters = fisher.evolve(
            images,
            labels,
            shape,
            stream,
            fisher.Plan(
                options.filter_rounds,
                options.filter_population,
                options.filter_generations,
                options.filter_images,
            ),
            backend.threads,
        )
        pixels = Project((principal_axes(backend, images, PIXEL_AXES) / 255).astype(np.float32))
        bank = Branches(((Statistics(shape),), (pixels,), (filters,)))
        size = 8 * len(images) * bank.outputs + 16 * bank.outputs**2  # features twice; their scatter and its axes
        formula = f"2 x {len(images):,} images x {bank.outputs:,} features x 4 bytes"
        memory.check(Plan("features", formula, size), backend.memory(), "choose fewer filter_rounds")
        raw = backend.apply((bank,), images)
        first = Standardise.fit(raw)
        standardised = first.apply(raw)
        whitening = Project(principal_axes(backend, standardised, options.axes))
        projected = backend.apply((whitening,), standardised)
        second = Standardise.fit(projected)
        layers: tuple[FixedLayer, ...] = (Levels(images.shape[1]), upright, bank, first, whitening, second)
        network = Network.build(dataset.input_shape, (), len(dataset.class_names), fixed=layers)
        return Genreg2Problem(network, second.apply(projected), labels)

    @staticmethod
    def prepare(problem: Problem, options: Genreg2Options, backend: Backend) -> Genreg2Context:
        """Collect what stays the same in all generations.

        Raises
        ------
        UsageError
            For the user's own network.
        """
        if not isinstance(problem, Genreg2Problem) or problem.features is None or problem.labels is None:
            raise UsageError(
                "genreg-2 builds its own network for a dataset: leave network out, or choose another strategy"
            )
        count = len(problem.labels)
        pool = np.arange(0, count, max(1, count // (options.pool or count)))[: options.pool or count]
        features = backend.to_host(problem.features)
        pooled = backend.to_device(features[pool])
        return Genreg2Context(options, backend, problem.network, features, problem.labels, pool, pooled)

    @staticmethod
    def start(context: Genreg2Context, stream: Stream) -> Genreg2State:
        """Return the class means, or random weights, and mutated copies of them."""
        layer = context.network.dense[0]
        if context.options.warm_start:
            means = [context.features[context.labels == k].mean(axis=0, dtype=np.float64) for k in range(layer.outputs)]
            weights = np.stack(means)
            genes = np.concatenate([weights.ravel(), -(weights**2).sum(axis=1) / 2]).astype(np.float32)
        else:
            words = stream.words(Purpose.INITIAL, 0, 0, context.network.gene_count)
            genes = (unit_floats(words) - np.float32(0.5)) * np.float32(2 / layer.inputs**0.5)
        return Genreg2._copies(genes, context.options, stream, context.backend)

    @staticmethod
    def _copies(genes: Float32, options: Genreg2Options, stream: Stream, backend: Backend) -> Genreg2State:
        size = options.population_size
        genomes = np.tile(genes, (size, 1))
        genomes = backend.to_host(backend.mutate(genomes, stream.seed, 0, Purpose.MUTATION, 1.0, 0.002, 1))
        return Genreg2State(0, genomes, np.full(size, options.sigma), np.empty(0))

    @staticmethod
    def step(state: Genreg2State, context: Genreg2Context, stream: Stream) -> Genreg2State:
        """Score the generation's children and sort them together with the elites."""
        genomes, sigmas, kept = state.genomes, state.sigmas, 0
        if state.generation:
            genomes, sigmas, kept = next_heads(state, context, stream)
        judged = np.concatenate([state.fitness[:kept], head_fitness(genomes[kept:], context)])
        scores = fitnesses.replace_non_finite(judged)
        order = np.argsort(-scores.values, kind="stable")
        replaced = state.non_finite + scores.replaced
        return Genreg2State(state.generation + 1, genomes[order], sigmas[order], scores.values[order], replaced)

    @staticmethod
    def plan(problem: Problem, options: Genreg2Options, backend: Backend) -> Plan:
        """Return how a generation is computed, and the memory it takes."""
        what = f"{options.population_size:,} heads in one product"
        return plan_of(what, problem.network.gene_count, 4 * options.population_size, problem.features)

    @staticmethod
    def champions(state: Genreg2State) -> dict[str, Float32]:
        """Return `best`, the fittest head."""
        return {"best": state.genomes[0]}


def next_heads(
    state: Genreg2State, context: Genreg2Context, stream: Stream
) -> tuple[Float32, NDArray[np.float64], int]:
    """Return the next generation's genomes (P, D) and sigmas (P,), and how many of them are elites."""
    options, generation = context.options, state.generation
    size = len(state.genomes)
    parents, kept = parents_of(size, stream, generation, 0)
    normals = stream.normals(Purpose.SELF_ADAPTATION, generation, 0, size)
    sigmas = adapted(state.sigmas, parents, kept, normals, SIGMA_RANGE)
    genomes = state.genomes[parents]
    zeros, backend = np.zeros_like(genomes), context.backend
    noise = backend.to_host(backend.mutate(zeros, stream.seed, generation, Purpose.MUTATION, 1.0, 1.0, kept))
    noise *= sigmas[:, None].astype(np.float32)
    if options.magnitude_scaling:
        for part in context.network.weight_slices[0]:
            magnitude = np.abs(genomes[:, part])
            noise[:, part] *= magnitude + np.float32(WEIGHT_FLOOR) * magnitude.mean(axis=1, keepdims=True)
    return genomes + noise, sigmas, kept


def head_fitness(genomes: Float32, context: Genreg2Context) -> NDArray[np.float64]:
    """Return each head's mean log-probability or accuracy on the pool, less its shrinkage, (P,) float64.

    The population is one layer of K * P units, so that it is one product; it is ordered class by class, so that sums
    over classes add long rows.
    """
    size, layer = len(genomes), context.network.dense[0]
    ((weights, biases),) = context.network.weight_slices
    by_class = genomes[:, weights].reshape(size, layer.outputs, layer.inputs).swapaxes(0, 1)
    stacked = np.concatenate([by_class.ravel(), genomes[:, biases].T.ravel()])
    everyone = Network.build((layer.inputs,), (), layer.outputs * size)
    soft = context.options.fitness == "log-probability"

    def gains(start: int) -> NDArray[np.float64]:
        rows = context.pool[start : start + 2 * PIECE]
        judged = context.pooled[start : start + 2 * PIECE]
        logits = context.backend.logits(everyone, stacked, judged).reshape(-1, layer.outputs, size)
        logits -= logits.max(axis=1, keepdims=True)
        right = logits[np.arange(len(rows)), context.labels[rows]]
        gained = right - np.log(np.exp(logits, out=logits).sum(axis=1)) if soft else right == 0
        return np.asarray(gained.sum(axis=0, dtype=np.float64))

    starts = range(0, len(context.pool), 2 * PIECE)  # only products must be computed in turn
    total = sum(in_order(gains, starts, context.backend.threads), np.zeros(size))
    loss = context.options.shrinkage * (genomes[:, weights].astype(np.float64) ** 2).sum(axis=1)
    fitness: NDArray[np.float64] = total / len(context.pool) - loss
    return fitness


def principal_axes(backend: Backend, values: NDArray[np.generic], count: int) -> Float32:
    """Return the axes along which values (N, I) vary most, at most `count`: (O, I) float32, the longest first."""
    centre = values.mean(axis=0, dtype=np.float64).astype(np.float32)

    def product(start: int) -> Float32:
        piece = values[start : start + PIECE].astype(np.float32) - centre
        found: Float32 = piece.T @ piece
        return found

    scatter = np.zeros((values.shape[1], values.shape[1]))
    for found in in_order(product, range(0, len(values), PIECE), backend.threads):
        scatter += found
    return np.ascontiguousarray(longest_axes(scatter, count).astype(np.float32))
