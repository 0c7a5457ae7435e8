"""What a strategy is: how one genome, or a population of them, becomes the next.

A strategy is a class, never an instance: functions of a state that hands on nothing but itself. One file and one line
of the registry (strategies/__init__.py) add one; the shared tests run over the registry.

    problem     what it is to solve on a dataset: by default dense layers on the inputs
    prepare     what can be computed again from that (features, index lists): its context, never saved
    start       the first state, or `seeded` with a genome
    step        the state after one more generation on the dataset, which draws its own batch
    champions   the genomes worth saving, the faithful one first

A strategy that keeps a population (`PopulationStrategy`) has no `step` of its own. It says which genomes a generation
has (`breed`), which images they are judged on (`batch`), and which state follows from their fitness (`select`); `step`,
`ask` and `tell` call these three.
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
    """What lives between generations: finite arrays and scalars that cannot be computed again, and so are saved."""

    generation: int  # done so far

    def metrics(self) -> dict[str, Any]:
        """Return what is recorded of the last generation."""
        return {}

    def kin(self) -> tuple[Array | None, NDArray[np.float64] | None]:
        """Return the survivors (S, D), the backend's, and their trust (S,), of a strategy that keeps any."""
        return None, None

    def kept_statistics(self) -> Float32:
        """Return what layers have kept count of in training (E,), without which no champion is finished; or nothing."""
        return np.empty(0, np.float32)

    def shapes(self, start: Any) -> dict[str, tuple[int, ...]]:
        """Return the shapes that its arrays must have, by name, where they are not those of the first state."""
        return {}


class Takes(Enum):
    """Which learning layers a strategy can train."""

    DENSE = "dense layers"
    EVOLVED = "layers that mean something without gradients"
    ANY = "any layers"


OptionsT = TypeVar("OptionsT", bound=Settings, contravariant=True)
ContextT = TypeVar("ContextT")
StateT = TypeVar("StateT", bound=State)


class Judging(Protocol):
    """A context of strategies that judge whole genomes."""

    @property
    def backend(self) -> Backend:
        """What judges them."""
        ...


JudgingT = TypeVar("JudgingT", bound=Judging)


class Strategy(Protocol[OptionsT, ContextT, StateT]):
    """The contract of all strategies. Subclass it, so that what it gives by default is there."""

    name: ClassVar[str]  # on the command line, in presets and models
    summary: ClassVar[str]  # what it is, in a line
    Options: ClassVar[type[Settings]]  # its settings
    keeps_population: ClassVar[bool] = False  # whether it is a PopulationStrategy
    takes: ClassVar[Takes] = Takes.DENSE  # which layers it trains
    predicts_numbers: ClassVar[bool] = True  # whether it also learns targets that are numbers
    weighs: ClassVar[bool] = True  # whether samples may count for more or less than others
    draws_by_class: ClassVar[bool] = False  # whether batches have as many samples of each class

    @staticmethod
    def works(options: OptionsT, depth: int) -> tuple[Work, ...]:
        """Return what a backend has to do for it, and so what must be compiled; `depth` is how many layers learn."""
        ...

    @classmethod
    def problem(
        cls, dataset: Dataset, hidden: HiddenLayers, options: OptionsT, stream: Stream, backend: Backend
    ) -> Problem:
        """Return what there is to solve on a dataset; a strategy with fixed layers of its own makes them here.

        Raises
        ------
        UsageError
            If the dataset does not fit.
        """
        return Problem.of(network_for(dataset, hidden), dataset)

    @staticmethod
    def plan(problem: Problem, options: OptionsT, backend: Backend) -> Plan:
        """Say how a generation is computed, and what memory that takes; asked before anything is prepared."""
        ...

    @staticmethod
    def prepare(problem: Problem, options: OptionsT, backend: Backend) -> ContextT:
        """Return what stays the same in all generations.

        Raises
        ------
        UsageError
            If settings contradict each other, or the problem is none that it can solve.
        """
        ...

    @classmethod
    def start(cls, context: ContextT, stream: Stream) -> StateT:
        """Return the state before generation 0."""
        ...

    @classmethod
    def seeded(cls, genes: Float32) -> StateT:
        """Return the state before generation 0 of a run that begins with a genome (D,).

        Raises
        ------
        UsageError
            If it cannot begin so.
        """
        raise UsageError(f"strategy {cls.name} cannot start from a model: leave out --init")

    @classmethod
    def step(cls, state: StateT, context: ContextT, stream: Stream) -> StateT:
        """Return the state after one more generation on the dataset."""
        ...

    @staticmethod
    def champions(state: StateT) -> dict[str, Any]:
        """Return genomes (D,) of the problem's network by name, the backend's own arrays, the faithful one first."""
        ...


class PopulationStrategy(Strategy[OptionsT, JudgingT, StateT], Protocol):
    """The contract of strategies that judge whole genomes, by a batch or by the user's own numbers (`told`)."""

    keeps_population: ClassVar[bool] = True
    takes: ClassVar[Takes] = Takes.EVOLVED

    @classmethod
    def breed(cls, state: StateT, context: JudgingT, stream: Stream, told: bool = False) -> Brood:
        """Return the genomes of the next generation."""
        ...

    @classmethod
    def batch(cls, state: StateT, context: JudgingT, stream: Stream) -> Batch:
        """Return what the next generation is judged on.

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
            Higher is better; of any size, infinite or NaN.
        accuracy : float, optional
            Their mean accuracy on the batch; None where the fitness was told.

        Raises
        ------
        FitnessError
            If no fitness is finite or +inf.
        """
        ...

    @staticmethod
    def centre(state: StateT) -> Float32 | None:
        """Return the genome (D,) around which the next generation is drawn, where there is one."""
        return None

    @classmethod
    def step(cls, state: StateT, context: JudgingT, stream: Stream) -> StateT:
        """Judge the next generation on a batch of its own, and select from it."""
        brood = cls.breed(state, context, stream)
        judged = context.backend.score(brood, cls.batch(state, context, stream))
        return cls.select(state, context, brood, judged.fitness, float(judged.accuracy.mean()))


AnyStrategy = Strategy[Any, Any, Any]
AnyPopulationStrategy = PopulationStrategy[Any, Any, Any]


class Scored:
    """What strategies record that score whole genomes: a mixin of their states, which have these four fields."""

    best_fitness: float  # of the last generation, a mean over its images; of random search: so far
    mean_fitness: float  # of the last generation
    mean_accuracy: float | None  # fraction of its images the last generation predicted right; None of a told fitness
    non_finite: int  # fitness values replaced so far

    def metrics(self) -> dict[str, float]:
        """Return what is recorded of the last generation."""
        measured = {"best_trust": self.best_fitness, "mean_trust": self.mean_fitness}
        if self.mean_accuracy is not None:
            measured["mean_accuracy"] = self.mean_accuracy
        return measured | counted(self.non_finite)


def brood_works(fitness: str) -> tuple[Work, ...]:
    """Return what a backend has to do for a strategy that judges whole genomes by such a fitness."""
    return (Work.BROODS, Work.ERRORS) if fitness in ERRORS else (Work.BROODS,)


def counted(non_finite: int) -> dict[str, float]:
    """Return what is recorded of fitness values that were not finite: how many so far, or nothing."""
    return {"non_finite": non_finite} if non_finite else {}


def plan_of(
    what: str, genes: int, sets: int, features: NDArray[np.generic] | None, kept: str = "", kept_bytes: int = 0
) -> Plan:
    """Return how a generation is computed and its memory: so many sets of genes, training features, what is kept."""
    rows, width = (0, 0) if features is None else features.shape
    size = 4 if features is None else features.dtype.itemsize
    formula = f"{sets:,} x {genes:,} genes x 4 bytes + {rows:,} x {width:,} features x {size} bytes"
    formula += f" + {kept}" if kept else ""
    return Plan(what, formula, 4 * sets * genes + rows * width * size + kept_bytes)


def first_genes(network: Network, gain: float, stream: Stream) -> Float32:
    """Draw one genome (D,): weights from U(+-gain sqrt(3 / I)), so that sums vary as the inputs do; biases are 0.

    All others are what their layers begin with: scales 1, for example.
    """
    genes = unit_floats(stream.words(Purpose.INITIAL, 0, 0, network.gene_count)) * np.float32(2) - np.float32(1)
    for parameter, place in network.parameter_slices:
        if parameter.role == "weight":
            genes[place] *= np.float32(gain * (3 / parameter.fan_in) ** 0.5)
        else:
            genes[place] = parameter.first
    return genes
