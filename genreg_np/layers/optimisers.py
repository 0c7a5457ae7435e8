"""Optimisers: they turn gradients into steps, parameter by parameter, for a whole population at once.

sgd        v = m v + g                              w = w - r v                        (PyTorch's form of momentum)
rmsprop    s = a s + (1 - a) g^2                    w = w - r g / (sqrt(s) + e)        (Tieleman & Hinton 2012)
adam       v = b v + (1 - b) g, s = c s + (1 - c) g^2                                  (Kingma & Ba 2015)
           w = w - r / (1 - b^t) v / (sqrt(s) / sqrt(1 - c^t) + e)                     in step t = 1, 2, ...

nesterov   v = m v + g                              w = w - r (g + m v)                (Sutskever et al. 2013)
rmsprop-momentum    s as above, v = m v + g / (sqrt(s) + e)       w = w - r v
adamw      Adam's step after decoupled weight decay, w = w - r d w                     (Loshchilov & Hutter 2019)

r is the learning rate. Moments v and s start at 0. Everything happens in place, on NumPy's or CuPy's arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genreg_np.layers.base import Array, Float32, array_module

SQUARE_DECAY = {"rmsprop": 0.99, "adam": 0.999, "rmsprop-momentum": 0.99, "adamw": 0.999}  # a, c
EPSILON = 1e-8  # e
MOMENTS = {"sgd": 1, "rmsprop": 1, "adam": 2}  # arrays kept per parameter, for the optimisers of populations
ALL_MOMENTS = MOMENTS | {"nesterov": 1, "rmsprop-momentum": 2, "adamw": 2}  # also those of single networks
DECOUPLED = {"adamw"}  # their decay is not part of the gradient


@dataclass(frozen=True)
class Optimiser:
    """An optimiser and its settings."""

    name: str  # a key of ALL_MOMENTS
    learning_rate: float  # r
    momentum: float  # m; b for adam

    def start(self, parameters: Sequence[Array]) -> list[list[Array]]:
        """Return each parameter's moments, all 0."""
        return [
            [array_module(values).zeros_like(values) for _ in range(ALL_MOMENTS[self.name])] for values in parameters
        ]

    def step(
        self, parameters: Sequence[Array], gradients: Sequence[Array], moments: Sequence[Sequence[Array]], number: int
    ) -> None:
        """Take step `number` = 1, 2, ... on all parameters and moments, in place."""
        for values, gradient, moment in zip(parameters, gradients, moments, strict=True):
            values -= self._change(gradient, moment, number)

    def _change(self, gradient: Array, moment: Sequence[Array], number: int) -> Array:
        velocity, square = moment[0], moment[-1]
        if self.name in ("sgd", "nesterov"):
            velocity *= self.momentum
            velocity += gradient
            ahead = velocity if self.name == "sgd" else gradient + velocity * self.momentum
            return ahead * self.learning_rate
        kept, root = SQUARE_DECAY[self.name], array_module(gradient).sqrt
        square *= kept
        square += gradient * gradient * (1 - kept)
        if self.name == "rmsprop":
            return gradient / (root(square) + EPSILON) * self.learning_rate
        if self.name == "rmsprop-momentum":
            velocity *= self.momentum
            velocity += gradient / (root(square) + EPSILON)
            return velocity * self.learning_rate
        velocity *= self.momentum
        velocity += gradient * (1 - self.momentum)
        rate, scale = self.rates(number)
        return velocity / (root(square) * scale + EPSILON) * rate

    def rates(self, number: int) -> tuple[float, float]:
        """Return Adam's bias corrections, r / (1 - b^t) and 1 / sqrt(1 - c^t)."""
        return (
            self.learning_rate / (1 - self.momentum**number),
            (1 - SQUARE_DECAY["adam"] ** number) ** -0.5,
        )


def follow(
    optimiser: Optimiser,
    genes: Float32,
    gradient: Float32,
    moments: Float32,
    number: int,
    decay: Float32 | None = None,
    clip: float = 0.0,
    in_place: bool = False,
) -> tuple[Float32, Float32]:
    """Return one network's genes and moments after step `number`; the arguments change only if `in_place`.

    Parameters
    ----------
    optimiser : Optimiser
    genes, gradient : (D,) float32
    moments : (M, D) float32
        As many as the optimiser needs, or more, which are not changed.
    number : int
        1, 2, ...
    decay : (D,) float32, optional
        Weight decay of each gene, added to its gradient, or decoupled from it for adamw.
    clip : float
        Largest norm of the gradient, before the decay; larger gradients are scaled down to it. 0: no limit.
    in_place : bool
        Whether to update the given genes and moments in place.
    """
    if clip:
        gradient = clipped(gradient, clip)
    if not in_place:
        genes, moments = genes.copy(), moments.copy()
    if decay is not None and optimiser.name in DECOUPLED:
        genes -= genes * decay * optimiser.learning_rate
    elif decay is not None:
        gradient = gradient + genes * decay
    optimiser.step([genes], [gradient], [list(moments[: ALL_MOMENTS[optimiser.name]])], number)
    return genes, moments


def clipped(gradient: Float32, longest: float) -> Float32:
    """Return a gradient (D,) scaled down to a norm of at most `longest` (Pascanu et al. 2013)."""
    length = float(np.square(gradient, dtype=np.float64).sum()) ** 0.5  # no BLAS, whose threads would change the bytes
    return gradient * np.float32(longest / length) if length > longest else gradient
