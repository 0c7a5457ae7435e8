"""What a strategy is given to solve: a network, training features, labels; and the networks it builds for a dataset."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.fitness import ImageFitness
from genreg_np.layers.description import parse
from genreg_np.layers.images import FixedLayer
from genreg_np.model import Float32, Network, Standardise


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
        classes = len(dataset.class_names)
        if not self.network:
            return Network.build(dataset.input_shape, self.units, classes, self.activation, fixed)
        layers = parse(self.network, seen or dataset.input_shape)
        network = Network(dataset.input_shape, (*fixed, *layers))
        if network.outputs != classes:
            raise UsageError(
                f"network: gives {network.outputs:,} outputs, but {dataset.name} has {classes} classes: "
                f"end it with `dense {classes}`"
            )
        return network


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


def network_for(dataset: Dataset, hidden: HiddenLayers) -> Network:
    """Build the network for a dataset; float features are standardised by a fixed first layer."""
    fixed: tuple[Standardise, ...] = ()
    if dataset.train.inputs.dtype.kind == "f":
        flat = dataset.train.inputs.reshape(len(dataset.train), -1)
        fixed = (Standardise.fit(np.ascontiguousarray(flat, np.float32)),)
    return hidden.build(dataset, fixed)


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
