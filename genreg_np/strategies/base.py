"""The interface of strategies: how one genome, or a population of them, becomes the next.

A strategy is a class, never an instance: functions of a state, which is all that passes between generations. A new
strategy needs one file and one line in the registry (strategies/__init__.py); the shared tests run over the registry.

    problem     the task on a dataset: by default dense layers on the inputs
    prepare     the context: what can be computed again from the problem (features, index lists), never saved
    start       the first state, or `seeded` with a genome
    step        the state after one more generation on the dataset, which draws its own batch
    champions   the genomes worth saving, the faithful one first

A strategy that keeps a population (`PopulationStrategy`) does not define `step`. It defines the genomes of a generation
(`breed`), the images on which they are scored (`batch`), and the state that follows from their fitness (`select`);
`step`, `ask` and `tell` call these three.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend, Batch, Brood, Work
from genreg_np.backends.memory import Plan
from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.fitness import ERRORS
from genreg_np.layers.base import Array
from genreg_np.model import Float32, Network
from genreg_np.settings import Settings
from genreg_np.strategies.problem import HiddenLayers, Problem, network_for
from genreg_np.streams import Purpose, Stream, unit_floats


@dataclass(frozen=True)
class State:
    """The state between generations: finite arrays and scalars that cannot be computed again, and so are saved."""

    generation: int  # number of generations done

    def metrics(self) -> dict[str, Any]:
        """Return the recorded metrics of the last generation."""
        return {}

    def kin(self) -> tuple[Array | None, NDArray[np.float64] | None]:
        """Return the survivors (S, D), on the device, and their trust (S,); None for a strategy without any."""
        return None, None

    def kept_statistics(self) -> Float32:
        """Return the statistics of layers (E,) from training, which champions need for prediction; empty if none."""
        return np.empty(0, np.float32)

    def shapes(self, start: Any) -> dict[str, tuple[int, ...]]:
        """Return the required shapes of arrays, by name, where they differ from those of the first state."""
        return {}


class Takes(Enum):
    """Which learning layers a strategy can train."""

    DENSE = "dense layers"
    EVOLVED = "layers that work without gradients"
    ANY = "any layers"


OptionsT = TypeVar("OptionsT", bound=Settings, contravariant=True)
ContextT = TypeVar("ContextT")
StateT = TypeVar("StateT", bound=State)


class Judging(Protocol):
    """The context of a strategy that scores whole genomes."""

    @property
    def backend(self) -> Backend:
        """The backend that scores them."""
        ...


JudgingT = TypeVar("JudgingT", bound=Judging)


class Strategy(Protocol[OptionsT, ContextT, StateT]):
    """The interface of all strategies; subclass it to inherit the defaults."""

    name: ClassVar[str]  # on the command line, in presets and models
    summary: ClassVar[str]  # one line that describes it
    Options: ClassVar[type[Settings]]  # its settings
    keeps_population: ClassVar[bool] = False  # whether it is a PopulationStrategy
    takes: ClassVar[Takes] = Takes.DENSE  # which layers it trains
    predicts_numbers: ClassVar[bool] = True  # whether it also learns targets that are numbers
    weighs: ClassVar[bool] = True  # whether it supports sample weights
    draws_by_class: ClassVar[bool] = False  # whether batches have equally many samples of each class

    @staticmethod
    def works(options: OptionsT, depth: int) -> tuple[Work, ...]:
        """Return the works that a backend must compile for it; `depth` is the number of learning layers."""
        ...

    @classmethod
    def problem(
        cls, dataset: Dataset, hidden: HiddenLayers, options: OptionsT, stream: Stream, backend: Backend
    ) -> Problem:
        """Return the problem to solve on a dataset; a strategy with its own fixed layers creates them here.

        Raises
        ------
        UsageError
            If the dataset does not suit the strategy.
        """
        return Problem.of(network_for(dataset, hidden), dataset)

    @staticmethod
    def plan(problem: Problem, options: OptionsT, backend: Backend) -> Plan:
        """Return how a generation is computed, and the memory it takes; called before anything is prepared."""
        ...

    @staticmethod
    def prepare(problem: Problem, options: OptionsT, backend: Backend) -> ContextT:
        """Return what stays the same in all generations.

        Raises
        ------
        UsageError
            If settings contradict each other, or the strategy cannot solve the problem.
        """
        ...

    @classmethod
    def start(cls, context: ContextT, stream: Stream) -> StateT:
        """Return the state before generation 0."""
        ...

    @classmethod
    def seeded(cls, genes: Float32) -> StateT:
        """Return the state before generation 0 of a run that starts from a genome (D,).

        Raises
        ------
        UsageError
            If the strategy cannot start from a genome.
        """
        raise UsageError(f"strategy {cls.name} cannot start from a model: leave out --init")

    @classmethod
    def step(cls, state: StateT, context: ContextT, stream: Stream) -> StateT:
        """Return the state after one more generation on the dataset."""
        ...

    @staticmethod
    def champions(state: StateT) -> dict[str, Any]:
        """Return genomes (D,) of the problem's network by name, on the device, the faithful one first."""
        ...


class PopulationStrategy(Strategy[OptionsT, JudgingT, StateT], Protocol):
    """The interface of strategies that score whole genomes, by a batch or by the user's own numbers (`told`)."""

    keeps_population: ClassVar[bool] = True
    takes: ClassVar[Takes] = Takes.EVOLVED

    @classmethod
    def breed(cls, state: StateT, context: JudgingT, stream: Stream, told: bool = False) -> Brood:
        """Return the genomes of the next generation."""
        ...

    @classmethod
    def batch(cls, state: StateT, context: JudgingT, stream: Stream) -> Batch:
        """Return the batch on which the next generation is scored.

        Raises
        ------
        UsageError
            Without a dataset and a built-in fitness.
        """
        ...

    @classmethod
    def select(
        cls,
        state: StateT,
        context: JudgingT,
        brood: Brood,
        fitness: NDArray[np.float64],
        accuracy: float | None = None,
    ) -> StateT:
        """Return the state after a generation whose genomes have this fitness (P,).

        Parameters
        ----------
        brood : Brood
            What `breed` returned.
        fitness : (P,) float64
            Higher is better; any values, also infinite or NaN.
        accuracy : float, optional
            Their mean accuracy on the batch; None if the fitness came from the user.

        Raises
        ------
        FitnessError
            If no fitness is finite or +inf.
        """
        ...

    @staticmethod
    def centre(state: StateT) -> Float32 | None:
        """Return the genome (D,) around which the next generation is drawn; None if there is none."""
        return None

    @classmethod
    def step(cls, state: StateT, context: JudgingT, stream: Stream) -> StateT:
        """Score the next generation on its own batch, and select from it."""
        brood = cls.breed(state, context, stream)
        judged = context.backend.score(brood, cls.batch(state, context, stream))
        return cls.select(state, context, brood, judged.fitness, float(judged.accuracy.mean()))


AnyStrategy = Strategy[Any, Any, Any]
AnyPopulationStrategy = PopulationStrategy[Any, Any, Any]


class Scored:
    """The metrics of strategies that score whole genomes: a mixin of their states, which have these four fields."""

    best_fitness: float  # of the last generation, a mean over its images; in random search: of all so far
    mean_fitness: float  # of the last generation
    mean_accuracy: float | None  # fraction of images the last generation predicted right; None for the user's fitness
    non_finite: int  # number of fitness values replaced so far

    def metrics(self) -> dict[str, float]:
        """Return the recorded metrics of the last generation."""
        measured = {"best_trust": self.best_fitness, "mean_trust": self.mean_fitness}
        if self.mean_accuracy is not None:
            measured["mean_accuracy"] = self.mean_accuracy
        return measured | counted(self.non_finite)


def brood_works(fitness: str) -> tuple[Work, ...]:
    """Return the works of a strategy that scores whole genomes by such a fitness."""
    return (Work.BROODS, Work.ERRORS) if fitness in ERRORS else (Work.BROODS,)


def counted(non_finite: int) -> dict[str, float]:
    """Return the metric of fitness values that were not finite: their number so far, or nothing if 0."""
    return {"non_finite": non_finite} if non_finite else {}


def plan_of(
    what: str, genes: int, sets: int, features: NDArray[np.generic] | None, kept: str = "", kept_bytes: int = 0
) -> Plan:
    """Return how a generation is computed and its memory: `sets` sets of genes, training features, what is kept."""
    rows, width = (0, 0) if features is None else features.shape
    size = 4 if features is None else features.dtype.itemsize
    formula = f"{sets:,} x {genes:,} genes x 4 bytes + {rows:,} x {width:,} features x {size} bytes"
    formula += f" + {kept}" if kept else ""
    return Plan(what, formula, 4 * sets * genes + rows * width * size + kept_bytes)


def first_genes(network: Network, gain: float, stream: Stream) -> Float32:
    """Draw one genome (D,): weights from U(+-gain sqrt(3 / I)), so that sums vary as the inputs do; biases are 0.

    All other genes have the first values of their layers: scales 1, for example.
    """
    genes = unit_floats(stream.words(Purpose.INITIAL, 0, 0, network.gene_count)) * np.float32(2) - np.float32(1)
    for parameter, place in network.parameter_slices:
        if parameter.role == "weight":
            genes[place] *= np.float32(gain * (3 / parameter.fan_in) ** 0.5)
        else:
            genes[place] = parameter.first
    return genes
