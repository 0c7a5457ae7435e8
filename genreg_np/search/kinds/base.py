"""What a kind of individual is: its genes, what they stand for, how it learns, and what is saved."""

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

TIMES_BESIDE = 3  # passes of images through a network that is only trained beside another: real, generated, and back
ARCHITECTURE, OPTIMISER, DATA = "architecture", "optimiser", "data"  # blocks of genes


@dataclass(frozen=True)
class Individual:
    """What a genome stands for."""

    network: Network  # the network used for inference
    options: dict[str, Any]  # settings of its optimisers
    added: int = 0  # weights and biases that it has only for inference
    beside: tuple[Network, ...] = ()  # networks used only in training

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return self.network.gene_count + self.added

    @property
    def macs(self) -> int:
        """Multiply-adds of convolutions and dense layers per image."""
        return macs_of(self.network) + self.added

    @property
    def layers(self) -> int:
        """The number of convolutions and dense layers."""
        kinds = (Convolution, TransposedConvolution, Dense)
        return sum(isinstance(layer, kinds) for layer in self.network.learning) + bool(self.added)

    def work(self, samples: int) -> tuple[float, float, float]:
        """Return the work of learning from `samples` samples, for cost.py."""
        networks = self.network, *(TIMES_BESIDE * self.beside)
        values = sum(math.prod(shape) for network in networks for shape in network.shapes[1:])
        return work_of(samples, sum(map(macs_of, networks)) + self.added, values)


def macs_of(network: Network) -> int:
    """Return a network's multiply-adds per image."""
    pairs = zip(network.learning, network.shapes[1:], strict=True)
    return sum(multiplications(layer, shape) for layer, shape in pairs)


def multiplications(layer: Layer, shape: tuple[int, ...]) -> int:
    """Return the multiply-adds of a layer with the given output shape; normalisation and the like count as 0.

    Parameters
    ----------
    layer : Layer
    shape : tuple of int
        The shape of the layer's output.
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
        A text that identifies the data.
    backend : callable
        backend() -> Backend with one thread.
    on_phase, on_remark : callable
        Called when a phase begins, and with remarks.
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
        The shape of an image.
    class_names : sequence of str
    """

    name: ClassVar[str]
    works: ClassVar[tuple[Work, ...]]  # what its lessons need of a backend
    file: ClassVar[str] = "model.npz"  # the file name of the winner
    is_validated_by_folds: ClassVar[bool] = True  # for datasets with few images
    is_first_saved: ClassVar[bool] = True  # the first of the winner's trainings is saved, whatever the others reach
    retrained: ClassVar[str] = "whole"  # the part that the winner learns from in the end
    longest: ClassVar[int] = 1  # default number of samples for the winner's training, relative to the highest rung
    policy: ClassVar[tuple[str, ...]] = (DATA,)  # blocks of genes of a second population

    def __init__(self, config: SearchConfig, shape: tuple[int, ...], class_names: Sequence[str]) -> None:
        self.config, self.limits, self.shape, self.class_names = config, config.limits, shape, tuple(class_names)
        self.space = self.space_of(config)

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """The metrics of individuals."""

    @property
    def by_labels(self) -> bool:
        """Whether classes are learned: then there must be at least two."""
        return True

    @property
    @abstractmethod
    def tie(self) -> str:
        """The metric that breaks ties: lower is better."""

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
            If its layers do not fit together.
        """

    @abstractmethod
    def lesson(self, genome: Genome, individual: Individual, folds: int, **told: Any) -> Lesson:
        """Return a lesson of an individual, judged by cross-validation with `folds` folds or, if 0, on parts.

        Parameters
        ----------
        genome : mapping
        individual : Individual
            The individual that the genome stands for.
        folds : int
        told : mapping
            The arguments of any lesson except input_shape and class_names: lessons/base.py.
        """

    @abstractmethod
    def answering(self, genome: Genome) -> str:
        """Return the description of the network that is saved."""

    @property
    @abstractmethod
    def plain(self) -> Genome:
        """The genome that supplies missing values of others; it need not be feasible."""

    @abstractmethod
    def beginnings(self) -> list[Genome]:
        """Return the hand-made genomes that a search begins with; the first is plain, and feasible if any is."""

    @abstractmethod
    def model(self, network: Network, genes: Float32, dataset: Dataset, training: Mapping[str, Any]) -> Model:
        """Return a model of the result of a lesson."""

    def prepared(self, parts: Mapping[str, Part], folder: SearchFolder, told: Preparing) -> dict[str, Any]:
        """Prepare what lessons need besides the data; return what search.json records of it.

        Parameters
        ----------
        parts : mapping of str to Part
        folder : SearchFolder
        told : Preparing
        """
        return {}

    def judged_at_the_end(self, test_images: int) -> tuple[str, ...]:
        """Return the parts that the winner's trainings are judged on, given the number of test images."""
        return ("test",) if test_images else ()

    def best_of(self, finals: Sequence[Mapping[str, Mapping[str, float]]]) -> int:
        """Return which of the winner's trainings is saved: the first, whatever the others reach on test."""
        return 0

    def pieces(self, model: Model) -> Mapping[str, Model]:
        """Return models that are parts of the model, by file name."""
        return {}

    def given(self) -> list[Genome]:
        """Return the genome given in the configuration, if any.

        Raises
        ------
        UsageError
            If it is not a genome, or not feasible.
        """
        if not self.config.genome:
            return []
        genome = self.space.read_text(self.config.genome, self.plain)
        if fault := self.fault_of(genome):
            raise UsageError(f"the genome is not feasible: {fault} (images are {shown(self.shape)})")
        return [genome]

    @functools.cached_property
    def fallback(self) -> Genome | None:
        """What is trained if every individual fails: the given genome, or the plain one; None if none is feasible."""
        return next(iter([*self.given(), *self.beginnings()]), None)

    def fault_of(self, genome: Genome) -> str:
        """Return why a genome is not feasible, in a word or two; "" if it is."""
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
        """Return why not even a plain network fits such images; "" if one does."""
        return ""

    def distinct(self, genomes: Sequence[Genome]) -> list[Genome]:
        """Return the feasible genomes, each once."""
        return list({self.space.key(genome): genome for genome in genomes if not self.fault_of(genome)}.values())


def changed(genome: Genome, changes: Mapping[str, Any], space: Space) -> Genome:
    """Return a genome of a space with the values of another and some changes."""
    return {gene.name: ({**genome, **changes})[gene.name] for gene in space.genes}
