"""What a kind of individual is: its genes, the network and optimiser that they stand for, and what it is to learn."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from genreg_np.errors import UsageError
from genreg_np.layers.base import Layer
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.description import parse
from genreg_np.layers.upsample import TransposedConvolution
from genreg_np.model import Model, Network
from genreg_np.search.aims.base import Aim
from genreg_np.search.config import SearchConfig
from genreg_np.search.genes import Genome, Space
from genreg_np.strategies.gradient import GradientOptions

ARCHITECTURE, OPTIMISER, DATA = "architecture", "optimiser", "data"  # blocks of genes


@dataclass(frozen=True)
class Individual:
    """What a genome stands for."""

    network: Network
    options: dict[str, Any]  # of strategy gradient
    added: int = 0  # weights and biases that it has only when it answers

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.network.gene_count + self.added

    @property
    def macs(self) -> int:
        """Multiply-adds of convolutions and dense layers, for one image."""
        pairs = zip(self.network.learning, self.network.shapes[1:], strict=True)
        return sum(multiplications(layer, shape) for layer, shape in pairs) + self.added

    @property
    def values(self) -> int:
        """Numbers that its layers give for an image."""
        return sum(math.prod(shape) for shape in self.network.shapes[1:])

    @property
    def layers(self) -> int:
        """Convolutions and dense layers."""
        kinds = (Convolution, TransposedConvolution, Dense)
        return sum(isinstance(layer, kinds) for layer in self.network.learning) + bool(self.added)


def multiplications(layer: Layer, shape: tuple[int, ...]) -> int:
    """Return the multiply-adds of a layer that gives such a shape; those of normalisation and the like are not counted.

    Parameters
    ----------
    layer : Layer
    shape : tuple of int
        What it gives.
    """
    if isinstance(layer, Convolution):
        return math.prod(shape) * layer.shape[0] * layer.size**2
    if isinstance(layer, TransposedConvolution):
        return math.prod(layer.shape) * layer.filters * layer.size**2
    return layer.inputs * layer.outputs if isinstance(layer, Dense) else 0


class Kind(ABC):
    """A kind of individual, for images of a shape.

    Parameters
    ----------
    config : SearchConfig
    shape : tuple of int
        Of an image.
    class_names : sequence of str
    """

    name: ClassVar[str]

    def __init__(self, config: SearchConfig, shape: tuple[int, ...], class_names: Sequence[str]) -> None:
        self.limits, self.shape, self.classes = config.limits, shape, len(class_names)
        self.space = self.space_of(config)

    @property
    @abstractmethod
    def aim(self) -> Aim:
        """What individuals learn: one of search/aims."""

    @staticmethod
    @abstractmethod
    def space_of(config: SearchConfig) -> Space:
        """Return the genes."""

    @abstractmethod
    def words_of(self, genome: Genome) -> str:
        """Return a genome's network in words."""

    @abstractmethod
    def options_of(self, genome: Genome) -> dict[str, Any]:
        """Return a genome's optimiser and data as settings of strategy gradient."""

    @abstractmethod
    def beginnings(self) -> list[Genome]:
        """Return the networks that a search begins with, made by hand: a plain one first, which fits if any does."""

    def added(self, genome: Genome) -> int:
        """Return how many weights and biases an individual has only when it answers: those of one dense layer."""
        return 0

    def answering(self, genome: Genome) -> str:
        """Return the network in words that answers: what is saved."""
        return self.words_of(genome)

    def pieces(self, model: Model) -> Mapping[str, Model]:
        """Return models that are parts of one, by the names of their files."""
        return {}

    @functools.cached_property
    def default(self) -> Genome | None:
        """The plain one; None where nothing fits."""
        return next(iter(self.beginnings()), None)

    def individual_of(self, genome: Genome) -> Individual:
        """Return what a genome stands for.

        Raises
        ------
        UsageError
            If its layers do not fit.
        """
        options = self.options_of(genome)
        GradientOptions(**options)
        network = Network(self.shape, parse(self.words_of(genome), self.shape))
        return Individual(network, options, self.added(genome))

    def fault_of(self, genome: Genome) -> str:
        """Return why a genome cannot be, in a word or two; "" if it can."""
        try:
            found = self.individual_of(genome)
        except UsageError:
            return "shapes that do not fit"
        for what, value, most in (
            ("layers", found.layers, self.limits.layers),
            ("parameters", found.parameters, self.limits.parameters),
            ("multiply-adds", found.macs, self.limits.macs),
        ):
            if most is not None and value > most:
                return f"too many {what}"
        return ""

    def misfit(self) -> str:
        """Return why no network can be made for such images, where that is so for a plain one; "" if it can."""
        if len(self.shape) not in (2, 3):
            return ""
        try:
            parse("conv 8 3 same / dense 1", self.shape)
        except UsageError as error:
            return str(error)
        return ""

    def distinct(self, genomes: Sequence[Genome]) -> list[Genome]:
        """Return those that can be, each once."""
        return list({self.space.key(genome): genome for genome in genomes if not self.fault_of(genome)}.values())


def changed(genome: Genome, changes: Mapping[str, Any], space: Space) -> Genome:
    """Return a genome of a space, with the values of another, and other ones of some genes."""
    return {gene.name: ({**genome, **changes})[gene.name] for gene in space.genes}
