"""Learners for several tasks in sequence: one network by three methods, on batches that a study chooses.

    learner.learn(features, labels)      take a step on a batch
    learner.logits(features)             return the network's current outputs
    learner.switch()                     end a task and begin the next

Outputs may be in groups, such as the heads of several tasks: a sample's probability is then that of its class among the
classes of the same group, and other outputs learn nothing from it.

Ways to prevent forgetting, `hold`:

    anchored    weights are pulled a little towards those at the last switch in each step
    ewc         the same, by each weight's importance for earlier tasks: gradient += strength F (w - w*), F the summed
                mean squared gradients of log p of the right classes, w* the weights at the last switch (Kirkpatrick et
                al. 2017, "Overcoming catastrophic forgetting"; with one anchor, Schwarz et al. 2018, "Progress &
                compress")
    sparse      selection whose children mutate a tenth as many weights after the first switch
    elites      selection whose generations also contain the champions of earlier tasks, scored with all others

Shapes: P genomes, S survivors, N samples of K classes, D genes.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend, Batch, Brood, Perturbation
from genreg_np.experiments.training import population_of
from genreg_np.fitness import Score
from genreg_np.layers.base import Array
from genreg_np.layers.loss import negative_log_likelihood
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Dense, Float32, Network
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies.ascent import ascend
from genreg_np.strategies.base import first_genes
from genreg_np.strategies.genreg import Genreg
from genreg_np.streams import Stream

Groups = tuple[int, ...]  # the group of each class
OUTSIDE = np.float32(-1e9)  # the logit of a class of another group
PULL = 0.01  # of an anchor: fraction of the way back per step
EWC_STRENGTH, EWC_SAMPLES = 3000.0, 300


class Learner(ABC):
    """A network that is trained step by step.

    Parameters
    ----------
    network : Network
    backend : Backend
    seed : int
    steps : int
        Number of steps of a task, over which the step size falls.
    groups : tuple of int
        Group of each class; empty if all are in one.
    hold : str
        Way to prevent forgetting; "" for none.
    """

    name: str
    holds: tuple[str, ...] = ()

    def __init__(
        self, network: Network, backend: Backend, seed: int, steps: int, groups: Groups = (), hold: str = ""
    ) -> None:
        self.network, self.backend, self.steps, self.hold = network, backend, steps, hold
        self.stream = Stream(seed)
        self.groups = np.array(groups) if len(set(groups)) > 1 else None
        self.done = 0  # steps of this task
        self.anchor: Float32 | None = None

    @property
    @abstractmethod
    def genes(self) -> Float32:
        """The network's current genes, (D,)."""

    @abstractmethod
    def learn(self, features: Float32, labels: NDArray[np.int64]) -> None:
        """Take a step on a batch (N, I), (N,)."""

    def switch(self) -> None:
        """End a task."""
        self.done = 0
        if self.hold:
            self.anchor = self.genes.copy()

    def remember(self, features: Float32, labels: NDArray[np.int64]) -> None:  # noqa: B027 - most learners need not
        """Process samples of the finished task, before `switch`."""

    def logits(self, features: Float32) -> Float32:
        """Return the network's logits, (N, K)."""
        return self.backend.logits(self.network, self.genes, features)

    def _within(self, logits: Float32, labels: NDArray[np.int64]) -> Float32:
        """Return logits (..., N, K) with those outside the groups of labels (N,) set to OUTSIDE."""
        if self.groups is None:
            return logits
        return np.where(self.groups == self.groups[labels][:, None], logits, OUTSIDE)

    def _scores(self, logits: Float32, labels: NDArray[np.int64]) -> Float32:
        """Return log p of the right class within its group, (..., N)."""
        own = self._within(logits, labels)
        top = own.max(axis=-1)
        right = np.take_along_axis(own, np.broadcast_to(labels[:, None], (*own.shape[:-1], 1)), axis=-1)[..., 0]
        found: Float32 = right - top - np.log(np.exp(own - top[..., None]).sum(axis=-1))
        return found

    def _pulled(self, genes: Float32) -> Float32:
        """Return genes (..., D), pulled to the anchor if there is one."""
        if self.hold != "anchored" or self.anchor is None:
            return genes
        return genes + np.float32(PULL) * (self.anchor - genes)

    def _rate(self, first: float) -> float:
        """Return the step size, which falls over a task."""
        return first * max(0.05, 1 - self.done / self.steps)


class ByGradient(Learner):
    """Stochastic gradient descent with momentum, by backpropagation."""

    name = "SGD"
    holds = ("anchored", "ewc")
    FIRST, MOMENTUM = 0.05, 0.9

    def __init__(self, network: Network, backend: Backend, seed: int, steps: int, groups: Groups = (),
                 hold: str = "", strength: float = EWC_STRENGTH) -> None:  # fmt: skip
        super().__init__(network, backend, seed, steps, groups, hold)
        self._strength = np.float32(strength)  # of EWC
        self._genes = first_genes(network, 2**0.5, self.stream)
        self._moments = np.zeros((2, network.gene_count), np.float32)
        self._learner = backend.learner(network, self._loss)
        self._importance = np.zeros(network.gene_count, np.float32)
        self._number = 0

    @property
    def genes(self) -> Float32:
        """The network's current genes, (D,)."""
        return self._genes

    def _loss(self, logits: Array, labels: Array) -> tuple[Array, Array]:
        own = logits if self.groups is None else self._within(logits[0].T, labels).T[None]
        return negative_log_likelihood(own, labels)

    def learn(self, features: Float32, labels: NDArray[np.int64]) -> None:
        """Take a step on a batch."""
        found = self._learner.gradient(self._genes, self.network.first_statistics, features, labels)
        gradient = found.gradient
        if self.hold == "ewc" and self.anchor is not None:
            gradient = gradient + self._strength * self._importance * (self._genes - self.anchor)
        self._number += 1
        optimiser = Optimiser("sgd", self._rate(self.FIRST), self.MOMENTUM)
        genes, self._moments = self.backend.follow(
            optimiser, self._genes, gradient, self._moments, self._number, None, 1.0
        )
        self._genes = self._pulled(genes)
        self.done += 1

    def remember(self, features: Float32, labels: NDArray[np.int64]) -> None:
        """Add each weight's importance for the finished task."""
        if self.hold != "ewc":
            return
        squares = np.zeros_like(self._importance)
        count = min(EWC_SAMPLES, len(labels))
        for row in range(count):
            one = self._learner.gradient(
                self._genes, self.network.first_statistics, features[row : row + 1], labels[row : row + 1]
            )
            squares += np.square(one.gradient)
        self._importance += squares / np.float32(count)


class ByNodes(Learner):
    """Node perturbation: mirrored mutants of every unit, image by image."""

    name = "node perturbation"
    holds = ("anchored",)
    FIRST, PAIRS, SIGMA = 0.003, 16, 0.3

    def __init__(self, network: Network, backend: Backend, seed: int, steps: int, groups: Groups = (),
                 hold: str = "") -> None:  # fmt: skip
        super().__init__(network, backend, seed, steps, groups, hold)
        self._genes = first_genes(network, 1.0, self.stream)
        self._mean, self._square = (np.zeros_like(self._genes) for _ in range(2))
        self._number = 0
        of = self.groups if self.groups is not None else np.zeros(network.outputs, np.int64)
        self._heads = [Head.of(network, np.flatnonzero(of == group)) for group in np.unique(of)]

    @property
    def genes(self) -> Float32:
        """The network's current genes, (D,)."""
        return self._genes

    def learn(self, features: Float32, labels: NDArray[np.int64]) -> None:
        """Take a step on a batch."""
        genes, self._mean, self._square = ascend(
            self._genes, self._mean, self._square, self._change(features, labels), self._number, self._rate(self.FIRST)
        )
        self._genes = self._pulled(genes)
        self._number += 1
        self.done += 1

    def _change(self, features: Float32, labels: NDArray[np.int64]) -> Float32:
        """Return the direction in which fitness increases, (D,): for each group by a network with its outputs alone."""
        how = Perturbation(self.PAIRS, self.SIGMA, self.stream.seed, self._number)
        change = np.zeros_like(self._genes)
        for head in self._heads:
            rows = np.flatnonzero(np.isin(labels, head.classes))
            if len(rows):
                own = np.searchsorted(head.classes, labels[rows])
                batch = Batch(features[rows], own, np.ones(len(rows)), Score.LOG_PROBABILITY)
                found = self.backend.perturb(head.network, self._genes[head.places], batch, how)
                change[head.places] += np.float32(len(rows) / len(labels)) * found.change
        return change


@dataclass(frozen=True)
class Head:
    """A group of outputs, with all layers before it."""

    classes: NDArray[np.int64]  # of the group, in order
    network: Network
    places: NDArray[np.int64]  # of its genes among all

    @classmethod
    def of(cls, network: Network, classes: NDArray[np.int64]) -> Head:
        """Return the head with the outputs of some classes."""
        before, last = network.dense[:-1], network.dense[-1]
        own = Network(network.input_shape, (*network.fixed, *before, Dense(last.inputs, len(classes), "linear")))
        numbers = np.arange(network.gene_count)
        weights, biases = network.weight_slices[-1]
        kept = [numbers[: weights.start], numbers[weights].reshape(last.outputs, -1)[classes].ravel(),
                numbers[biases][classes]]  # fmt: skip
        return cls(classes, own, np.concatenate(kept))


class BySelection(Learner):
    """Pure selection: children of the survivors' mean by a few large mutations, scored by log-probability."""

    name = "selection"
    holds = ("anchored", "sparse", "elites")

    def __init__(self, network: Network, backend: Backend, seed: int, steps: int, groups: Groups = (),
                 hold: str = "") -> None:  # fmt: skip
        super().__init__(network, backend, seed, steps, groups, hold)
        config = TrainConfig.from_preset("selection", seed=seed, final_scale=1.0, mutation_scale=0.25)
        run = Evolution(config, network=network, backend=backend)
        self._state, self._context, _ = population_of(run)
        self._elites: list[Float32] = []

    @property
    def genes(self) -> Float32:
        """The survivors' mean, (D,)."""
        survivors = self._state.survivors
        if not len(survivors):
            return np.zeros(self.network.gene_count, np.float32)
        mean: Float32 = survivors.mean(axis=0, dtype=np.float64).astype(np.float32)
        return mean

    def learn(self, features: Float32, labels: NDArray[np.int64]) -> None:
        """Breed, score and select a generation."""
        brood = Genreg.breed(self._state, self._context, self.stream)
        brood = dataclasses.replace(brood, mutation_scale=self._rate(brood.mutation_scale))
        if self.hold == "sparse" and self.anchor is not None:
            brood = dataclasses.replace(brood, mutation_rate=brood.mutation_rate / 10)
        brood = self._with_elites(brood)
        if self.groups is None:
            batch = Batch(features, labels, np.ones(len(labels)), Score.LOG_PROBABILITY)
            fitness = self.backend.score(brood, batch).fitness
        else:
            fitness = self._scores(self.backend.outputs(brood, features), labels).sum(axis=-1, dtype=np.float64)
        state = Genreg.select(self._state, self._context, brood, fitness, 0.0)
        self._state = dataclasses.replace(state, survivors=self._pulled(state.survivors))
        self.done += 1

    def _with_elites(self, brood: Brood) -> Brood:
        """Return a brood whose first genomes are the unchanged champions of earlier tasks."""
        count = len(self._elites)
        if not count or not len(brood.survivors):
            return brood
        parents = brood.parents + count
        parents[:count] = np.arange(count, dtype=np.int32)[:, None]
        return dataclasses.replace(
            brood, survivors=np.concatenate([np.array(self._elites), brood.survivors]), parents=parents, elites=count
        )

    def switch(self) -> None:
        """End a task; keep its champion if `hold` is "elites"."""
        super().switch()
        if self.hold == "elites" and len(self._elites) < 10:
            self._elites.append(self.genes)


LEARNERS: dict[str, type[Learner]] = {learner.name: learner for learner in (ByGradient, ByNodes, BySelection)}
