"""From gradients to steps, parameter by parameter, for a whole population at once.

sgd        v = m v + g                              w = w - r v                        (PyTorch's form of momentum)
rmsprop    s = a s + (1 - a) g^2                    w = w - r g / (sqrt(s) + e)        (Tieleman & Hinton 2012)
adam       v = b v + (1 - b) g, s = c s + (1 - c) g^2                                  (Kingma & Ba 2015)
           w = w - r / (1 - b^t) v / (sqrt(s) / sqrt(1 - c^t) + e)                     in step t = 1, 2, ...

r is the learning rate. Moments v and s begin at 0. All of it happens in place, on NumPy's or CuPy's arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genreg_np.layers.base import Array, array_module

SQUARE_DECAY = {"rmsprop": 0.99, "adam": 0.999}  # a, c
EPSILON = 1e-8  # e
MOMENTS = {"sgd": 1, "rmsprop": 1, "adam": 2}  # arrays that are kept for each parameter


@dataclass(frozen=True)
class Optimiser:
    """How parameters follow their gradients."""

    name: str  # a key of MOMENTS
    learning_rate: float  # r
    momentum: float  # m of sgd, b of adam

    def start(self, parameters: Sequence[Array]) -> list[list[Array]]:
        """Return each parameter's moments, all 0."""
        return [[array_module(values).zeros_like(values) for _ in range(MOMENTS[self.name])] for values in parameters]

    def step(
        self, parameters: Sequence[Array], gradients: Sequence[Array], moments: Sequence[Sequence[Array]], number: int
    ) -> None:
        """Do step number 1, 2, ... on all parameters and moments, in place."""
        for values, gradient, moment in zip(parameters, gradients, moments, strict=True):
            values -= self._change(gradient, moment, number)

    def _change(self, gradient: Array, moment: Sequence[Array], number: int) -> Array:
        if self.name == "sgd":
            (velocity,) = moment
            velocity *= self.momentum
            velocity += gradient
            return velocity * self.learning_rate
        kept, root = SQUARE_DECAY[self.name], array_module(gradient).sqrt
        square = moment[-1]
        square *= kept
        square += gradient * gradient * (1 - kept)
        if self.name == "rmsprop":
            return gradient / (root(square) + EPSILON) * self.learning_rate
        velocity = moment[0]
        velocity *= self.momentum
        velocity += gradient * (1 - self.momentum)
        rate, scale = self.rates(number)
        return velocity / (root(square) * scale + EPSILON) * rate

    def rates(self, number: int) -> tuple[float, float]:
        """Return Adam's r / (1 - b^t) and 1 / sqrt(1 - c^t): what its moments lack, having begun at 0."""
        return (
            self.learning_rate / (1 - self.momentum**number),
            (1 - SQUARE_DECAY["adam"] ** number) ** -0.5,
        )
