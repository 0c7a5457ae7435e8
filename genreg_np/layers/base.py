"""What a layer is: one class that holds all there is to know of a kind of layer.

Description   a frozen dataclass: `kind` names it in model files, exporters and genomes; `output_shape` says what comes
              out of what goes in, `parameters` what it learns, `statistics` what it only keeps count of
File          `header` and `arrays` write it, `read` reads it back
Tests         `example` gives a small one; they are run on every layer of the registry (layers/__init__.py)
Arithmetic    `forward` and `backward` over a population of P networks that learn side by side
Prediction    `finished` says what a saved model has in its place: dropout nothing, batch normalisation a scale
Crossover     `groups` says which of its genes are exchanged as a whole

Values are columns, an image each: (P, O, N). A layer of maps sees them as (P, C, H, W, N), which they are as they lie.
What all networks share has no leading axis: the batch is (I, N), and the first layer of all P networks is one product.
Every parameter has the leading axis: (P, O, I).

    values, kept                          = layer.forward(parameters, values, passing)
    input_gradient, parameter_gradients   = layer.backward(parameters, kept, gradient)

`parameters` are the arrays of its parameters and then those of its statistics, which a forward pass in training brings
up to date in place. `gradient` is that of each network's loss by each value that came out. The gradient by a shared
input is each network's own, so it has the leading axis that the input has not. A layer keeps nothing itself: what its
backward pass needs it hands out as `kept`. Arrays are NumPy's or CuPy's, of one kind and one float type throughout;
nothing is moved between devices, but random words to where they are used.
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

    name: str  # in the model file, after the layer's own
    shape: tuple[int, ...]  # of one network: without the population axis
    fan_in: int = 1  # how many inputs a unit has: first weights are drawn from an interval that shrinks with its root
    role: str = "weight"  # or bias, scale, slope, statistic: whatever begins at `first`
    first: float = 0.0  # what it begins with, unless it is a weight

    @property
    def size(self) -> int:
        """How many genes it has."""
        return math.prod(self.shape)


class Passing:
    """What a forward pass is for: prediction, or a step of training with random words of its own.

    Parameters
    ----------
    training : bool
        Whether layers behave as in training: dropout drops, batch normalisation takes the batch's own statistics.
    stream : Stream
        Where random words come from.
    step : int
        Which step of training: equal steps draw equal words.
    first : int
        The number of the first of the networks that pass: network p draws as number first + p.
    """

    def __init__(self, training: bool = False, stream: Stream = UNSEEDED, step: int = 0, first: int = 0) -> None:
        self.training, self.stream, self.step, self.first = training, stream, step, first
        self._block = 0  # how much of each network's stream layers have drawn so far

    def words(self, networks: int, count: int, like: Array) -> Array:
        """Return the next words of each network's stream, (P, count) uint32, where another array is."""
        blocks = np.arange(-(-count // 4)) + self.take(count)
        numbers = self.first + np.arange(networks)[:, None]
        words = self.stream.blocks(Purpose.DROPOUT, self.step, numbers, blocks).reshape(networks, -1)[:, :count]
        return array_module(like).asarray(words)

    def take(self, count: int) -> int:
        """Return the block where the next so many words of each network's stream begin; the ones after are others."""
        first = self._block
        self._block += -(-count // 4)
        return first


PREDICTING = Passing()


@dataclass(frozen=True)
class Layer(ABC):
    """A layer of P networks."""

    kind: ClassVar[str]
    remembers: ClassVar[bool] = False  # whether what it gives depends on inputs before: one for policies

    @classmethod
    def example(cls) -> tuple[Layer, tuple[int, ...]]:
        """Return a small one, and the shape of an input that it takes: what the shared tests are run on."""
        raise NotImplementedError(f"a layer of {cls.kind} has no example, so that nothing of it would be tested")

    @abstractmethod
    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what comes out, of inputs of a shape.

        Raises
        ------
        UsageError
            If such inputs do not fit.
        """

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it learns, in the order of its genes; nothing where it is fixed."""
        return ()

    @property
    def statistics(self) -> tuple[Parameter, ...]:
        """What it keeps count of in training, and needs for prediction: no genes, so nothing that evolves."""
        return ()

    @property
    def only_by_gradient(self) -> bool:
        """Whether it means something only while gradients are followed; without them it is refused."""
        return bool(self.statistics)

    @property
    def gene_count(self) -> int:
        """How many genes its parameters have."""
        return sum(parameter.size for parameter in self.parameters)

    def words(self) -> str:
        """Return it as a description of a network has it, such as "conv 16 3"; layers/description.py reads that."""
        return self.kind

    @property
    def needs_finishing(self) -> bool:
        """Whether a saved model has something else in its place."""
        return False

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return what a saved model has in its place, with their arrays; by default the layer itself.

        Parameters
        ----------
        arrays : sequence of arrays
            Those of its parameters and statistics, without a population axis. Which layers take its place does not
            depend on them.
        """
        return [(self, list(arrays))]

    def scaled(self, arrays: Sequence[Array], scale: Array, shift: Array) -> list[Array] | None:
        """Return its arrays such that it gives scale * values + shift, channel by channel; None where none do.

        Parameters
        ----------
        arrays : sequence of arrays
            As for `finished`.
        scale, shift : (C,)
            Of each channel of what comes out.
        """
        return None

    def joined_to(self, before: Layer, arrays_before: Sequence[Array], arrays: Sequence[Array]) -> list[Array] | None:
        """Return arrays with which the layer before it does its work too; None where there are none."""
        return None

    @abstractmethod
    def header(self) -> dict[str, Any]:
        """Return the layer as the model file's header describes it, without its kind."""

    def arrays(self, values: Sequence[NDArray[np.generic]] = ()) -> Arrays:
        """Return its arrays by the names they have in the model file, after the layer's own.

        Parameters
        ----------
        values : sequence of arrays
            What it has learned, an array for each of its `parameters`.
        """
        return {parameter.name: value for parameter, value in zip(self.parameters, values, strict=True)}

    @classmethod
    @abstractmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Layer:
        """Return the layer that a (checked) model file describes; its arrays' names begin with `where`."""

    @abstractmethod
    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return what comes out, (P, O, N), and what `backward` will need.

        Parameters
        ----------
        parameters : sequence of (P, *shape) arrays
            Of its parameters, and then of its statistics; these change in place in training.
        values : (P, I, N), or (I, N) where all networks share them
        passing : Passing
            What the pass is for.
        """

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients by the input, (P, I, N), and by each parameter, (P, *shape).

        Parameters
        ----------
        parameters : sequence of (P, *shape) arrays
            As given to `forward`.
        kept : object
            What `forward` gave.
        gradient : (P, O, N)
            Of each network's loss by what came out.
        wanted : bool
            Whether the gradient by the input is needed; otherwise it may be None. The first layer of a network in
            training has no use for it.
        learning : bool
            Whether the gradients by parameters are needed; otherwise there are none in the list.

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
            With what to choose instead.
        """
        raise UsageError(f"a layer of {self.kind} has no gradient to follow")

    def groups(self, gene: Gene) -> Groups:
        """Return what crossover exchanges as a whole.

        Raises
        ------
        UsageError
            If the layer learns nothing, or does not say.
        """
        if self.parameters:
            raise UsageError(f"a layer of {self.kind} has genes, but no `groups`: such as channel_groups of its arrays")
        raise UsageError(f"a layer of {self.kind} has no genes to exchange")


def array_module(array: Array) -> Any:
    """Return the module an array belongs to: numpy, or cupy."""
    return np if isinstance(array, np.ndarray) else sys.modules[type(array).__module__.partition(".")[0]]


def on_host(array: Array) -> NDArray[Any]:
    """Return an array of numpy's as it is, one of cupy's brought down."""
    found: NDArray[Any] = array if isinstance(array, np.ndarray) else array_module(array).asnumpy(array)
    return found


def maps_of(values: Array, shape: tuple[int, ...]) -> Array:
    """Return columns (..., I, N) as maps (..., *shape, N)."""
    return values.reshape(*values.shape[:-2], *shape, values.shape[-1])


def columns_of(maps: Array, axes: int = 3) -> Array:
    """Return maps (..., C, H, W, N), or what else has so many axes before the last, as columns (..., I, N)."""
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
        If they are no three whole numbers from 1 on; `what` takes them.
    """
    extents = whole_numbers(shape, f"shape of {what}", least=1)
    if len(extents) != 3:
        raise UsageError(f"{what} takes maps (C, H, W), not {extents}")
    return extents[0], extents[1], extents[2]


def as_maps(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Refuse inputs that are not as many values as wanted, or maps with their channels last.

    Values are taken as they lie, so that what only reshapes them need not be there (`Layer.finished`).

    Raises
    ------
    UsageError
        With both shapes.
    """
    channels_last = len(wanted) == 3 and shape != wanted and shape == (*wanted[1:], wanted[0]) and wanted[0] > 1
    if math.prod(shape) != math.prod(wanted) or channels_last:
        hint = ": put channels first" if channels_last else ""
        raise UsageError(f"takes {_extents(wanted)} values, but {_extents(shape)} arrive{hint}")


def _extents(shape: tuple[int, ...]) -> str:
    return " x ".join(str(extent) for extent in shape)
