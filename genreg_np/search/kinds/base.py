"""What a kind of individual is: its genes, what they stand for, how that learns, and what is saved of it."""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from genreg_np.backends.base import Backend, Work
from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.layers.base import Layer
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.description import shown
from genreg_np.layers.upsample import TransposedConvolution
from genreg_np.model import Float32, Model, Network
from genreg_np.search.config import SearchConfig
from genreg_np.search.cost import work_of
from genreg_np.search.folder import SearchFolder
from genreg_np.search.genes import Genome, Space
from genreg_np.search.lessons.base import Lesson, Part

TIMES_BESIDE = 3  # that images go through a network which only learns beside another: real, generated, and back
ARCHITECTURE, OPTIMISER, DATA = "architecture", "optimiser", "data"  # blocks of genes


@dataclass(frozen=True)
class Individual:
    """What a genome stands for."""

    network: Network  # that answers
    options: dict[str, Any]  # of its optimisers
    added: int = 0  # weights and biases that it has only when it answers
    beside: tuple[Network, ...] = ()  # networks that only learn with it

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.network.gene_count + self.added

    @property
    def macs(self) -> int:
        """Multiply-adds of convolutions and dense layers, for one image."""
        return macs_of(self.network) + self.added

    @property
    def layers(self) -> int:
        """Convolutions and dense layers."""
        kinds = (Convolution, TransposedConvolution, Dense)
        return sum(isinstance(layer, kinds) for layer in self.network.learning) + bool(self.added)

    def work(self, samples: int) -> tuple[float, float, float]:
        """Return what learning from so many samples is made of: cost.py."""
        networks = self.network, *(TIMES_BESIDE * self.beside)
        values = sum(math.prod(shape) for network in networks for shape in network.shapes[1:])
        return work_of(samples, sum(map(macs_of, networks)) + self.added, values)


def macs_of(network: Network) -> int:
    """Return a network's multiply-adds for one image."""
    pairs = zip(network.learning, network.shapes[1:], strict=True)
    return sum(multiplications(layer, shape) for layer, shape in pairs)


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


@dataclass(frozen=True)
class Preparing:
    """What is known when a search is prepared.

    Parameters
    ----------
    data : str
        What tells its data from others.
    backend : callable
        backend() -> Backend with one thread.
    on_phase, on_remark : callable
        Told what is begun, and what is worth knowing.
    """

    data: str
    backend: Callable[[], Backend]
    on_phase: Callable[[str], None]
    on_remark: Callable[[str], None]


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
    works: ClassVar[tuple[Work, ...]]  # of a backend, that its lessons need
    file: ClassVar[str] = "model.npz"  # what the winner is saved as
    is_validated_by_folds: ClassVar[bool] = True  # where images are few
    is_first_saved: ClassVar[bool] = True  # of the winner's trainings, whatever the others reach
    retrained: ClassVar[str] = "whole"  # what the winner learns from in the end
    longest: ClassVar[int] = 1  # times the samples of the highest rung that the winner learns from, if nothing is said
    policy: ClassVar[tuple[str, ...]] = (DATA,)  # blocks of genes that a second population has

    def __init__(self, config: SearchConfig, shape: tuple[int, ...], class_names: Sequence[str]) -> None:
        self.config, self.limits, self.shape, self.class_names = config, config.limits, shape, tuple(class_names)
        self.space = self.space_of(config)

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """What individuals are measured by."""

    @property
    def by_labels(self) -> bool:
        """Whether the classes of images are learned: then there must be two."""
        return True

    @property
    @abstractmethod
    def tie(self) -> str:
        """The metric that decides between equals: the lower the better."""

    @staticmethod
    @abstractmethod
    def space_of(config: SearchConfig) -> Space:
        """Return the genes."""

    @abstractmethod
    def individual_of(self, genome: Genome) -> Individual:
        """Return what a genome stands for.

        Raises
        ------
        UsageError
            If its layers do not fit.
        """

    @abstractmethod
    def lesson(self, genome: Genome, individual: Individual, folds: int, **told: Any) -> Lesson:
        """Return a lesson of an individual, judged by so many folds of cross-validation or, if 0, by parts.

        Parameters
        ----------
        genome : mapping
        individual : Individual
            What the genome stands for.
        folds : int
        told : mapping
            What any lesson is told but input_shape and class_names: lessons/base.py.
        """

    @abstractmethod
    def answering(self, genome: Genome) -> str:
        """Return the network in words that answers: what is saved."""

    @property
    @abstractmethod
    def plain(self) -> Genome:
        """The genome that gives what another one leaves out; it need not fit."""

    @abstractmethod
    def beginnings(self) -> list[Genome]:
        """Return the networks that a search begins with, made by hand: a plain one first, which fits if any does."""

    @abstractmethod
    def model(self, network: Network, genes: Float32, dataset: Dataset, training: Mapping[str, Any]) -> Model:
        """Return a model of what a lesson ended with."""

    def prepared(self, parts: Mapping[str, Part], folder: SearchFolder, told: Preparing) -> dict[str, Any]:
        """Make what lessons need beside data; return what of it search.json tells.

        Parameters
        ----------
        parts : mapping of str to Part
        folder : SearchFolder
        told : Preparing
        """
        return {}

    def judged_at_the_end(self, test_images: int) -> tuple[str, ...]:
        """Return the parts that the winner's trainings are judged on, where there are so many images to test by."""
        return ("test",) if test_images else ()

    def best_of(self, finals: Sequence[Mapping[str, Mapping[str, float]]]) -> int:
        """Return which of the winner's trainings is saved: the first one, whatever the others reach on test."""
        return 0

    def pieces(self, model: Model) -> Mapping[str, Model]:
        """Return models that are parts of one, by the names of their files."""
        return {}

    def given(self) -> list[Genome]:
        """Return the genome that the configuration names, if it does.

        Raises
        ------
        UsageError
            If it is none, or cannot be.
        """
        if not self.config.genome:
            return []
        genome = self.space.read_text(self.config.genome, self.plain)
        if fault := self.fault_of(genome):
            raise UsageError(f"the genome cannot be: {fault} (images are {shown(self.shape)})")
        return [genome]

    @functools.cached_property
    def default(self) -> Genome | None:
        """The plain one; None where nothing fits."""
        return next(iter(self.beginnings()), None)

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
        return ""

    def distinct(self, genomes: Sequence[Genome]) -> list[Genome]:
        """Return those that can be, each once."""
        return list({self.space.key(genome): genome for genome in genomes if not self.fault_of(genome)}.values())


def changed(genome: Genome, changes: Mapping[str, Any], space: Space) -> Genome:
    """Return a genome of a space, with the values of another, and other ones of some genes."""
    return {gene.name: ({**genome, **changes})[gene.name] for gene in space.genes}
