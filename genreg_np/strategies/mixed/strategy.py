"""Mixed evolution: gradient descent and recombination in turn.

One generation, P networks, S = P / 2 parents:

    children     P of them, each from two distinct parents, gene by gene         breeding.py
    newcomers    additional fresh random networks, a tenth of P                  breeding.py
    descent      all are trained for an epoch on the same batches                backends/gradients.py
    fitness      accuracy on the selecting split, or more                        fitness.py
    selection    the best P survive; the better half of them are the next parents

Source: the report by Cooke & de Alfaro and the notebook published with it, which the preset `seed-mixed` reproduces.
A network whose loss or weights become infinite or NaN is dropped, counted, and replaced by a fresh one.

Shapes: D genes, T layers or parts of layers, G generations done.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend, Batch, Brood, Work
from genreg_np.backends.gradients import Descent
from genreg_np.backends.memory import Plan
from genreg_np.errors import FitnessError, UsageError
from genreg_np.fitness import Score
from genreg_np.layers.base import Array, array_module
from genreg_np.model import Float32
from genreg_np.strategies.base import State, Strategy, plan_of
from genreg_np.strategies.epochs import epoch_order
from genreg_np.strategies.mixed.breeding import (
    FIRST_REPLACEMENT,
    check_numbers,
    check_recombines,
    children_of,
    first_networks,
    newcomer_numbers,
)
from genreg_np.strategies.mixed.context import MixedContext
from genreg_np.strategies.mixed.fitness import fitness_of
from genreg_np.strategies.mixed.networks import in_parts
from genreg_np.strategies.mixed.options import MixedOptions
from genreg_np.strategies.mixed.similarity import cluster_counts, cosines, layer_slices, mean_pairwise
from genreg_np.strategies.problem import Problem
from genreg_np.streams import Stream

JUDGED_AT_A_TIME = 2048  # images in one product: a fixed shape, so that bytes never depend on threads


@dataclass(frozen=True)
class MixedState(State):
    """The state between generations."""

    population: Float32  # (P, D) best first, on the device
    accuracy: NDArray[np.float64]  # (P,) on the selecting split; 0 if not measured
    fitness: NDArray[np.float64]  # (P,)
    similarity: Float32  # (G + 1, T, P, P) cosines of all generations so far, the first before any training
    loss: float = 0.0  # training loss of the last generation, a mean over its networks
    newcomers_kept: int = 0  # of the last generation
    dropped: int = 0  # networks that diverged so far

    def shapes(self, start: MixedState) -> dict[str, tuple[int, ...]]:
        """Return the required shapes of arrays, where they differ from those of the start."""
        return {"similarity": (self.generation + 1, *start.similarity.shape[1:])}

    def kin(self) -> tuple[Array | None, NDArray[np.float64] | None]:
        """Return the population (P, D) and its fitness (P,)."""
        return self.population, self.fitness

    def metrics(self) -> dict[str, Any]:
        """Return the recorded metrics of the last generation; similarity and clusters layer by layer."""
        measured: dict[str, Any] = {
            "fitness": float(self.fitness[0]),
            "best_trust": float(self.fitness[0]),
            "mean_trust": float(self.fitness.mean()),
            "mean_accuracy": float(self.accuracy.mean()),
            "best_accuracy": float(self.accuracy.max()),
            "worst_accuracy": float(self.accuracy.min()),
            "loss": self.loss,
            "similarity": [round(float(value), 6) for value in mean_pairwise(self.similarity[-1])],
            "clusters": cluster_counts(self.similarity[-1]),
            "newcomers_kept": self.newcomers_kept,
        }
        return measured | ({"dropped": self.dropped} if self.dropped else {})


class Mixed(Strategy[MixedOptions, MixedContext, MixedState]):
    """The strategy `mixed`."""

    name = "mixed"
    summary = "a population that learns by gradient descent and recombines, in turn: evolution with gradients"
    Options = MixedOptions
    weighs = False

    @staticmethod
    def works(options: MixedOptions, depth: int) -> tuple[Work, ...]:
        """Return the works that a backend must compile for it; `depth` is the number of learning layers."""
        return (Work.BROODS, Work.GRADIENTS)

    @staticmethod
    def prepare(problem: Problem, options: MixedOptions, backend: Backend) -> MixedContext:
        """Collect what stays the same in all generations.

        Raises
        ------
        UsageError
            Without a dataset, or if the network cannot be trained or recombined like this.
        """
        dataset = problem.dataset
        if dataset is None or problem.features is None or problem.labels is None:
            raise UsageError("mixed trains on labelled data and selects by a split of them: it needs a dataset")
        check_numbers(options, problem.generations)
        network = in_parts(problem.network, options.parts)
        loss = "least-squares" if dataset.of_numbers else "negative-log-likelihood"
        descent = Descent(network, options.stepping, options.batch_size, loss)
        check_recombines(network, options.gene)
        features, labels = problem.features, problem.labels
        if options.training == "all":
            more = backend.features(network, dataset.validation.inputs, dataset.input_range)
            features = backend.to_device(np.concatenate([backend.to_host(features), more]))
            labels = np.concatenate([labels, dataset.wanted("validation")])
        split = dataset.split(options.selection)
        judged = backend.to_device(backend.features(network, split.inputs, dataset.input_range))
        layers = layer_slices(network)
        return MixedContext(
            options, backend, descent, features, labels, judged, dataset.wanted(options.selection), layers,
            problem.generations,
        )  # fmt: skip

    @staticmethod
    def start(context: MixedContext, stream: Stream) -> MixedState:
        """Draw the first networks, and sort them unless the first parents are to be unsorted."""
        size = context.options.population_size
        genes = first_networks(context.backend, context.network, stream, np.arange(size))
        accuracy = np.zeros(size)
        if context.options.first_parents == "best":
            accuracy = accuracies(context, genes)
        similarity = cosines(context.backend, genes, context.layers)
        empty = np.empty((0, *similarity.shape), np.float32)
        return choose(context, MixedState(0, genes, accuracy, accuracy, empty), genes, accuracy, similarity)

    @staticmethod
    def step(state: MixedState, context: MixedContext, stream: Stream) -> MixedState:
        """Breed, train, score and select."""
        options, backend, generation = context.options, context.backend, state.generation
        check_numbers(options, generation + 1)
        genes = children_of(
            context, state.population[: options.parent_count], options.population_size, stream, generation
        )
        if options.newcomer_count:
            fresh = first_networks(backend, context.network, stream, newcomer_numbers(options, generation))
            with backend.computing():
                genes = array_module(genes).concatenate([genes, fresh])
        order = learning_order(context, stream, generation * options.epochs, options.epochs)
        genes, losses = backend.descend(context.descent, genes, context.features, context.labels, order)
        genes, lost = replace_diverged(context, genes, losses, stream, generation, state.dropped)
        similarity = cosines(backend, genes, context.layers)
        loss = float(losses[~lost].mean())
        after = dataclasses.replace(
            state, generation=generation + 1, loss=loss, dropped=state.dropped + int(lost.sum())
        )
        return choose(context, after, genes, accuracies(context, genes), similarity)

    @staticmethod
    def plan(problem: Problem, options: MixedOptions, backend: Backend) -> Plan:
        """Return how a generation is computed, and the memory it takes.

        This is parents, children, their moments and gradients, and the cosines of all generations, which are kept.
        """
        network, size = problem.network, options.population_size
        everyone, images = size + options.newcomer_count, 0 if problem.labels is None else len(problem.labels)
        if options.training == "all" and problem.dataset is not None:
            images += len(problem.dataset.validation)
        what = f"{size} children and {options.newcomer_count} newcomers, {options.epochs} x {images:,} images each"
        matrices = (problem.generations + 1) * len(layer_slices(in_parts(network, options.parts)))
        kept = f"{matrices:,} x {size:,} x {size:,} cosines x 4 bytes"
        sets, kept_bytes = 4 * everyone + size, 4 * matrices * size**2
        return plan_of(what, network.gene_count, sets, problem.features, kept, kept_bytes)

    @staticmethod
    def champions(state: MixedState) -> dict[str, Array]:
        """Return `best`, the fittest network."""
        return {"best": state.population[0]}


def choose(
    context: MixedContext, state: MixedState, genes: Array, accuracy: NDArray[np.float64], similarity: Float32
) -> MixedState:
    """Return the state with the fittest P of networks (n, D), best first; ties go to the lower number."""
    size = context.options.population_size
    fitness = fitness_of(accuracy, similarity, context.options)
    first_unsorted = state.generation == 0 and context.options.first_parents == "unsorted"
    chosen = np.arange(size) if first_unsorted else np.argsort(-fitness, kind="stable")[:size]
    with context.backend.computing():
        population = genes[array_module(genes).asarray(chosen)]
    alike = similarity[:, chosen][:, :, chosen]
    return dataclasses.replace(
        state,
        population=population,
        accuracy=accuracy[chosen],
        fitness=fitness[chosen],
        similarity=np.concatenate([state.similarity, alike[None]]),
        newcomers_kept=int((chosen >= size).sum()),
    )


def learning_order(context: MixedContext, stream: Stream, first_epoch: int, epochs: int) -> NDArray[np.int64]:
    """Return the rows of the training images for some epochs, one after the other."""
    images = len(context.labels)
    if context.options.order == "fixed":
        return np.tile(np.arange(images), epochs)
    return np.concatenate([epoch_order(stream, first_epoch + epoch, images)[0] for epoch in range(epochs)])


def diverged(backend: Backend, genes: Array, losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which networks have a loss (n,) or weights (n, D) that are not finite, (n,)."""
    with backend.computing():
        whole = array_module(genes).isfinite(genes).all(axis=1)
    found: NDArray[np.bool_] = ~(np.isfinite(losses) & backend.to_host(whole))
    return found


def replace_diverged(
    context: MixedContext, genes: Array, losses: NDArray[np.float64], stream: Stream, generation: int, before: int
) -> tuple[Array, NDArray[np.bool_]]:
    """Replace networks whose loss or weights are not finite by fresh ones; also return which they were, (n,).

    Raises
    ------
    FitnessError
        If all networks diverged.
    """
    lost = diverged(context.backend, genes, losses)
    if lost.all():
        raise FitnessError(
            f"generation {generation + 1}: the loss of all {len(lost)} networks became infinite or NaN: "
            f"lower learning_rate ({context.options.learning_rate:g})"
        )
    if lost.any():
        numbers = FIRST_REPLACEMENT + before + np.arange(lost.sum())
        fresh = first_networks(context.backend, context.network, stream, numbers)
        with context.backend.computing():
            xp = array_module(genes)
            both, rows = xp.concatenate([genes, fresh]), np.arange(len(genes))
            rows[lost] = len(genes) + np.arange(lost.sum())
            genes = both[xp.asarray(rows)]
    return genes, lost


def accuracies(
    context: MixedContext, genes: Array, features: Array | None = None, labels: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """Return the accuracy, or explained variance, (n,) of networks (n, D), by default on the selecting split."""
    if features is None or labels is None:
        features, labels = context.judged, context.judged_labels
    brood = Brood.unchanged(context.network, genes)
    right = np.zeros(len(genes))
    for start in range(0, len(labels), JUDGED_AT_A_TIME):
        some = labels[start : start + JUDGED_AT_A_TIME]
        images = features[start : start + JUDGED_AT_A_TIME]
        score = Score.REWARD_ARGMAX if some.ndim == 1 else Score.SQUARED
        batch = Batch(images, some, np.ones(len(some)), score, 1.0, 0.0)
        found = context.backend.score(brood, batch).accuracy * len(some)
        right += np.rint(found) if some.ndim == 1 else found
    return np.asarray(right / len(labels))
