"""Dropout: values are dropped at random in training, but not in prediction.

    a = v kept / (1 - rate),  kept = 1 where a random word >= rate 2**32, else 0            da is treated like v

The remaining values are scaled up, so that sums stay the same on average (inverted dropout). Words are those of the
pass (Passing.words): a function of seed, step and network, not of earlier draws.

Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014. Shapes: v (P, I, N), or shared (I, N), for which
the same values are dropped in all networks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
from genreg_np.layers.base import PREDICTING, Array, Finished, Kept, Layer, Passing
from genreg_np.settings import whole_number


@dataclass(frozen=True)
class Dropout(Layer):
    """Drops each value with the same probability.

    Raises
    ------
    UsageError
        For a rate that is not from 0 to below 1.
    """

    kind: ClassVar[str] = "dropout"
    inputs: int  # I
    rate: float  # share of values that are dropped

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", whole_number(self.inputs, "inputs of dropout", least=1))
        if isinstance(self.rate, bool) or not isinstance(self.rate, (int, float)) or not 0 <= self.rate < 1:
            raise UsageError(f"dropout {self.rate!r}: the rate must be a number from 0 to below 1")
        object.__setattr__(self, "rate", float(self.rate))

    @classmethod
    def example(cls) -> tuple[Dropout, tuple[int, ...]]:
        """Return an example that drops a quarter."""
        return cls(6, 0.25), (6,)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the same shape."""
        if math.prod(shape) != self.inputs:
            raise UsageError(f"takes {self.inputs} inputs, but {math.prod(shape)} arrive")
        return shape

    @property
    def only_by_gradient(self) -> bool:
        """True: without gradients it has no effect."""
        return True

    @property
    def needs_finishing(self) -> bool:
        """True: a saved model has nothing in its place."""
        return True

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return nothing."""
        return []

    @property
    def least(self) -> int:
        """The smallest word that keeps a value."""
        return min(round(self.rate * 2**32), 2**32 - 1)

    def words(self) -> str:
        """Return e.g. "dropout 0.5"."""
        return f"dropout {np.format_float_positional(self.rate, trim='-')}"

    def header(self) -> dict[str, Any]:
        """Return the layer's description in a checkpoint's header."""
        return {"inputs": self.inputs, "rate": self.rate}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Dropout:
        """Return the layer described in a checkpoint."""
        return cls(described["inputs"], described["rate"])

    def check_gradient(self) -> None:
        """Accept the layer: it has a gradient."""

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return the remaining values, in the input's shape, and keep the factor of each."""
        if not passing.training:
            return values, None
        networks = len(values) if values.ndim == 3 else 1
        words = passing.words(networks, values.shape[-2] * values.shape[-1], values)
        factors = (words >= self.least).reshape(values.shape).astype(values.dtype) * (1 / (1 - self.rate))
        return values * factors, factors

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradient with respect to v."""
        return gradient if kept is None else gradient * kept, []
