"""Dense layers by kernels: biases and activation in one pass, in memory of their own.

The bytes are those of layers/dense.py: products are NumPy's, and the curved activations too.

Shapes: as in layers/dense.py.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from genreg_np.backends.base import ACTIVATION_CODES
from genreg_np.backends.numba.fast_layer import FastLayer
from genreg_np.backends.numba.kernels.descent import times_derivative
from genreg_np.backends.numba.kernels.network import activate
from genreg_np.layers.activation import FUNCTIONS
from genreg_np.layers.base import PREDICTING, Array, Kept, Parameter, Passing
from genreg_np.layers.dense import Dense

CURVED = ("tanh", "sigmoid")


@dataclass(frozen=True)
class FastDense(FastLayer, Dense):
    """A dense layer that is not split into parts."""

    kind: ClassVar[str] = "fast-dense"  # never in a file

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...]:  # used in every pass
        """Weights (O, I) and biases (O,)."""
        return super().parameters

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return f(W x + b) (P, O, N), and keep it with x."""
        weights, biases = parameters
        found = self._array("a", (len(weights), self.outputs, values.shape[-1]))
        rows = self._rows(found)
        if values.ndim == 2:
            np.matmul(self._rows(weights), values, out=rows)
        else:
            np.matmul(weights, values, out=found)
        if self.activation in CURVED:
            activate(rows, biases.flatten(), ACTIVATION_CODES["linear"])
            found = FUNCTIONS[self.activation][0](found)
        else:
            activate(rows, biases.flatten(), ACTIVATION_CODES[self.activation])
        return found, (values, found)

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to x, W and b."""
        (weights, _), (values, found) = parameters, kept
        by_sums, rows = np.ascontiguousarray(gradient, np.float32), self._rows
        if self.activation != "linear":
            by_found, by_sums = by_sums, self._array("dz", found.shape)
            times_derivative(rows(by_sums), rows(by_found), rows(found), ACTIVATION_CODES[self.activation])
        by_input = None
        if wanted:
            by_input = self._array("dx", (len(weights), self.inputs, found.shape[-1]))
            multiply = np.matmul if self.outputs > 1 else np.multiply  # of one row: nothing to add up
            multiply(weights.swapaxes(1, 2), by_sums, out=by_input)
        if not learning:
            return by_input, []
        by_weights = self._array("dw", weights.shape)
        if values.ndim == 2:
            np.matmul(rows(by_sums), values.T, out=rows(by_weights))
        else:
            np.matmul(by_sums, values.swapaxes(1, 2), out=by_weights)
        return by_input, [by_weights, by_sums.sum(axis=2)]

    def _rows(self, array: Array) -> Array:
        """Return an array (P, O, n) as rows (P O, n)."""
        return array.reshape(len(array) * self.outputs, array.shape[-1])
