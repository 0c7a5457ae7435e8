"""Individuals that consist of one network and its optimiser, and learn an aim (search/aims)."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.layers.description import parse
from genreg_np.model import Float32, Model, Network
from genreg_np.search.aims.base import Aim
from genreg_np.search.genes import Genome
from genreg_np.search.kinds.base import Individual, Kind
from genreg_np.search.lessons.network import WORKS, NetworkLesson
from genreg_np.search.metrics import Goal
from genreg_np.strategies.gradient import GradientOptions


class NetworkKind(Kind):
    """A kind of individual with one network."""

    works = WORKS

    @property
    @abstractmethod
    def aim(self) -> Aim:
        """What individuals learn."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of individuals."""
        return self.aim.metrics

    @property
    def by_labels(self) -> bool:
        """Whether classes are learned."""
        return self.aim.by_labels

    @property
    def tie(self) -> str:
        """The metric that breaks ties: lower is better."""
        return self.aim.tie

    @abstractmethod
    def words_of(self, genome: Genome) -> str:
        """Return the description of a genome's network."""

    @abstractmethod
    def options_of(self, genome: Genome) -> dict[str, Any]:
        """Return a genome's optimiser and data as settings of the strategy `gradient`."""

    def added(self, genome: Genome) -> int:
        """Return how many weights and biases are added for inference: those of one dense layer."""
        return 0

    def answering(self, genome: Genome) -> str:
        """Return the description of the network that is saved."""
        return self.words_of(genome)

    def individual_of(self, genome: Genome) -> Individual:
        """Return what a genome stands for; raises UsageError if its layers do not fit together."""
        options = self.options_of(genome)
        GradientOptions(**options)
        network = Network(self.shape, parse(self.words_of(genome), self.shape))
        return Individual(network, options, self.added(genome))

    def lesson(self, genome: Genome, individual: Individual, folds: int, **told: Any) -> NetworkLesson:
        """Return a lesson of an individual, judged by cross-validation with `folds` folds or, if 0, on parts."""
        return NetworkLesson(
            aim=self.aim.name, words=self.words_of(genome), options=individual.options, also=self._goal.also,
            folds=folds, repeats=self.config.repeats if folds else 0, input_shape=self.shape,
            class_names=self.class_names, **told,
        )  # fmt: skip

    @functools.cached_property
    def _goal(self) -> Goal:
        return Goal.of(self.config.metric, self.config.weights, self.class_names, self.metrics)

    def model(self, network: Network, genes: Float32, dataset: Dataset, training: Mapping[str, Any]) -> Model:
        """Return a model of the result of a lesson."""
        return Model.build(
            network, genes, dataset.class_names if self.aim.by_labels else (), dataset.input_range, training,
            dataset.feature_names, dataset.picture,
        )  # fmt: skip

    def misfit(self) -> str:
        """Return why not even a plain network fits such images; "" if one does."""
        if len(self.shape) not in (2, 3):
            return ""
        try:
            parse("conv 8 3 same / dense 1", self.shape)
        except UsageError as error:
            return str(error)
        return ""
