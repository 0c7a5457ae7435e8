"""Layers that contain layers, a stack plus its input and stacks side by side; they can be made only from Python.

    residual        a = v + stack(v)                             dv = da + the stack's gradient
    concatenate     a = stack 1(v), stack 2(v), ... joined along channels; dv is the sum over stacks

A stack without layers returns v. In model files the inner layers are nested in the header, and their arrays are named
after their places: "0.weight" of a residual's first layer, "1.0.bias" of the first layer of the second stack.

Source: He, Zhang, Ren & Sun 2016 (residual); Szegedy et al. 2015 (concatenate).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
from genreg_np.layers import read_layer
from genreg_np.layers.activation import Activation
from genreg_np.layers.base import (
    PREDICTING,
    Array,
    Finished,
    Kept,
    Layer,
    Parameter,
    Passing,
    array_module,
    as_maps,
)
from genreg_np.layers.composite import Stack, dealt
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.groups import Gene, Groups, joined_groups
from genreg_np.layers.images import FixedLayer
from genreg_np.settings import whole_numbers


@dataclass(frozen=True)
class _Nested(Layer):
    """Base class of both: inner layers, whose parameters and statistics are its own.

    Raises
    ------
    UsageError
        If inner layers do not fit together, or are fixed.
    """

    shape: tuple[int, ...]  # of the input

    @property
    def stacks(self) -> dict[str, Stack]:
        """The stacks, by the prefix of their arrays' names."""
        raise NotImplementedError

    @property
    def inner(self) -> dict[str, Layer]:
        """All inner layers, by the prefix of their arrays' names."""
        return {
            f"{name}{index}.": layer for name, stack in self.stacks.items() for index, layer in enumerate(stack.layers)
        }

    def shape_of(self, stack: Stack) -> tuple[int, ...]:
        """Return the output shape of a stack."""
        shape = self.shape
        for index, layer in enumerate(stack.layers):
            if not isinstance(layer, Layer) or isinstance(layer, FixedLayer):
                raise UsageError(f"{self.kind} takes layers that learn, not {layer!r:.60}")
            if layer.remembers:
                raise UsageError(f"layer {index} ({layer.kind}) remembers, so it cannot stand within {self.kind}")
            try:
                shape = layer.output_shape(shape)
            except UsageError as error:
                raise UsageError(f"layer {index} ({layer.kind}) within {self.kind} {error}") from None
        return shape

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters of the inner layers."""
        return _named((name, layer.parameters) for name, layer in self.inner.items())

    @property
    def statistics(self) -> tuple[Parameter, ...]:
        """Statistics of the inner layers."""
        return _named((name, layer.statistics) for name, layer in self.inner.items())

    @property
    def only_by_gradient(self) -> bool:
        """Whether an inner layer only makes sense in training by gradients."""
        return any(layer.only_by_gradient for layer in self.inner.values())

    @property
    def needs_finishing(self) -> bool:
        """Whether an inner layer needs finishing."""
        return any(layer.needs_finishing for layer in self.inner.values())

    def check_gradient(self) -> None:
        """Refuse an inner layer that has no gradient."""
        for layer in self.inner.values():
            layer.check_gradient()

    def groups(self, gene: Gene) -> Groups:
        """Return the inner layers' groups, one layer after the other."""
        learning = [layer for layer in self.inner.values() if layer.parameters]
        if not learning:
            return super().groups(gene)
        return joined_groups([(layer.gene_count, layer.groups(gene)) for layer in learning])

    def finished_stacks(self, arrays: Sequence[Array]) -> tuple[list[tuple[Layer, ...]], list[Array]]:
        """Return the layers that a saved model has in place of each stack's layers, and all their arrays."""
        done = [stack.finished(own) for stack, own in zip(self.stacks.values(), self.shares(arrays), strict=True)]
        layers = [tuple(layer for layer, _ in stack) for stack in done]
        return layers, [array for stack in done for _, own in stack for array in own]

    def shares(self, arrays: Sequence[Array]) -> list[list[Array]]:
        """Return each stack's share of the arrays of all parameters, followed by those of all statistics."""
        learned = len(self.parameters)
        own = dealt(list(self.inner.values()), arrays[:learned], arrays[learned:])
        ends = accumulate((len(stack.layers) for stack in self.stacks.values()), initial=0)
        return [list(chain.from_iterable(own[first:last])) for first, last in pairwise(ends)]


def _named(found: Iterable[tuple[str, tuple[Parameter, ...]]]) -> tuple[Parameter, ...]:
    return tuple(replace(one, name=name + one.name) for name, inner in found for one in inner)


def _described(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    return [{"kind": layer.kind, **layer.header()} for layer in layers]


def _read(
    described: Sequence[Mapping[str, Any]], arrays: Mapping[str, NDArray[np.generic]], where: str
) -> tuple[Layer, ...]:
    return tuple(read_layer(layer, arrays, f"{where}.{index}") for index, layer in enumerate(described))


def _words(layers: Sequence[Layer]) -> str:
    return " / ".join(layer.words() for layer in layers) or "as it is"


@dataclass(frozen=True)
class Residual(_Nested):
    """The sum of the input and the output of a stack.

    Raises
    ------
    UsageError
        If the stack's output shape is not its input shape.
    """

    kind: ClassVar[str] = "residual"
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", whole_numbers(self.shape, "shape of a residual", least=1))
        object.__setattr__(self, "layers", tuple(self.layers))
        found = self.shape_of(Stack(self.layers))
        if found != self.shape:
            raise UsageError(f"a residual adds its layers' output to its input: {found} to {self.shape}")

    @classmethod
    def example(cls) -> tuple[Residual, tuple[int, ...]]:
        """Return an example of a convolution and an activation."""
        return cls((2, 3, 3), (Convolution((2, 3, 3), 2, 3, same=True), Activation(18, "tanh"))), (2, 3, 3)

    @property
    def stacks(self) -> dict[str, Stack]:
        """The only stack."""
        return {"": Stack(self.layers)}

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the input shape."""
        as_maps(shape, self.shape)
        return self.shape

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return a residual of the layers that a saved model has in place of the inner layers."""
        (layers,), own = self.finished_stacks(arrays)
        return [(Residual(self.shape, layers), own)]

    def words(self) -> str:
        """Return e.g. "residual (conv 8 3 same / relu)", for display only: the network line has no such word."""
        return f"{self.kind} ({_words(self.layers)})"

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"shape": list(self.shape), "layers": _described(self.layers)}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Residual:
        """Return the layer described in a model file."""
        return cls(tuple(described["shape"]), _read(described["layers"], arrays, where))

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return v + stack(v), and what the stack keeps."""
        (own,) = self.shares(parameters)
        found, kept = Stack(self.layers).forward(own, values, passing)
        return values + found, kept

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to v and all parameters."""
        (own,) = self.shares(parameters)
        back, gradients = Stack(self.layers).backward(own, kept, gradient, wanted=wanted, learning=learning)
        return (gradient + back if wanted else None), gradients


@dataclass(frozen=True)
class Concatenate(_Nested):
    """Several stacks with the same input, their outputs joined along channels, or flat values end to end.

    Raises
    ------
    UsageError
        If there is no stack, or their outputs differ in rows or columns.
    """

    kind: ClassVar[str] = "concatenate"
    branches: tuple[tuple[Layer, ...], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", whole_numbers(self.shape, "shape of a concatenation", least=1))
        object.__setattr__(self, "branches", tuple(tuple(branch) for branch in self.branches))
        shapes = [self.shape_of(stack) for stack in self.stacks.values()]
        if len({shape[1:] for shape in shapes}) != 1:
            raise UsageError(f"a concatenation joins shapes that differ only in their channels, not {shapes}")

    @classmethod
    def example(cls) -> tuple[Concatenate, tuple[int, ...]]:
        """Return an example that joins maps with their convolution."""
        beside = (Convolution((2, 3, 3), 3, 3, same=True), Activation(27, "tanh"))
        return cls((2, 3, 3), ((), beside)), (2, 3, 3)

    @property
    def stacks(self) -> dict[str, Stack]:
        """All stacks."""
        return {f"{number}.": Stack(branch) for number, branch in enumerate(self.branches)}

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the sum of all stacks' channels, and their rows and columns."""
        as_maps(shape, self.shape)
        shapes = [self.shape_of(stack) for stack in self.stacks.values()]
        return (sum(found[0] for found in shapes), *shapes[0][1:])

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return a concatenation of the layers that a saved model has in place of the inner layers."""
        layers, own = self.finished_stacks(arrays)
        return [(Concatenate(self.shape, tuple(layers)), own)]

    def words(self) -> str:
        """Return e.g. "concatenate (as it is | conv 8 3 same)", for display only: the network line has no such word."""
        return f"{self.kind} ({' | '.join(_words(branch) for branch in self.branches)})"

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"shape": list(self.shape), "branches": [_described(branch) for branch in self.branches]}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Concatenate:
        """Return the layer described in a model file."""
        branches = [_read(branch, arrays, f"{where}.{number}") for number, branch in enumerate(described["branches"])]
        return cls(tuple(described["shape"]), tuple(branches))

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return the outputs of all stacks, (P, O, N), and what they keep."""
        passed = [
            stack.forward(own, values, passing)
            for stack, own in zip(self.stacks.values(), self.shares(parameters), strict=True)
        ]
        xp, lead = array_module(values), max((found.shape[:-2] for found, _ in passed), key=len)
        pieces = [xp.broadcast_to(found, (*lead, *found.shape[-2:])) for found, _ in passed]
        return xp.concatenate(pieces, axis=-2), [kept for _, kept in passed]

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to v and all parameters."""
        by_input, first = None, 0
        gradients: list[Array] = []
        for stack, own, needed in zip(self.stacks.values(), self.shares(parameters), kept, strict=True):
            last = first + math.prod(self.shape_of(stack))
            back, found = stack.backward(own, needed, gradient[:, first:last], wanted=wanted, learning=learning)
            if back is not None:
                by_input = back if by_input is None else by_input + back
            gradients, first = gradients + found, last
        return (by_input if wanted else None), gradients
