"""Replaces each group of layers that kernels can compute by one fast layer: `fast_stack`.

    convolution [batch norm] [relu, leaky relu] [max pooling]                         maps.py
    convolution [instance, group, layer norm] [any activation] [any pooling]          maps.py, tails.py
    any of these three (norm, activation, pooling) without a convolution              tails.py
    dropout                                                                           drawn by a kernel
    dense                                                                             dense.py

Only activations with a gradient are replaced. All other layers stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.numba.dense import FastDense
from genreg_np.backends.numba.kernels.maps import drop
from genreg_np.backends.numba.maps import FastConvolution
from genreg_np.backends.numba.tails import CURVES, FastTail, is_apart
from genreg_np.backends.numba.words import words_of
from genreg_np.layers.activation import Activation, Prelu
from genreg_np.layers.base import PREDICTING, Array, Kept, Layer, Passing
from genreg_np.layers.branching import Concatenate, Residual
from genreg_np.layers.composite import Stack
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.dropout import Dropout
from genreg_np.layers.normalise import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.streams import Purpose

LEAKS = {"relu": 0.0, "leaky-relu": 0.01}
DEAR = ("elu", "selu", "tanh", "sigmoid")
PER_IMAGE, POOLINGS = (InstanceNorm, GroupNorm, LayerNorm), (Pooling, AdaptivePooling)


@dataclass(frozen=True)
class FastDropout(Dropout):
    """Dropout by kernels, with the same words, one for each value and step, and the same bytes."""

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return the remaining values, in the input's shape, and keep the words."""
        if not passing.training:
            return values, None
        networks, count = len(values) if values.ndim == 3 else 1, values.shape[-2] * values.shape[-1]
        numbers, seed = passing.first + np.arange(networks), passing.stream.seed
        words = words_of(seed, Purpose.DROPOUT, passing.step, numbers, count, passing.take(count))
        return self._left(values, words), words

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradient with respect to the inputs."""
        return gradient if kept is None else self._left(gradient, kept), []

    def _left(self, values: Array, words: NDArray[np.uint32]) -> Array:
        """Return values (P, I, N) or (I, N), dropped where their words say so."""
        flat = np.require(values, np.float32, ["C", "W"]).reshape(
            -1 if values.ndim == 3 else 1, math.prod(values.shape[-2:])
        )
        left = np.empty_like(flat)
        drop(left, flat, words, np.uint32(self.least), np.float32(1 / (1 - self.rate)))
        return left.reshape(values.shape)


def fast_stack(layers: Sequence[Layer]) -> Stack:
    """Return the layers with those that kernels can compute replaced by fast ones, nested layers included."""
    return Stack(_fast(layers))


def _fast(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    found: list[Layer] = []
    queue = list(layers)
    while queue:
        if isinstance(queue[0], Convolution):
            found.append(_convolution(queue))
            continue
        tail = _tail(queue, found[-1] if found else None)
        if tail is not None:
            found.append(tail)
            continue
        layer = queue.pop(0)
        if isinstance(layer, Dropout):
            layer = FastDropout(layer.inputs, layer.rate)
        elif type(layer) is Dense and layer.parts == 1:
            layer = FastDense(layer.inputs, layer.outputs, layer.activation)
        elif isinstance(layer, Residual):
            layer = replace(layer, layers=_fast(layer.layers))
        elif isinstance(layer, Concatenate):
            layer = replace(layer, branches=tuple(_fast(branch) for branch in layer.branches))
        found.append(layer)
    return tuple(found)


def _convolution(queue: list[Layer]) -> Layer:
    """Take a convolution, and the layers fused into it, from the front of a queue."""
    layer, norm, leak, pool = queue.pop(0), None, 1.0, 1
    assert isinstance(layer, Convolution)
    if queue and isinstance(queue[0], BatchNorm):
        norm = queue[0]
        del queue[0]
    _pool_first(queue)
    other = queue[1:] and isinstance(queue[1], POOLINGS) and not is_apart(queue[1])
    if queue and isinstance(queue[0], Activation) and queue[0].function in LEAKS and (norm or not other):
        leak = LEAKS[queue[0].function]
        del queue[0]
    if queue and isinstance(queue[0], Pooling) and is_apart(queue[0]):
        pool = queue[0].size
        del queue[0]
    found = FastConvolution(layer, norm, leak, pool)
    tail = _tail(queue, found) if queue and found == FastConvolution(layer) else None
    return FastConvolution(layer, tail=tail) if tail else found


def _pool_first(queue: list[Layer], at: int = 0) -> None:
    """Swap an activation and the max pooling after it: the result is the same, but fewer values are activated.

    Only for activations that are expensive and monotonic.
    """
    activation, pooling = (*queue[at : at + 2], None, None)[:2]
    if not isinstance(activation, Activation) or not isinstance(pooling, POOLINGS):
        return
    if activation.function in DEAR and pooling.method == "max":
        pooled = math.prod(pooling.output_shape(pooling.shape))
        queue[at : at + 2] = [pooling, Activation(pooled, activation.function)]


def _tail(queue: list[Layer], before: Layer | None) -> FastTail | None:
    """Take normalisation, activation and pooling from the front of a queue; None if there are none."""
    shape, taken = None, 0
    _pool_first(queue, 1 if isinstance(queue[0], PER_IMAGE) else 0)
    norm: InstanceNorm | GroupNorm | LayerNorm | None = None
    activation: str | Prelu = ""
    pooling: Pooling | AdaptivePooling | None = None
    for layer in queue[:3]:
        own = _grid(layer.shape) if isinstance(layer, (*PER_IMAGE, Prelu, *POOLINGS)) else None
        if own is not None and shape not in (None, own):
            break
        if isinstance(layer, PER_IMAGE) and not taken:
            norm = layer
        elif isinstance(layer, Prelu) and not activation and pooling is None:
            activation = layer
        elif isinstance(layer, Activation) and layer.function in CURVES and not activation and pooling is None:
            activation = layer.function
        elif isinstance(layer, POOLINGS) and pooling is None:
            pooling = layer
        else:
            break
        shape, taken = own or shape, taken + 1
    if shape is None and isinstance(before, (FastConvolution, FastTail, Residual, Concatenate)):
        shape = _grid(before.output_shape(before.shape))
    if not taken or shape is None:
        return None
    del queue[:taken]
    return FastTail(shape, norm, activation, pooling)


def _grid(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return a shape, channels first, as a shape of maps (C, H, W)."""
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, math.prod(shape[1:]))
