"""What comes after sums of maps, by the kernels of kernels/tails.py: normalisation of each image, activation, pooling.

One FastTail is in place of such a group of layers of a network, where no FastConvolution has taken them in (fast.py).

Shapes: C channels of H x W, R x S of what is pooled, G groups of channels, N images.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.numba.fast_layer import FastLayer
from genreg_np.backends.numba.kernels import tails as kernels
from genreg_np.backends.numba.kernels.activations import CURVED, LEAKY, LINEAR, RELU, TANH
from genreg_np.infer_layers import SELU_ALPHA, SELU_SCALE
from genreg_np.layers.activation import Prelu
from genreg_np.layers.base import PREDICTING, Array, Float32, Kept, Parameter, Passing
from genreg_np.layers.normalise import EPSILON, GroupNorm, InstanceNorm, LayerNorm
from genreg_np.layers.pooling import AdaptivePooling, Pooling

CURVES = {  # the code of an activation, and its numbers p, q, r
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
    """Normalisation of each image, an activation, pooling, each where it is there, by kernels."""

    kind = "fast-tail"  # in no file
    shape: tuple[int, int, int]  # C, H, W
    norm: InstanceNorm | GroupNorm | LayerNorm | None = None
    activation: str | Prelu = ""  # a key of CURVES
    pooling: Pooling | AdaptivePooling | None = None

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (C, R, S)."""
        return self.pooling.output_shape(self.shape) if self.pooling else self.shape

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...]:  # asked for in every pass
        """Those of the normalisation, and of a prelu."""
        prelu = self.activation.parameters if isinstance(self.activation, Prelu) else ()
        return (self.norm.parameters if self.norm else ()) + prelu

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return a (P, C R S, N), and what goes in with places and moments of each network."""
        shared, images = values.ndim == 2, values.shape[-1]
        networks = len(parameters[0]) if parameters else 1 if shared else len(values)
        maps = np.require(values, np.float32, "C").reshape(-1, *self.shape, images)
        pooled = self.output_shape(self.shape)
        out = self._array("a", (networks, *pooled, images))
        places = self._array("places", (networks, *(pooled if self.pooling else (0, 0, 0)), images), np.int32)
        moments = self._array("moments", (networks, 2, self.norm.parts if self.norm else 0, images))
        rows, columns, _ = self._spans
        for p in range(networks):
            scales, shifts, curves, code = self._numbers(parameters, p)
            scratch, how = self._array("rows", (2, self.shape[2], images)), (code, self._method)
            what = maps[0 if shared else p], scales, shifts, curves, rows, columns, scratch, how, np.float32(EPSILON)
            kernels.finish(out[p], places[p], moments[p], *what)
        found = out.reshape(networks, -1, images)
        return (found if parameters or not shared else found[0]), (maps, shared, places, moments)

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients by the maps (P, I, N), and by each parameter (P, C)."""
        if not wanted and not (learning and self.parameters):
            return None, []
        maps, shared, places, moments = kept
        networks, images = len(gradient), gradient.shape[-1]
        by_pooled = np.require(gradient, np.float32, "C").reshape(networks, *self.output_shape(self.shape), images)
        back = self._array("dz", (networks, *self.shape, images))
        sums = self._array("sums", (networks, self.shape[0], 3, images))
        for p in range(networks):
            scales, shifts, curves, code = self._numbers(parameters, p)
            scratch, own = self._array("rows", (2, self.shape[2], images)), p if len(places) > 1 else 0
            what = maps[0 if shared else p], scales, shifts, curves, *self._spans, scratch, (code, self._method)
            kernels.unfinish(back[p], sums[p], by_pooled[p], places[own], moments[own], *what)
        gradients = []
        if learning:
            totals = sums.sum(axis=-1)
            gradients += [totals[..., 0], totals[..., 1]] if self.norm else []
            gradients += [totals[..., 2]] if isinstance(self.activation, Prelu) else []
        return back.reshape(networks, -1, images), gradients

    def _numbers(self, parameters: Sequence[Array], number: int) -> tuple[Float32, Float32, Float32, int]:
        """Return scales and shifts (C,) of a network, the numbers of its activation (C, 3), and which one it is."""
        channels = self.shape[0]
        scales, shifts = (
            [np.require(array[number], np.float32, "C") for array in parameters[:2]]
            if self.norm
            else [self._nothing] * 2
        )
        if not isinstance(self.activation, Prelu):
            code, numbers = CURVES[self.activation]
            return scales, shifts, np.full((channels, 3), numbers, np.float32), code
        curves = np.zeros((channels, 3), np.float32)
        curves[:, 0] = parameters[-1][number]
        return scales, shifts, curves, LEAKY

    @functools.cached_property
    def _nothing(self) -> Float32:
        return np.zeros(self.shape[0], np.float32)

    @property
    def _method(self) -> int:
        return METHODS[self.pooling.method if self.pooling else ""]

    @functools.cached_property
    def _spans(self) -> tuple[Any, Any, Any]:
        """Return begin and end of windows in rows (R, 2) and columns (S, 2), and which windows see a row (H, 2)."""
        rows, columns = (spans_of(self, axis) for axis in (0, 1))
        every = np.arange(self.shape[1])
        seen = (rows[:, 1] <= every[:, None]).sum(axis=1), (rows[:, 0] <= every[:, None]).sum(axis=1)
        return rows, columns, np.maximum.accumulate(np.stack(seen, axis=1).astype(np.int64), axis=1)


def spans_of(tail: FastTail, axis: int) -> NDArray[np.int64]:
    """Return where windows begin and end along rows, axis 0, or columns, 1; each is one where none are pooled."""
    if tail.pooling is None:
        places = np.arange(tail.shape[1 + axis])
        return np.stack([places, places + 1], axis=1).astype(np.int64)
    found = {number[axis]: window[axis] for *number, window in tail.pooling.windows()}
    return np.array([(found[number].start, found[number].stop) for number in range(len(found))], np.int64)
