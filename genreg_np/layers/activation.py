"""Activations, applied by a dense layer to its sums or used as separate layers.

    tanh, relu = max(z, 0), leaky-relu = z or .01 z, sigmoid = 1 / (1 + exp(-z)), step = 1 or 0, sign = 1 or -1
    elu        = z, or exp(z) - 1 where z < 0                                   (Clevert, Unterthiner, Hochreiter 2016)
    selu       = 1.0507 z, or 1.0507 * 1.6733 (exp(z) - 1) where z < 0          (Klambauer et al. 2017)
    prelu      = z, or s z where z < 0, with a learned s per channel            (He et al. 2015)

Except for prelu, gradients are computed from a = f(z) alone, so a layer keeps only its outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError, did_you_mean
from genreg_np.infer_layers import SELU_ALPHA, SELU_SCALE
from genreg_np.layers.base import PREDICTING, Array, Kept, Layer, Parameter, Passing, array_module, by_channel
from genreg_np.layers.groups import Gene, Groups, channel_groups

Function = Callable[[Array], Array]


def _relu(z: Array) -> Array:
    return array_module(z).maximum(z, 0)


def _leaky(z: Array) -> Array:
    return array_module(z).maximum(z, z * 0.01)


def _tanh(z: Array) -> Array:
    return array_module(z).tanh(z)


def _sigmoid(z: Array) -> Array:
    found = array_module(z).tanh(z * 0.5)
    found *= 0.5
    found += 0.5
    return found


def _elu(z: Array) -> Array:
    xp = array_module(z)
    return xp.where(z > 0, z, xp.expm1(xp.minimum(z, 0)))


def _selu(z: Array) -> Array:
    xp = array_module(z)
    return xp.where(z > 0, z * SELU_SCALE, xp.expm1(xp.minimum(z, 0)) * (SELU_SCALE * SELU_ALPHA))


def _step(z: Array) -> Array:
    return (z > 0).astype(z.dtype)


def _sign(z: Array) -> Array:
    return (z > 0).astype(z.dtype) * 2 - 1


def _tanh_gradient(a: Array) -> Array:
    return 1 - a * a


def _relu_gradient(a: Array) -> Array:
    return a > 0


def _leaky_gradient(a: Array) -> Array:
    return (a > 0).astype(a.dtype) * 0.99 + 0.01


def _sigmoid_gradient(a: Array) -> Array:
    return a * (1 - a)


def _elu_gradient(a: Array) -> Array:
    return array_module(a).minimum(a, 0) + 1


def _selu_gradient(a: Array) -> Array:
    xp = array_module(a)
    return xp.where(a > 0, SELU_SCALE, a + SELU_SCALE * SELU_ALPHA)


# The function, and its gradient as a function of the value a; None if it has no gradient.
FUNCTIONS: dict[str, tuple[Function, Function | None]] = {
    "tanh": (_tanh, _tanh_gradient),
    "relu": (_relu, _relu_gradient),
    "leaky-relu": (_leaky, _leaky_gradient),
    "sigmoid": (_sigmoid, _sigmoid_gradient),
    "elu": (_elu, _elu_gradient),
    "selu": (_selu, _selu_gradient),
    "step": (_step, None),
    "sign": (_sign, None),
}


def check_smooth(name: str) -> None:
    """Refuse an activation that has no gradient.

    Raises
    ------
    UsageError
        Listing those that have one.
    """
    if name != "linear" and FUNCTIONS[name][1] is None:
        known = ", ".join(("linear", *(other for other, (_, gradient) in FUNCTIONS.items() if gradient)))
        raise UsageError(f"activation {name!r} has no gradient to follow: choose one of {known}")


@dataclass(frozen=True)
class Activation(Layer):
    """f(x), elementwise.

    Raises
    ------
    UsageError
        For an unknown function.
    """

    kind: ClassVar[str] = "activation"
    inputs: int  # I
    function: str  # a key of FUNCTIONS

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            raise UsageError(f"unknown activation {self.function!r}" + did_you_mean(self.function, FUNCTIONS))

    @classmethod
    def example(cls) -> tuple[Activation, tuple[int, ...]]:
        """Return an example whose gradient is never 0."""
        return cls(6, "selu"), (6,)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the same shape."""
        if math.prod(shape) != self.inputs:
            raise UsageError(f"takes {self.inputs} inputs, but {math.prod(shape)} arrive")
        return shape

    def words(self) -> str:
        """Return the name of the function."""
        return self.function

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"inputs": self.inputs, "function": self.function}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Activation:
        """Return the layer described in a model file."""
        return cls(int(described["inputs"]), described["function"])

    def check_gradient(self) -> None:
        """Refuse a function that has no gradient."""
        check_smooth(self.function)

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return f(x), and keep it."""
        found = FUNCTIONS[self.function][0](values)
        return found, found

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradient times f'."""
        by_output = FUNCTIONS[self.function][1]
        assert by_output is not None  # check_gradient has been called
        return gradient * by_output(kept), []


@dataclass(frozen=True)
class Prelu(Layer):
    """x, or s x where x < 0, with a learned slope s per channel.

    Source: He, Zhang, Ren & Sun 2015, "Delving Deep into Rectifiers". Slopes start at .25.
    """

    kind: ClassVar[str] = "prelu"
    shape: tuple[int, ...]  # channels first

    @classmethod
    def example(cls) -> tuple[Prelu, tuple[int, ...]]:
        """Return an example with three channels."""
        return cls((3, 2, 2)), (3, 2, 2)

    @property
    def channels(self) -> int:
        """C."""
        return self.shape[0]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the same shape."""
        if math.prod(shape) != math.prod(self.shape):
            raise UsageError(f"takes {math.prod(self.shape)} inputs, but {math.prod(shape)} arrive")
        return shape

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Slopes (C,)."""
        return (Parameter("slope", (self.channels,), role="slope", first=0.25),)

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"shape": list(self.shape)}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Prelu:
        """Return the layer described in a model file."""
        return cls(tuple(int(extent) for extent in described["shape"]))

    def check_gradient(self) -> None:
        """Accept the layer: it has a gradient."""

    def groups(self, gene: Gene) -> Groups:
        """Return the groups of slopes exchanged together: one channel's, or all."""
        return channel_groups(1, self.channels, gene)

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return the outputs (P, I, N), and keep the inputs."""
        (slopes,) = parameters
        maps = by_channel(values, self.channels)
        found = array_module(values).where(maps > 0, maps, maps * slopes[..., None, None])
        return found.reshape(len(slopes), -1, values.shape[-1]), values

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to x and s."""
        (slopes,) = parameters
        xp, maps, by_output = array_module(slopes), by_channel(kept, self.channels), by_channel(gradient, self.channels)
        by_slopes = [(by_output * xp.minimum(maps, 0)).sum(axis=(-2, -1))] if learning else []
        by_input = xp.where(maps > 0, by_output, by_output * slopes[..., None, None])
        return by_input.reshape(gradient.shape), by_slopes
