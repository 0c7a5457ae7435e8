"""What a strategy is given to solve: a network, training features, labels; and the networks it builds for a dataset."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.fitness import ImageFitness
from genreg_np.layers.description import parse
from genreg_np.layers.images import FixedLayer
from genreg_np.layers.table import Columns
from genreg_np.model import Float32, Network, Standardise

TENTHS = 10  # that numbers are sorted into where a method goes by classes


@dataclass(frozen=True)
class HiddenLayers:
    """The layers between inputs and outputs of a network that a strategy builds."""

    units: tuple[int, ...]
    activation: str
    network: str = ""  # all layers in words instead (layers/description.py)

    def build(
        self, dataset: Dataset, fixed: tuple[FixedLayer, ...] = (), seen: tuple[int, ...] | None = None
    ) -> Network:
        """Return the network for a dataset.

        Parameters
        ----------
        dataset : Dataset
        fixed : tuple of FixedLayer
            What comes before.
        seen : tuple of int, optional
            The shape of what the first layer sees, by default that of the inputs.

        Raises
        ------
        UsageError
            If the layers do not fit what they see, or do not give a number for each class.
        """
        outputs = dataset.outputs
        if not self.network:
            return Network.build(dataset.input_shape, self.units, outputs, self.activation, fixed)
        layers = parse(self.network, seen or dataset.input_shape)
        network = Network(dataset.input_shape, (*fixed, *layers))
        if network.outputs != outputs:
            raise UsageError(
                f"network: gives {network.outputs:,} outputs, but {dataset.name} has {dataset.counted}: "
                f"end it with `dense {outputs}`"
            )
        return network


@dataclass(frozen=True)
class Problem:
    """A network to train; features and labels are None where the user brings a fitness.

    Targets that are numbers are those of data.targets.Targets.scaled: of mean 0 and deviation 1.
    """

    network: Network
    features: Float32 | None = field(default=None, repr=False)  # (N, I) of the backend, after the fixed layers
    labels: NDArray[Any] | None = None  # (N,) int64 classes, or (N, K) float32 targets
    generations: int = 0  # how many the run has in all: annealed strategies plan by it
    image_fitness: ImageFitness | None = None  # the user's, for fitness = custom
    dataset: Dataset | None = field(default=None, repr=False)  # for strategies that also choose by other splits
    weights: NDArray[np.float64] | None = field(default=None, repr=False)  # (N,) of a mean of 1; None: all count alike

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
        if math.prod(network.input_shape) != math.prod(dataset.input_shape) or network.outputs != dataset.outputs:
            raise UsageError(
                f"the network takes {network.input_shape} and gives {network.outputs} outputs, but {dataset.name} has "
                f"inputs of {dataset.input_shape} and {dataset.counted}: build it to fit, or leave it out"
            )
        # deviation: validation split
        features = network.features(dataset.train.inputs, dataset.input_range)
        return cls(network, features, dataset.wanted("train"), dataset=dataset)

    def weighted(self, dataset: Dataset, balanced: bool, drawn_by_class: bool = False) -> Problem:
        """Return the same with what each training sample counts: its own weight, and less where its class has many.

        Labels are the training split's, once or several times over. Where as many of each class are drawn whatever it
        has, only weights of their own make classes count unlike.

        Raises
        ------
        UsageError
            For a class whose samples all weigh 0, where classes are to count alike.
        """
        assert self.labels is not None
        weights = np.ones(len(self.labels))
        if dataset.train.weights is not None:
            weights = np.resize(dataset.train.weights, len(self.labels))
        if balanced:
            counts = np.bincount(self.labels, weights=weights, minlength=dataset.outputs)
            if not counts.all():
                name = dataset.class_names[int(counts.argmin())]
                raise UsageError(
                    f"{dataset.name}: all training samples of class {name!r} weigh 0, so that classes cannot count "
                    "alike: leave class_weight out, or drop the class"
                )
            if drawn_by_class:
                weights = weights * np.bincount(self.labels)[self.labels]
            weights = weights / counts[self.labels]
        return dataclasses.replace(self, weights=weights / weights.mean())


def as_classes(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return classes as they are; of numbers (N, K) which tenth of all the first of each is in, 0 .. 9."""
    if labels.ndim == 1:
        return labels
    tenths = np.empty(len(labels), np.int64)
    tenths[np.argsort(labels[:, 0], kind="stable")] = np.arange(len(labels)) * TENTHS // len(labels)
    return tenths


def network_for(dataset: Dataset, hidden: HiddenLayers) -> Network:
    """Build the network for a dataset; float features are standardised by a fixed layer, after one for columns."""
    fixed: tuple[FixedLayer, ...] = ()
    if dataset.train.inputs.dtype.kind == "f":
        rows = np.ascontiguousarray(dataset.train.inputs.reshape(len(dataset.train), -1), np.float32)
        if dataset.columns:
            columns = Columns.fit(dataset.columns, rows)
            fixed = columns, standardised(columns.apply(rows), columns.of_values)
        else:
            fixed = (Standardise.fit(rows),)
    return hidden.build(dataset, fixed)


def standardised(rows: Float32, of_values: NDArray[np.bool_]) -> Standardise:
    """Return the layer that scales values (N, I) to deviation 1, and leaves what is 0 or 1 as far apart as it is."""
    deviation = rows.std(axis=0, dtype=np.float64)
    return Standardise.of(rows.mean(axis=0, dtype=np.float64), np.where(of_values, deviation, 1.0))


def image_shape(dataset: Dataset, strategy: str, smallest: int = 1, colours: bool = False) -> tuple[int, ...]:
    """Return height and width of a dataset's images; channels before them where it has some and `colours` may be.

    Raises
    ------
    UsageError
        If its inputs are no images of whole-number pixels, at least `smallest` each way.
    """
    shape, kind = dataset.input_shape, dataset.train.inputs.dtype
    known = len(shape) == 2 or (colours and len(shape) == 3)
    if not known or dataset.input_range is None or kind.kind == "f" or min(shape[-2:]) < smallest:
        least = f", at least {smallest} each way" if smallest > 1 else ""
        raise UsageError(
            f"{strategy} needs images of height x width whole-number pixels{least}, but {dataset.name} has inputs of "
            f"{shape} {kind}: choose node-perturbation or genreg for them"
        )
    return shape
