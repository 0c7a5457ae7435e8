"""What a layer is: one class that holds all there is to know of a kind of layer.

Description   a frozen dataclass: `kind` names it in model files, exporters and genomes; `output_shape` says what comes
              out of what goes in, `parameters` what it learns
File          `header` and `arrays` write it, `read` reads it back
Tests         `example` gives a small one; they are run on every layer of the registry (layers/__init__.py)
Arithmetic    `forward` and `backward` over a population of P networks that learn side by side
Crossover     `groups` says which of its genes are exchanged as a whole

Values are columns, an image each: (P, O, N), or (P, C, H, W, N) for maps. What all networks share has no leading axis:
the batch is (I, N) or (C, H, W, N), and the first layer of all P networks is one product. Every parameter has the
leading axis: (P, O, I).

    values, kept                          = layer.forward(parameters, values)
    input_gradient, parameter_gradients   = layer.backward(parameters, kept, gradient)

`gradient` is that of each network's loss by each value that came out. The gradient by a shared input is each network's
own, so it has the leading axis that the input has not. A layer keeps nothing itself: what its backward pass needs it
hands out as `kept`. Arrays are NumPy's or CuPy's, of one kind and one float type throughout; nothing is moved between
devices.
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

Array = Any  # numpy.ndarray or cupy.ndarray
Kept = Any
Float32 = NDArray[np.float32]
Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Parameter:
    """One array that a layer learns."""

    name: str  # in the model file, after the layer's own
    shape: tuple[int, ...]  # of one network: without the population axis
    fan_in: int  # how many inputs a unit has: first values are drawn from an interval that shrinks with its root
    role: str = "weight"  # or bias

    @property
    def size(self) -> int:
        """How many genes it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Layer(ABC):
    """A layer of P networks."""

    kind: ClassVar[str]

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
    def gene_count(self) -> int:
        """How many genes its parameters have."""
        return sum(parameter.size for parameter in self.parameters)

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
    def forward(self, parameters: Sequence[Array], values: Array) -> tuple[Array, Kept]:
        """Return what comes out, and what `backward` will need.

        Parameters
        ----------
        parameters : sequence of (P, *shape) arrays
        values : (P, ..., N), or (..., N) where all networks share them
        """

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients by the input, (P, ..., N), and by each parameter, (P, *shape).

        Parameters
        ----------
        parameters : sequence of (P, *shape) arrays
            As given to `forward`.
        kept : object
            What `forward` gave.
        gradient : (P, ..., N)
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
            If the layer learns nothing.
        """
        raise UsageError(f"a layer of {self.kind} has no genes to exchange")


def array_module(array: Array) -> Any:
    """Return the module an array belongs to: numpy, or cupy."""
    return np if isinstance(array, np.ndarray) else sys.modules[type(array).__module__.partition(".")[0]]
