"""Layers after sums of maps, by the kernels of kernels/tails.py: per-image normalisation, activation, pooling.

A FastTail replaces such a group of layers of a network, by itself or at the end of a FastConvolution (fast.py).

Shapes: C channels of H x W, R x S after pooling, G groups of channels, N images (a multiple of 16 internally).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.numba.fast_layer import FastLayer, up
from genreg_np.backends.numba.kernels import tails as kernels
from genreg_np.backends.numba.kernels.activations import CURVED, LEAKY, LINEAR, RELU, TANH
from genreg_np.backends.numba.kernels.lanes import LANES, MOST_TAPS
from genreg_np.infer_layers import SELU_ALPHA, SELU_SCALE
from genreg_np.layers.activation import Prelu
from genreg_np.layers.base import PREDICTING, Array, Float32, Kept, Parameter, Passing
from genreg_np.layers.normalise import GroupNorm, InstanceNorm, LayerNorm
from genreg_np.layers.pooling import AdaptivePooling, Pooling

CURVES = {  # the code of an activation, and its constants p, q, r
    "": (LINEAR, (0.0, 0.0, 0.0)),
    "relu": (RELU, (0.0, 0.0, 0.0)),
    "leaky-relu": (LEAKY, (0.01, 0.0, 0.0)),
    "elu": (CURVED, (0.0, 1.0, 1.0)),
    "selu": (CURVED, (0.0, SELU_SCALE, SELU_SCALE * SELU_ALPHA)),
    "tanh": (TANH, (0.0, 1.0, 0.0)),
    "sigmoid": (TANH, (0.0, 0.5, 0.0)),
}
METHODS = {"": kernels.NONE, "max": kernels.LARGEST, "avg": kernels.MEAN}


@dataclass(frozen=True)
class FastTail(FastLayer):
    """Per-image normalisation, an activation and pooling, each of them optional, by kernels."""

    kind = "fast-tail"  # never in a file
    shape: tuple[int, int, int]  # C, H, W
    norm: InstanceNorm | GroupNorm | LayerNorm | None = None
    activation: str | Prelu = ""  # a key of CURVES
    pooling: Pooling | AdaptivePooling | None = None

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (C, R, S)."""
        return self.pooling.output_shape(self.shape) if self.pooling else self.shape

    def with_channels(self, count: int) -> FastTail:
        """Return a layer with `count` channels and its own memory; there must be no normalisation."""
        shape, activation, pooling = (count, *self.shape[1:]), self.activation, self.pooling
        if isinstance(activation, Prelu):
            activation = replace(activation, shape=shape)
        pooling = replace(pooling, shape=shape) if pooling else None
        return FastTail(shape, None, activation, pooling)

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...]:  # used in every pass
        """Parameters of the normalisation and of a prelu."""
        prelu = self.activation.parameters if isinstance(self.activation, Prelu) else ()
        return (self.norm.parameters if self.norm else ()) + prelu

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return a (P, C R S, N), and what the backward pass needs of each network."""
        shared, images = values.ndim == 2, values.shape[-1]
        networks = len(parameters[0]) if parameters else 1 if shared else len(values)
        kept, out = [], self.room(networks, up(images, LANES))
        for p in range(networks):
            z = self._whole(values if shared else values[p], out.shape[-1]).reshape(-1)
            kept.append(self.finish(out[p], [array[p] for array in parameters], z, self._nothing, p))
        found = out if images == out.shape[-1] else np.ascontiguousarray(out[..., :images])
        return (found if parameters or not shared else found[0]), kept

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to the maps (P, I, N) and each parameter (P, C)."""
        learning = learning and bool(self.parameters)
        if not wanted and not learning:
            return None, []
        networks, images = len(gradient), gradient.shape[-1]
        channels, height, width = self.shape
        line = width * up(images, LANES)
        back = self._array("dz", (networks, channels * height * width, up(images, LANES)))
        gradients = [np.empty((networks, channels), np.float32) for _ in self.parameters] if learning else []
        for p in range(networks):
            own, what = [array[p] for array in parameters], kept[p if len(kept) > 1 else 0]
            by_out = self._whole(gradient[p], back.shape[-1]).reshape(-1)
            found, where = [array[p] for array in gradients] if learning else None, (height * line, line, 0)
            self.unfinish(back[p].reshape(-1), own, what, by_out, self._nothing, found, where)
        return (back if images == back.shape[-1] else np.ascontiguousarray(back[..., :images])), gradients

    def room(self, networks: int, images: int) -> Float32:
        """Return memory for the outputs (P, C R S, N)."""
        found: Float32 = self._array("a", (networks, math.prod(self.output_shape(self.shape)), images))
        return found

    def finish(self, out: Float32, own: list[Float32], z: Float32, biases: Float32, number: int) -> Kept:
        """Fill one network's outputs (C R S, N), given sums z, flat; return what the backward pass needs."""
        images, parts = out.shape[-1], self.norm.parts if self.norm else 0
        pooled = len(out) if self.pooling else 0
        places = self._array(("places", number), (0 if self._apart else pooled * images,), np.int32)
        taps = self._array(("taps", number), (pooled * images if self._apart else 0,), np.uint8)
        moments = self._array(("moments", number), (2 * parts * images,))
        what, how, spans, windows, shape = self._how(own, images, self.shape[2])
        kernels.finish(out.reshape(-1), taps, places, moments, z, biases, *what, *how, spans[:2], windows, *shape)
        return z, taps, places, moments

    def unfinish(
        self,
        dz: Float32,
        own: list[Float32],
        kept: Kept,
        by_out: Float32,
        biases: Float32,
        found: list[Float32] | None,
        where: tuple[int, int, int],
    ) -> Float32:
        """Fill one network's gradients of z, flat, and of parameters (C,) into `found`, unless it is None.

        `where` gives the distances between filters and between rows of dz, and the start of the first row. Returns the
        gradient of biases (C,).
        """
        z, taps, places, moments = kept
        images = len(z) // math.prod(self.shape)
        sums = self._array("sums", (self.shape[0], 6, images))
        what, how, spans, windows, shape = self._how(own, images, where[1] // images)
        kernels.unfinish(
            dz, sums.reshape(-1), by_out, taps, places, moments, z, biases, *what, *how, spans, windows, *shape, where,
            found is not None,
        )  # fmt: skip
        totals = sums.sum(axis=-1)
        by_parameters = [1, 0] if self.norm else []
        by_parameters += [3] if isinstance(self.activation, Prelu) else []
        for array, row in zip(found or [], by_parameters, strict=found is not None):
            array[...] = totals[:, row]
        biased: Float32 = totals[:, 4 if self.norm else 0]
        return biased

    def _how(self, own: list[Float32], images: int, columns: int) -> tuple[Any, ...]:
        """Return the kernels' arguments for one network: from its parameters, its layers, and the extents.

        `columns` is the number of columns in a row of gradients.
        """
        (channels, height, width), nothing, leak = self.shape, self._nothing, 1.0
        scales, shifts = (np.require(array, np.float32, "C") for array in own[:2]) if self.norm else (nothing, nothing)
        curves = np.zeros((channels, 3), np.float32)
        if isinstance(self.activation, Prelu):
            code, curves[:, 0] = LEAKY, own[-1]
        else:
            code, curves[:] = CURVES[self.activation]
            if self._apart and code in (RELU, LEAKY):
                code, leak = LINEAR, float(curves[0, 0])
        method, size = METHODS[self.pooling.method if self.pooling else ""], self.pooling.size if self.pooling else 1
        key = "windows", images, columns
        if key not in self._memory:
            i, j = np.ogrid[:size, :size]
            windows = ((i * columns + j) * images).ravel() if self._apart else np.empty(0)
            self._memory[key] = np.ascontiguousarray(windows, np.int64)
        numbers = self._array("numbers", (7 * images,), zero=True)
        rows = self._array("rows", (max(2, size if self._apart else 1) * width * images,))
        shape = channels, height, width, images, self.norm.parts if self.norm else 0, code, method
        return (scales, shifts), (curves, np.float32(leak)), self._spans, self._memory[key], (numbers, rows, shape)

    @functools.cached_property
    def _apart(self) -> bool:
        """Whether there is max pooling of windows that do not overlap."""
        return self.pooling is not None and is_apart(self.pooling)

    @functools.cached_property
    def _nothing(self) -> Float32:
        return np.zeros(self.shape[0], np.float32)

    @functools.cached_property
    def _spans(self) -> tuple[Any, Any, Any]:
        """Return begin and end of windows in rows (R, 2) and columns (S, 2), and of the windows over a row (H, 2)."""
        rows, columns = (spans_of(self, axis) for axis in (0, 1))
        every = np.arange(self.shape[1])
        seen = (rows[:, 1] <= every[:, None]).sum(axis=1), (rows[:, 0] <= every[:, None]).sum(axis=1)
        return rows, columns, np.maximum.accumulate(np.stack(seen, axis=1).astype(np.int64), axis=1)


def spans_of(tail: FastTail, axis: int) -> NDArray[np.int64]:
    """Return where windows begin and end along rows, axis 0, or columns, 1; without pooling each place is a window."""
    if tail.pooling is None:
        places = np.arange(tail.shape[1 + axis])
        return np.stack([places, places + 1], axis=1).astype(np.int64)
    found = {number[axis]: window[axis] for *number, window in tail.pooling.windows()}
    return np.array([(found[number].start, found[number].stop) for number in range(len(found))], np.int64)


def is_apart(layer: Pooling | AdaptivePooling) -> bool:
    """Whether it is max pooling of windows that do not overlap and are small enough to be indexed by a byte."""
    apart = isinstance(layer, Pooling) and layer.stride == layer.size
    return apart and layer.method == "max" and layer.size**2 <= MOST_TAPS
