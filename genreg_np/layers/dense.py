"""Dense layers, forward and backward, with their activation.

    z = W x + b,  a = f(z)        dz = da f'(z), with f' computed from a alone
                                  dW = dz x^T    db = sum of dz    dx = W^T dz

Shapes: W (P, O, I), b (P, O), x (P, I, N) or shared (I, N), z and a (P, O, N). A shared x makes the products of all P
networks one: (P*O, I) @ (I, N) forward, (P*O, N) @ (N, I) back.

A layer may be split into parallel parts of equally many units. They see the same inputs and their outputs are
concatenated, so it computes, and is saved as, the whole layer; crossover and similarity treat a part as a layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError, did_you_mean
from genreg_np.infer import ACTIVATIONS
from genreg_np.layers.activation import FUNCTIONS, check_smooth
from genreg_np.layers.base import PREDICTING, Array, Kept, Layer, Parameter, Passing, array_module
from genreg_np.layers.groups import Gene, Groups, matrix_groups
from genreg_np.settings import whole_number


@dataclass(frozen=True)
class Dense(Layer):
    """f(W x + b).

    Raises
    ------
    UsageError
        For a width that is not a whole number of at least 1, or an unknown activation.
    """

    kind: ClassVar[str] = "dense"
    inputs: int  # I
    outputs: int  # O
    activation: str = "linear"  # a key of infer.ACTIVATIONS
    parts: int = field(default=1, compare=False)  # parallel parts

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs"):
            number = whole_number(getattr(self, name), f"{name} of a dense layer", least=1)
            object.__setattr__(self, name, number)
        if self.activation not in ACTIVATIONS:
            raise UsageError(f"unknown activation {self.activation!r}" + did_you_mean(self.activation, ACTIVATIONS))
        if self.parts < 1 or self.outputs % self.parts:
            raise UsageError(f"a layer of {self.outputs} units cannot be cut into {self.parts} equal parts")

    @classmethod
    def example(cls) -> tuple[Dense, tuple[int, ...]]:
        """Return an example whose activation has a gradient."""
        return cls(6, 4, "tanh"), (6,)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (O,); inputs of any shape are flattened."""
        if math.prod(shape) != self.inputs:
            raise UsageError(f"takes {self.inputs} inputs, but {math.prod(shape)} arrive")
        return (self.outputs,)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Weights (O, I) and biases (O,)."""
        return (
            Parameter("weight", (self.outputs, self.inputs), self.inputs),
            Parameter("bias", (self.outputs,), self.inputs, "bias"),
        )

    @property
    def part_rows(self) -> list[range]:
        """The units of each parallel part."""
        height = self.outputs // self.parts
        return [range(first, first + height) for first in range(0, self.outputs, height)]

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"inputs": self.inputs, "outputs": self.outputs, "activation": self.activation}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Dense:
        """Return the layer described in a model file."""
        return cls(int(described["inputs"]), int(described["outputs"]), described["activation"])

    def groups(self, gene: Gene) -> Groups:
        """Return the groups of genes exchanged together: weights, units, blocks or parallel parts."""
        return matrix_groups(self.part_rows, self.inputs, self.outputs, gene)

    def check_gradient(self) -> None:
        """Refuse an activation that has no gradient."""
        check_smooth(self.activation)

    def words(self) -> str:
        """Return e.g. "dense 64", followed by the activation if it has one."""
        return f"dense {self.outputs}" + (f" / {self.activation}" if self.activation != "linear" else "")

    def scaled(self, arrays: Sequence[Array], scale: Array, shift: Array) -> list[Array] | None:
        """Return weights and biases that give scale * values + shift; None if there is an activation."""
        weights, biases = arrays
        if self.activation != "linear" or len(scale) != self.outputs:
            return None
        return [weights * scale[:, None], biases * scale + shift]

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return f(W x + b) (P, O, N), and keep it with x."""
        weights, biases = parameters
        xp = array_module(weights)
        pieces = []
        for rows in self._slices:
            own = weights[:, rows]
            if values.ndim == 2:
                products = xp.matmul(own.reshape(-1, self.inputs), values).reshape(len(own), own.shape[1], -1)
            else:
                products = xp.matmul(own, values)
            products += biases[:, rows, None]
            pieces.append(products)
        found = pieces[0] if len(pieces) == 1 else xp.concatenate(pieces, axis=1)
        if self.activation != "linear":
            found = FUNCTIONS[self.activation][0](found)
        return found, (values, found)

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to x, W and b."""
        weights, _ = parameters
        values, found = kept
        xp = array_module(weights)
        by_output = FUNCTIONS[self.activation][1] if self.activation != "linear" else None
        if by_output is not None:
            gradient = gradient * by_output(found)
        by_input, by_weights, by_biases = None, [], []
        for rows in self._slices:
            own, sums = weights[:, rows], gradient[:, rows]
            if wanted:
                back = xp.matmul(own.swapaxes(1, 2), sums)
                by_input = back if by_input is None else by_input + back
            if not learning:
                continue
            if values.ndim == 2:
                by_weights.append(xp.matmul(sums.reshape(-1, sums.shape[-1]), values.T).reshape(own.shape))
            else:
                by_weights.append(xp.matmul(sums, values.swapaxes(1, 2)))
            by_biases.append(sums.sum(axis=2))
        if not learning:
            return by_input, []
        if len(by_weights) > 1:
            by_weights, by_biases = [xp.concatenate(by_weights, axis=1)], [xp.concatenate(by_biases, axis=1)]
        return by_input, [by_weights[0], by_biases[0]]

    @property
    def _slices(self) -> list[slice]:
        return [slice(rows.start, rows.stop) for rows in self.part_rows]
