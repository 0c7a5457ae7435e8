"""From slopes to steps, parameter by parameter, for a whole population at once.

sgd        v = m v + g                              w = w - r v                        (PyTorch's form of momentum)
rmsprop    s = a s + (1 - a) g^2                    w = w - r g / (sqrt(s) + e)        (Tieleman & Hinton 2012)
adam       v = b v + (1 - b) g, s = c s + (1 - c) g^2                                  (Kingma & Ba 2015)
           w = w - r / (1 - b^t) v / (sqrt(s) / sqrt(1 - c^t) + e)                     in step t = 1, 2, ...

r is the learning rate. Memories v and s begin at 0. All of it happens in place, on NumPy's or CuPy's arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genreg_np.layers.base import Array, array_module

SQUARE_MEMORY = {"rmsprop": 0.99, "adam": 0.999}  # a, c
EPSILON = 1e-8  # e
MEMORIES = {"sgd": 1, "rmsprop": 1, "adam": 2}  # arrays that are kept for each parameter


@dataclass(frozen=True)
class Optimiser:
    """How parameters follow their slopes."""

    name: str  # a key of MEMORIES
    learning_rate: float  # r
    momentum: float  # m of sgd, b of adam

    def start(self, parameters: Sequence[Array]) -> list[list[Array]]:
        """Return each parameter's memories, all 0."""
        return [[array_module(values).zeros_like(values) for _ in range(MEMORIES[self.name])] for values in parameters]

    def step(
        self, parameters: Sequence[Array], slopes: Sequence[Array], memories: Sequence[Sequence[Array]], number: int
    ) -> None:
        """Do step number 1, 2, ... on all parameters and memories, in place."""
        for values, slope, memory in zip(parameters, slopes, memories, strict=True):
            values -= self._change(slope, memory, number)

    def _change(self, slope: Array, memory: Sequence[Array], number: int) -> Array:
        if self.name == "sgd":
            (velocity,) = memory
            velocity *= self.momentum
            velocity += slope
            return velocity * self.learning_rate
        kept, root = SQUARE_MEMORY[self.name], array_module(slope).sqrt
        square = memory[-1]
        square *= kept
        square += slope * slope * (1 - kept)
        if self.name == "rmsprop":
            return slope / (root(square) + EPSILON) * self.learning_rate
        velocity = memory[0]
        velocity *= self.momentum
        velocity += slope * (1 - self.momentum)
        rate, scale = self.rates(number)
        return velocity / (root(square) * scale + EPSILON) * rate

    def rates(self, number: int) -> tuple[float, float]:
        """Return Adam's r / (1 - b^t) and 1 / sqrt(1 - c^t): what its memories lack, having begun at 0."""
        return (
            self.learning_rate / (1 - self.momentum**number),
            (1 - SQUARE_MEMORY["adam"] ** number) ** -0.5,
        )
