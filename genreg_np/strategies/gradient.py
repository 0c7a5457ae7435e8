"""Gradient descent by backpropagation: one network, the baseline for every other method here.

One generation, a batch of N images, one genome (D,):

    augmentation    random changes of the images                                     augmentation.py
    gradient        of the loss -log p(right class), backwards through all layers    backends/gradients.py
    step            against it, at a rate given by a schedule                        layers/optimisers.py, schedules.py

An epoch shows every image once. The weights of the last generations may be averaged. Nothing here evolves.

Layers with statistics (batch normalisation) keep those of the current weights, which are not those of averaged weights:
a network with such layers is not averaged.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import IMAGE_TILE, PIECE_BYTES, Backend, Work, image_bytes
from genreg_np.backends.gradients import Learner
from genreg_np.backends.memory import Plan
from genreg_np.errors import FitnessError, UsageError
from genreg_np.fitness import explained
from genreg_np.layers.base import Array, Passing, array_module
from genreg_np.layers.loss import Loss, absolute, huber, least_squares, negative_log_likelihood
from genreg_np.layers.optimisers import ALL_MOMENTS, Optimiser
from genreg_np.layers.schedules import SCHEDULES
from genreg_np.model import Float32, Network
from genreg_np.settings import Settings, option
from genreg_np.strategies.ascent import running_average, weight_decay
from genreg_np.strategies.augmentation import AugmentationOptions, augment, augmented_shape
from genreg_np.strategies.base import State, Strategy, Takes, first_genes, plan_of
from genreg_np.strategies.epochs import rows_of
from genreg_np.strategies.problem import Problem
from genreg_np.streams import Stream


@dataclass(frozen=True)
class LearningOptions(Settings):
    """Settings of the steps."""

    batch_size: int = option(128, "images per generation", low=1, high=1_000_000)
    optimiser: str = option("adam", "gradient optimiser", choices=tuple(ALL_MOMENTS))
    learning_rate: float = option(0.005, "largest learning rate of the run", above=0, high=1000)
    momentum: float = option(0.9, "of sgd and rmsprop-momentum, and of adam's first moment", low=0, high=0.999999)
    schedule: str = option("cosine", "course of the learning rate over the run", choices=tuple(SCHEDULES))
    weight_decay: float = option(0.0, "pull of weights towards 0; decoupled for adamw", low=0, high=1000)
    clip: float = option(0.0, "largest gradient norm; larger gradients are scaled down (0: off)", low=0, high=1e9)
    label_smoothing: float = option(0.0, "share of a label that is spread over all classes", low=0, high=1)
    averaging: float = option(
        0.0, "last fraction of the run whose weights are averaged; not with batch statistics", low=0, high=1
    )
    initial_gain: float = option(
        1.4142, "deviation of the first weights, times 1 / sqrt(inputs); He's is sqrt(2)", low=0, high=1000,
        fixed="only generation 0 draws from it",
    )  # fmt: skip

    @property
    def annealed(self) -> bool:
        """Whether a generation depends on the total number of generations."""
        return self.schedule != "constant" or self.averaging > 0


BY_ERRORS: dict[str, Loss] = {"auto": least_squares, "squared": least_squares, "absolute": absolute, "huber": huber}


@dataclass(frozen=True)
class GradientOptions(AugmentationOptions, LearningOptions):
    """Settings of gradient descent."""

    loss: str = option("auto", "error to minimise for target numbers (auto: squared)", choices=tuple(BY_ERRORS))


@dataclass(frozen=True)
class GradientContext:
    """What a run computes once and never saves."""

    options: GradientOptions
    backend: Backend
    network: Network
    learner: Learner = field(repr=False)
    features: Array = field(repr=False)  # (M, I) on the device
    labels: NDArray[Any] | None  # (M,), or (M, K) numbers; None if a network is to reproduce its input
    weights: Float32 | None = field(repr=False)  # (M,) sample weights; None: all equal
    images: tuple[int, int, int] | None  # C, H, W of images to augment; None without augmentation
    decay: Float32 | None = field(repr=False)  # (D,) of weights, 0 for all other genes; None if it is 0
    generations: int  # of the whole run
    first: int = 0  # generations done under an earlier schedule: this one begins after them


@dataclass(frozen=True)
class GradientState(State):
    """The state between generations."""

    genes: Float32  # (D,)
    statistics: Float32  # (E,) of layers
    moments: Float32  # (2, D) of the optimiser, or zeros
    average: Float32  # (D,) mean genes of the last `averaged` generations
    averaged: int = 0
    loss: float = 0.0  # mean over the last batch, before its step
    accuracy: float = 0.0  # fraction of the last batch predicted right, before its step

    def metrics(self) -> dict[str, float]:
        """Return the recorded metrics of the last generation."""
        return {"loss": self.loss, "mean_accuracy": self.accuracy}

    def kept_statistics(self) -> Float32:
        """Return the statistics that layers like batch normalisation need for prediction, (E,)."""
        return self.statistics


class GradientDescent(Strategy[GradientOptions, GradientContext, GradientState]):
    """The strategy `gradient`."""

    name = "gradient"
    summary = "one network by backpropagation: no evolution, but the baseline for all other methods here"
    Options = GradientOptions
    takes = Takes.ANY

    @staticmethod
    def works(options: GradientOptions, depth: int) -> tuple[Work, ...]:
        """Return the works that a backend must compile for it; `depth` is the number of learning layers."""
        return (Work.LOGITS, Work.FOLLOWING, *((Work.MOVING,) if options.interpolated else ()))

    @staticmethod
    def prepare(
        problem: Problem, options: GradientOptions, backend: Backend, loss: Loss | None = None
    ) -> GradientContext:
        """Collect what stays the same in all generations; the default loss depends on the labels (`loss_of`).

        Raises
        ------
        UsageError
            Without labelled data, for a layer without a gradient, or for augmentation of inputs that are not images.
        """
        if problem.features is None or problem.labels is None:
            raise UsageError(
                "gradient follows the gradient of a loss on labelled data: it needs a dataset (those that keep a "
                "population, such as genreg, take a fitness of whole models)"
            )
        network = problem.network
        loss = loss or loss_of(options, problem.labels)
        return GradientContext(
            dataclasses.replace(options, batch_size=min(options.batch_size, len(problem.labels))),
            backend,
            network,
            backend.learner(network, loss),
            problem.features,
            problem.labels,
            None if problem.weights is None else problem.weights.astype(np.float32),
            augmented_shape(network, options),
            weight_decay(network, options.weight_decay) if options.weight_decay else None,
            problem.generations,
        )

    @classmethod
    def start(cls, context: GradientContext, stream: Stream) -> GradientState:
        """Draw the first genes."""
        drawn = cls.seeded(first_genes(context.network, context.options.initial_gain, stream))
        return dataclasses.replace(drawn, statistics=context.network.first_statistics)

    @staticmethod
    def seeded(genes: Float32) -> GradientState:
        """Return the first state with one genome (D,) of a network without statistics."""
        genes = np.array(genes, np.float32)
        return GradientState(
            0, genes, np.empty(0, np.float32), np.zeros((2, len(genes)), np.float32), np.zeros_like(genes)
        )

    @staticmethod
    def step(state: GradientState, context: GradientContext, stream: Stream) -> GradientState:
        """Compute the gradient on the next batch, and take a step.

        Raises
        ------
        FitnessError
            If loss or weights are no longer finite: training could not recover.
        """
        options, generation = context.options, state.generation
        rows, _ = rows_of(len(context.features), options.batch_size, stream, generation)
        features = batch_of(context, rows, stream, generation)
        wanted = features if context.labels is None else context.labels[rows]
        weights = None if context.weights is None else context.weights[rows]
        found = context.learner.gradient(
            state.genes, state.statistics, features, wanted, Passing(True, stream, generation), weights
        )
        rate = options.learning_rate * SCHEDULES[options.schedule](
            generation - context.first, context.generations - context.first
        )
        optimiser = Optimiser(options.optimiser, rate, options.momentum)
        with np.errstate(all="ignore"):
            genes, moments = context.backend.follow(
                optimiser, state.genes, found.gradient, state.moments, generation + 1, context.decay, options.clip
            )
        if not (math.isfinite(found.loss) and all(map(all_finite, (genes, moments, found.statistics)))):
            raise FitnessError(
                f"generation {generation + 1}: the network diverged, its loss or weights became infinite or NaN: "
                f"lower learning_rate ({options.learning_rate:g})"
            )
        average, averaged = state.average, 0
        if options.averaging and not len(state.statistics):
            average, averaged = running_average(
                average, state.averaged, genes, generation, context.generations, options.averaging
            )
        accuracy = 0.0 if found.accuracy is None else found.accuracy
        if context.labels is not None and context.labels.ndim == 2:
            accuracy = float(explained(np.square(found.values - wanted).mean(dtype=np.float64)))
        return GradientState(generation + 1, genes, found.statistics, moments, average, averaged, found.loss, accuracy)

    @staticmethod
    def plan(problem: Problem, options: GradientOptions, backend: Backend) -> Plan:
        """Return how a generation is computed, and the memory it takes: two states, a gradient, a batch's values."""
        network = problem.network
        images = min(options.batch_size, options.batch_size if problem.labels is None else len(problem.labels))
        each, predicted = image_bytes(network), backend.threads * min(PIECE_BYTES, IMAGE_TILE * image_bytes(network))
        kept = f"{images:,} images x {2 * each:,} bytes + {predicted:,} bytes of predictions"
        layers = f"{len(network.learning)} layer" + ("s" if len(network.learning) > 1 else "")
        what = f"backpropagation through {layers}, {images:,} images"
        kept_bytes = (images + 16) * 2 * each + predicted
        return plan_of(what, network.gene_count, 10, problem.features, kept, kept_bytes)

    @staticmethod
    def champions(state: GradientState) -> dict[str, Float32]:
        """Return `best`: the average genes if there are any, else the current ones."""
        return {"best": state.average if state.averaged else state.genes}


def loss_of(options: GradientOptions, labels: NDArray[Any]) -> Loss:
    """Return the loss to minimise: -log p of the right class for classes, an error for numbers.

    Raises
    ------
    UsageError
        For settings that do not apply to such labels.
    """
    if labels.ndim == 2:
        if options.label_smoothing:
            raise UsageError("label_smoothing is for classes, but these targets are numbers: leave it out")
        return BY_ERRORS[options.loss]
    if options.loss != "auto":
        raise UsageError(f"loss = {options.loss} is for targets that are numbers, but these are classes: leave it out")
    return functools.partial(negative_log_likelihood, smoothing=options.label_smoothing)


def batch_of(context: GradientContext, rows: NDArray[np.int64], stream: Stream, generation: int) -> Array:
    """Return the features (N, I) of a generation's rows, augmented if wanted, on the device."""
    backend = context.backend
    with backend.computing():
        features = context.features[array_module(context.features).asarray(rows)]
        if context.images is None:
            return features
        images = backend.to_host(features).reshape(-1, *context.images)
        return backend.to_device(
            augment(images, context.options, stream, generation, backend.moved).reshape(len(rows), -1)
        )


def all_finite(values: Float32) -> bool:
    """Return whether no value is infinite or NaN."""
    return bool(np.isfinite(values).all())
