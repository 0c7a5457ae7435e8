"""The interface of layers: each kind of layer is one class.

Description   a frozen dataclass: `kind` names it in model files, exporters and genomes; `output_shape` gives the shape
              of outputs, `parameters` what is learned, `statistics` what is only tracked in training
File          `header` and `arrays` write it, `read` reads it back
Tests         `example` returns a small layer; the tests run on every layer of the registry (layers/__init__.py)
Arithmetic    `forward` and `backward` over a population of P networks that are trained side by side
Prediction    `finished` returns the layers a saved model has in its place: none for dropout, a scale for batch norm
Crossover     `groups` returns which of its genes are exchanged together

Values are columns, one per image: (P, O, N). A layer of maps sees them as (P, C, H, W, N), with the same memory layout.
What all networks share has no leading axis: the batch is (I, N), and the first layer of all P networks is one product.
Every parameter has the leading axis: (P, O, I).

    values, kept                          = layer.forward(parameters, values, passing)
    input_gradient, parameter_gradients   = layer.backward(parameters, kept, gradient)

`parameters` are the arrays of the layer's parameters followed by those of its statistics, which a forward pass in
training updates in place. `gradient` is that of each network's loss with respect to each output. The gradient of a
shared input differs between networks, so it has the leading axis that the input lacks. A layer stores nothing itself:
it returns what its backward pass needs as `kept`. Arrays are NumPy's or CuPy's, of one kind and one float type
throughout; only random words are moved between devices, to where they are used.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
from genreg_np.layers.groups import Gene, Groups
from genreg_np.settings import whole_numbers
from genreg_np.streams import Purpose, Stream

Array = Any  # numpy.ndarray or cupy.ndarray
Kept = Any
Float32 = NDArray[np.float32]
Arrays = dict[str, NDArray[np.generic]]
Finished = list[tuple["Layer", list[Array]]]  # layers, and the arrays of their parameters without a population axis

UNSEEDED = Stream(0)


@dataclass(frozen=True)
class Parameter:
    """One array that a layer learns, or keeps as a statistic."""

    name: str  # in the model file, after the layer's own name
    shape: tuple[int, ...]  # of one network: without the population axis
    fan_in: int = 1  # inputs of a unit: the interval of first weights shrinks with its square root
    role: str = "weight"  # or bias, scale, slope, statistic, which start at `first`
    first: float = 0.0  # initial value, unless it is a weight

    @property
    def size(self) -> int:
        """Number of genes."""
        return math.prod(self.shape)


class Passing:
    """The purpose of a forward pass: prediction, or a training step with its own random words.

    Parameters
    ----------
    training : bool
        Whether layers behave as in training: dropout drops, batch normalisation uses the statistics of the batch.
    stream : Stream
        Source of random words.
    step : int
        Number of the training step: equal steps draw equal words.
    first : int
        Number of the first network: network p draws as number first + p.
    """

    def __init__(self, training: bool = False, stream: Stream = UNSEEDED, step: int = 0, first: int = 0) -> None:
        self.training, self.stream, self.step, self.first = training, stream, step, first
        self._block = 0  # blocks that layers have drawn from each network's stream so far

    def words(self, networks: int, count: int, like: Array) -> Array:
        """Return the next words of each network's stream, (P, count) uint32, on the device of `like`."""
        blocks = np.arange(-(-count // 4)) + self.take(count)
        numbers = self.first + np.arange(networks)[:, None]
        words = self.stream.blocks(Purpose.DROPOUT, self.step, numbers, blocks).reshape(networks, -1)[:, :count]
        return array_module(like).asarray(words)

    def take(self, count: int) -> int:
        """Reserve the next `count` words of each network's stream; return the block where they begin."""
        first = self._block
        self._block += -(-count // 4)
        return first


PREDICTING = Passing()


@dataclass(frozen=True)
class Layer(ABC):
    """A layer of P networks."""

    kind: ClassVar[str]
    remembers: ClassVar[bool] = False  # whether outputs depend on earlier inputs: a layer for policies

    @classmethod
    def example(cls) -> tuple[Layer, tuple[int, ...]]:
        """Return a small layer and the shape of an input that it takes, for the shared tests."""
        raise NotImplementedError(f"a layer of {cls.kind} has no example, so nothing of it would be tested")

    @abstractmethod
    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of outputs for inputs of a shape.

        Raises
        ------
        UsageError
            If such inputs do not fit.
        """

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it learns, in the order of its genes; empty for a fixed layer."""
        return ()

    @property
    def statistics(self) -> tuple[Parameter, ...]:
        """What it tracks in training and needs for prediction; these are not genes, so they do not evolve."""
        return ()

    @property
    def only_by_gradient(self) -> bool:
        """Whether it only makes sense in training by gradients; strategies without gradients refuse it."""
        return bool(self.statistics)

    @property
    def gene_count(self) -> int:
        """Number of genes of its parameters."""
        return sum(parameter.size for parameter in self.parameters)

    def words(self) -> str:
        """Return its words in a description of a network, such as "conv 16 3"; layers/description.py reads them."""
        return self.kind

    @property
    def needs_finishing(self) -> bool:
        """Whether a saved model has other layers in its place."""
        return False

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return the layers that a saved model has in its place, with their arrays; by default the layer itself.

        Parameters
        ----------
        arrays : sequence of arrays
            Arrays of its parameters and statistics, without a population axis. The layers that take its place do not
            depend on them.
        """
        return [(self, list(arrays))]

    def scaled(self, arrays: Sequence[Array], scale: Array, shift: Array) -> list[Array] | None:
        """Return arrays with which it outputs scale * values + shift, channel by channel; None if there are none.

        Parameters
        ----------
        arrays : sequence of arrays
            As for `finished`.
        scale, shift : (C,)
            One for each output channel.
        """
        return None

    def joined_to(self, before: Layer, arrays_before: Sequence[Array], arrays: Sequence[Array]) -> list[Array] | None:
        """Return arrays with which the preceding layer also does this layer's work; None if there are none."""
        return None

    @abstractmethod
    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header, without its kind."""

    def arrays(self, values: Sequence[NDArray[np.generic]] = ()) -> Arrays:
        """Return its arrays by their names in the model file, without the layer's own name.

        Parameters
        ----------
        values : sequence of arrays
            The learned values, an array for each of its `parameters`.
        """
        return {parameter.name: value for parameter, value in zip(self.parameters, values, strict=True)}

    @classmethod
    @abstractmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Layer:
        """Return the layer described in a (checked) model file; its arrays' names begin with `where`."""

    @abstractmethod
    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return the outputs (P, O, N), and what `backward` will need.

        Parameters
        ----------
        parameters : sequence of (P, *shape) arrays
            Its parameters, followed by its statistics, which change in place in training.
        values : (P, I, N), or (I, N) if all networks share them
        passing : Passing
            What the pass is for.
        """

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to the input, (P, I, N), and to each parameter, (P, *shape).

        Parameters
        ----------
        parameters : sequence of (P, *shape) arrays
            As passed to `forward`.
        kept : object
            As returned by `forward`.
        gradient : (P, O, N)
            Gradient of each network's loss with respect to the outputs.
        wanted : bool
            Whether the gradient of the input is needed; otherwise it may be None. The first layer of a network in
            training does not need it.
        learning : bool
            Whether the gradients of parameters are needed; otherwise the list is empty.

        Raises
        ------
        UsageError
            If the layer has no gradient.
        """
        raise UsageError(f"a layer of {self.kind} has no gradient to follow")

    def check_gradient(self) -> None:
        """Refuse a layer that has no gradient.

        Raises
        ------
        UsageError
            Saying what to choose instead, if there is a choice.
        """
        raise UsageError(f"a layer of {self.kind} has no gradient to follow")

    def groups(self, gene: Gene) -> Groups:
        """Return the groups of genes that crossover exchanges together.

        Raises
        ------
        UsageError
            If the layer learns nothing, or does not define its groups.
        """
        if self.parameters:
            raise UsageError(f"a layer of {self.kind} has genes, but no `groups`: define it, e.g. by channel_groups")
        raise UsageError(f"a layer of {self.kind} has no genes to exchange")


def array_module(array: Array) -> Any:
    """Return the module of an array: numpy or cupy."""
    return np if isinstance(array, np.ndarray) else sys.modules[type(array).__module__.partition(".")[0]]


def on_host(array: Array) -> NDArray[Any]:
    """Return a NumPy array as it is, and a CuPy array copied to the host."""
    found: NDArray[Any] = array if isinstance(array, np.ndarray) else array_module(array).asnumpy(array)
    return found


def maps_of(values: Array, shape: tuple[int, ...]) -> Array:
    """Return columns (..., I, N) as maps (..., *shape, N)."""
    return values.reshape(*values.shape[:-2], *shape, values.shape[-1])


def columns_of(maps: Array, axes: int = 3) -> Array:
    """Return maps (..., C, H, W, N), or arrays with `axes` axes before the last, as columns (..., I, N)."""
    lead = maps.shape[: -1 - axes]
    return maps.reshape(*lead, -1, maps.shape[-1])


def by_channel(values: Array, channels: int) -> Array:
    """Return columns (..., I, N) as (..., C, positions, N)."""
    return values.reshape(*values.shape[:-2], channels, -1, values.shape[-1])


def maps_shape(shape: Any, what: str) -> tuple[int, int, int]:
    """Return the extents of maps as (C, H, W).

    Raises
    ------
    UsageError
        If they are not three whole numbers of at least 1; the message names `what`, which takes them.
    """
    extents = whole_numbers(shape, f"shape of {what}", least=1)
    if len(extents) != 3:
        raise UsageError(f"{what} takes maps (C, H, W), not {extents}")
    return extents[0], extents[1], extents[2]


def as_maps(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Refuse inputs with another number of values than wanted, or maps with their channels last.

    Only the number of values matters, so layers that only reshape can be left out (`Layer.finished`).

    Raises
    ------
    UsageError
        Naming both shapes.
    """
    channels_last = len(wanted) == 3 and shape != wanted and shape == (*wanted[1:], wanted[0]) and wanted[0] > 1
    if math.prod(shape) != math.prod(wanted) or channels_last:
        hint = ": put channels first" if channels_last else ""
        raise UsageError(f"takes {_extents(wanted)} values, but {_extents(shape)} arrive{hint}")


def _extents(shape: tuple[int, ...]) -> str:
    return " x ".join(str(extent) for extent in shape)
