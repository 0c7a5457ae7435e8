"""The problem a strategy solves: a network, training features, labels; and the networks built for a dataset."""

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

TENTHS = 10  # groups into which numbers are sorted if a method needs classes


@dataclass(frozen=True)
class HiddenLayers:
    """The layers between inputs and outputs of a network that a strategy builds."""

    units: tuple[int, ...]
    activation: str
    network: str = ""  # instead, a description of all layers (layers/description.py)

    def build(
        self, dataset: Dataset, fixed: tuple[FixedLayer, ...] = (), seen: tuple[int, ...] | None = None
    ) -> Network:
        """Return the network for a dataset.

        Parameters
        ----------
        dataset : Dataset
        fixed : tuple of FixedLayer
            The layers before.
        seen : tuple of int, optional
            Input shape of the first layer, by default that of the dataset.

        Raises
        ------
        UsageError
            If the layers do not fit their inputs, or do not give one output per class.
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
    """A network to train; features and labels are None if the fitness comes from the user.

    Targets that are numbers are those of data.targets.Targets.scaled, with mean 0 and deviation 1.
    """

    network: Network
    features: Float32 | None = field(default=None, repr=False)  # (N, I) on the device, after the fixed layers
    labels: NDArray[Any] | None = None  # (N,) int64 classes, or (N, K) float32 targets
    generations: int = 0  # of the whole run: annealed strategies depend on it
    image_fitness: ImageFitness | None = None  # the user's, for fitness = custom
    dataset: Dataset | None = field(default=None, repr=False)  # for strategies that also choose by other splits
    weights: NDArray[np.float64] | None = field(default=None, repr=False)  # (N,) with mean 1; None: all equal

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
        """Return the problem with sample weights: the samples' own, divided by class frequencies if `balanced`.

        Labels are those of the training split, once or several times. If batches have equally many samples of each
        class (`drawn_by_class`), classes are unbalanced only by the samples' own weights.

        Raises
        ------
        UsageError
            If classes are to be balanced, and all samples of a class have weight 0.
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
                    f"{dataset.name}: all training samples of class {name!r} have weight 0, so classes cannot be "
                    "balanced: leave class_weight out, or drop the class"
                )
            if drawn_by_class:
                weights = weights * np.bincount(self.labels)[self.labels]
            weights = weights / counts[self.labels]
        return dataclasses.replace(self, weights=weights / weights.mean())


def as_classes(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return classes as they are; for numbers (N, K), the tenth that each first number is in, 0 .. 9."""
    if labels.ndim == 1:
        return labels
    tenths = np.empty(len(labels), np.int64)
    tenths[np.argsort(labels[:, 0], kind="stable")] = np.arange(len(labels)) * TENTHS // len(labels)
    return tenths


def network_for(dataset: Dataset, hidden: HiddenLayers) -> Network:
    """Build the network for a dataset; float features are standardised by a fixed layer, after that of columns."""
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
    """Return the layer that centres columns (N, I) and scales values, not 0/1 columns, to deviation 1."""
    deviation = rows.std(axis=0, dtype=np.float64)
    return Standardise.of(rows.mean(axis=0, dtype=np.float64), np.where(of_values, deviation, 1.0))


def image_shape(dataset: Dataset, strategy: str, smallest: int = 1, colours: bool = False) -> tuple[int, ...]:
    """Return height and width of a dataset's images, preceded by channels if it has any and `colours` are allowed.

    Raises
    ------
    UsageError
        If its inputs are not images of whole-number pixels, at least `smallest` each way.
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
