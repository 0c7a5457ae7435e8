"""What a layer with a backward pass is, over a population of P networks that learn side by side.

Values are columns, an image each: (P, O, N), or (P, C, H, W, N) for maps. What all networks share has no leading axis:
the batch is (I, N) or (C, H, W, N), and the first layer of all P networks is one product. Every parameter has the
leading axis: (P, O, I).

    values, kept     = layer.forward(parameters, values)
    slope, slopes    = layer.backward(parameters, kept, slope)

`slope` is that of each network's loss by each value. The slope by a shared input is each network's own, so it has the
leading axis that the input has not. A layer keeps nothing itself: what its backward pass needs it hands out as `kept`.
Arrays are NumPy's or CuPy's, of one kind and one float type throughout; nothing is moved between devices.

Dense layers are the first of this kind. Convolution, pooling and normalisation of an image fit in as they are: a layer
may have any parameters, and keep anything. Normalisation by statistics of a batch needs them once more when training is
over; such a layer would hold them as parameters that have no slope.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any  # numpy.ndarray or cupy.ndarray
Kept = Any


@dataclass(frozen=True)
class Parameter:
    """One array of weights or biases of one network."""

    shape: tuple[int, ...]  # without the population axis
    fan_in: int  # how many inputs a unit has: by custom first values are drawn from U(+-1 / sqrt(fan_in))


class Layer(ABC):
    """A layer of P networks."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it learns, in the order in which `forward` and `backward` take and give it."""
        return ()

    @abstractmethod
    def forward(self, parameters: Sequence[Array], values: Array) -> tuple[Array, Kept]:
        """Return what comes out, and what `backward` will need.

        Parameters
        ----------
        parameters : sequence of (P, *shape) arrays
        values : (P, ..., N), or (..., N) where all networks share them
        """

    @abstractmethod
    def backward(
        self, parameters: Sequence[Array], kept: Kept, slope: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the slope by the input, (P, ..., N), and by each parameter, (P, *shape).

        Parameters
        ----------
        parameters : sequence of (P, *shape) arrays
            As given to `forward`.
        kept : object
            What `forward` gave.
        slope : (P, ..., N)
            The slope of each network's loss by what came out.
        wanted : bool
            Whether the slope by the input is needed; otherwise it may be None. The first layer of a network in
            training has no use for it.
        learning : bool
            Whether the slopes by parameters are needed; otherwise there are none in the list.
        """


def array_module(array: Array) -> Any:
    """Return the module an array belongs to: numpy, or cupy."""
    return np if isinstance(array, np.ndarray) else sys.modules[type(array).__module__.partition(".")[0]]
