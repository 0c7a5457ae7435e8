"""What strategies share: the problem they are given, one genome to start from, and lines about themselves."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import memory
from genreg_np.backends.base import Backend
from genreg_np.data.dataset import Dataset
from genreg_np.data.labels import short_name
from genreg_np.errors import UsageError
from genreg_np.fitness import ImageFitness
from genreg_np.memory import Plan
from genreg_np.model import Float32, Model, Network, Standardise
from genreg_np.streams import Purpose, Stream, unit_floats

if TYPE_CHECKING:
    from genreg_np.config import TrainConfig  # config.py needs the strategies' options


@dataclass(frozen=True)
class Problem:
    """A network to train; features and labels are None where the user brings a fitness."""

    network: Network
    features: Float32 | None = field(default=None, repr=False)  # (N, I) of the backend, after the fixed layers
    labels: NDArray[np.int64] | None = None  # (N,)
    generations: int = 0  # how many the run has in all: annealed strategies plan by it
    image_fitness: ImageFitness | None = None  # the user's, for fitness = custom
    dataset: Dataset | None = field(default=None, repr=False)  # for strategies that also choose by other splits

    @classmethod
    def of(cls, network: Network, dataset: Dataset | None) -> Problem:
        """Return the problem of training a network on a dataset's train split.

        Raises
        ------
        UsageError
            If the network does not fit the dataset.
        """
        if dataset is None:
            return cls(network)
        classes = len(dataset.class_names)
        if math.prod(network.input_shape) != math.prod(dataset.input_shape) or network.outputs != classes:
            raise UsageError(
                f"the network takes {network.input_shape} and gives {network.outputs} outputs, but {dataset.name} has "
                f"inputs of {dataset.input_shape} and {classes} classes: build it to fit, or leave it out"
            )
        # deviation: validation split
        features = network.features(dataset.train.inputs, dataset.input_range)
        return cls(network, features, dataset.train.labels, dataset=dataset)


class Scored:
    """What strategies record that score whole genomes: a mixin of their states, which have these four fields."""

    best_fitness: float  # of the last generation, a mean over its images; of random search: so far
    mean_fitness: float  # of the last generation
    mean_accuracy: float  # fraction of its images the last generation predicted right
    non_finite: int  # fitness values replaced so far

    def metrics(self) -> dict[str, float]:
        """Return what is recorded of the last generation."""
        measured = {
            "best_trust": self.best_fitness,
            "mean_trust": self.mean_fitness,
            "mean_accuracy": self.mean_accuracy,
        }
        return measured | counted(self.non_finite)


def counted(non_finite: int) -> dict[str, float]:
    """Return what is recorded of fitness values that were not finite: how many so far, or nothing."""
    return {"non_finite": non_finite} if non_finite else {}


def network_for(dataset: Dataset, hidden: tuple[int, ...], activation: str) -> Network:
    """Build the network for a dataset; float features are standardised by a fixed first layer."""
    fixed: tuple[Standardise, ...] = ()
    if dataset.train.inputs.dtype.kind == "f":
        flat = dataset.train.inputs.reshape(len(dataset.train), -1)
        fixed = (Standardise.fit(np.ascontiguousarray(flat, np.float32)),)
    return Network.build(dataset.input_shape, hidden, len(dataset.class_names), activation, fixed)


def pose(
    strategy: Any, dataset: Dataset | None, config: TrainConfig, backend: Backend, network: Network | None
) -> Problem:
    """Return what a strategy is to solve: on a given network, or one of its own making, or dense layers on the inputs.

    Raises
    ------
    UsageError
        If the dataset does not fit.
    """
    if dataset is not None and all_alike(dataset.train.inputs):
        alike = f"{dataset.name}: all training inputs are the same, so there is nothing to tell classes by"
        warnings.warn(alike, RuntimeWarning, stacklevel=2)
    if network is None and hasattr(strategy, "problem"):
        posed: Problem = strategy.problem(dataset, config, backend)
        return posed
    if network is None:
        assert dataset is not None
        network = network_for(dataset, config.hidden, config.activation)
    return Problem.of(network, dataset)


def check_start(initial: Model, network: Network, class_names: Sequence[str], feature_names: Sequence[str]) -> None:
    """Refuse a model that a run cannot start from.

    Raises
    ------
    UsageError
        If its network is another, or classes or columns that both have stand in different places.
    """
    if initial.network.dense != network.dense:
        raise UsageError(
            f"the model to start from is {initial.network.describe()}, "
            f"but this run needs {network.describe()}: choose matching --hidden and --set activation=..."
        )
    for what, names, known in (
        ("classes", class_names, initial.class_names),
        ("columns", feature_names, initial.feature_names),
    ):
        place = {name: index for index, name in enumerate(known)}
        theirs, ours = (", ".join(map(short_name, some[:12])) for some in (known, names))
        if any(place.get(name, index) != index for index, name in enumerate(names)):
            raise UsageError(
                f"the model to start from has the same {what} in another order: {theirs}, "
                f"but this run {ours}; bring the data into the model's order"
            )
        if names and known and tuple(names) != tuple(known):
            warnings.warn(
                f"the model to start from has the {what} {theirs}, this run {ours}: they are taken for "
                "one another as they stand",
                RuntimeWarning,
                stacklevel=2,
            )


def check_memory(strategy: Any, problem: Problem, options: Any, backend: Backend) -> None:
    """Refuse settings that need more memory than there is, before any of it is taken.

    Raises
    ------
    UsageError
        With what would fit: a smaller population, or smaller layers.
    """
    network, limit = problem.network, backend.memory()
    smaller = "choose fewer or smaller hidden layers"
    genes = Plan("one network", f"{network.gene_count:,} weights and biases x 4 bytes", 4 * network.gene_count)
    memory.check(genes, limit, smaller)

    def plan(size: int) -> Plan:
        planned: Plan = strategy.plan(problem, dataclasses.replace(options, population_size=size), backend)
        return planned

    ranges = {item.name: item.metadata for item in dataclasses.fields(options)}
    if "population_size" not in ranges:
        memory.check(strategy.plan(problem, options, backend), limit, smaller)
        return
    least, most = ranges["population_size"]["low"], options.population_size
    needed = plan(most)
    if needed.bytes > limit:
        fits = memory.largest(lambda size: plan(size).bytes <= limit, least, most)
        memory.check(needed, limit, f"population_size = {fits:,} would fit" if fits >= least else smaller)


def all_alike(inputs: NDArray[np.generic]) -> bool:
    """Whether every input equals the first; looks no further than the first that does not."""
    return all(np.array_equal(one, inputs[0]) for one in inputs)


def image_shape(dataset: Dataset | None, strategy: str, smallest: int = 1) -> tuple[int, int]:
    """Return height and width of a dataset's images.

    Raises
    ------
    UsageError
        If there is no dataset, or its inputs are no images of whole-number pixels, at least `smallest` each way.
    """
    if dataset is None:
        raise UsageError(f"{strategy} makes its features from a dataset's images: pass a dataset")
    shape, kind = dataset.input_shape, dataset.train.inputs.dtype
    if len(shape) != 2 or dataset.input_range is None or kind.kind == "f" or min(shape) < smallest:
        least = f", at least {smallest} each way" if smallest > 1 else ""
        raise UsageError(
            f"{strategy} needs images of height x width whole-number pixels{least}, but {dataset.name} has inputs of "
            f"{shape} {kind}: choose node-perturbation or genreg for them"
        )
    return shape[0], shape[1]


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
    """Draw one genome (D,): weights from U(+-gain sqrt(3 / I)), so that sums vary as the inputs do; biases are 0."""
    genes = unit_floats(stream.words(Purpose.INITIAL, 0, 0, network.gene_count)) * np.float32(2) - np.float32(1)
    for layer, (weights, biases) in zip(network.dense, network.weight_slices, strict=True):
        genes[weights] *= np.float32(gain * (3 / layer.inputs) ** 0.5)
        genes[biases] = 0
    return genes
