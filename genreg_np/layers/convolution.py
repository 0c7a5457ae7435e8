"""Convolution over maps, forward and backward.

    z[f, y, x] = b[f] + sum over c, i, j of w[f, c, i, j] v[c, s y + i - m, s x + j - m]

    dw[f, c, i, j] = sum over y, x, images of dz[f, y, x] v[c, s y + i - m, s x + j - m]          db[f] = sum of dz[f]
    dv[c, s y + i - m, s x + j - m] = sum over f, y, x, i, j of dz[f, y, x] w[f, c, i, j]

Shapes: C channels of H x W, F filters of K x K, stride s, margin m of zeros: w (P, F, C, K, K), b (P, F),
v (P, C, H, W, N) or shared (C, H, W, N), z (P, F, rows, columns, N). It is computed as a sum over the K x K taps: for
each, v shifted by (i, j) is a matrix (C, rows * columns * N), which is multiplied by w[:, :, i, j] (F, C). On a GPU,
where each operation has to be launched, all shifted v form one matrix (C K K, rows * columns * N) while that is small,
and there is one product.

Without padding ("valid") rows = (H - K) // s + 1. With it ("same") rows = ceil(H / s); if the number of zeros is odd,
the larger half is at the end, as in ONNX (SAME_UPPER), PyTorch and TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
from genreg_np.layers.base import (
    PREDICTING,
    Array,
    Kept,
    Layer,
    Parameter,
    Passing,
    array_module,
    as_maps,
    columns_of,
    maps_of,
    maps_shape,
)
from genreg_np.layers.groups import Gene, Groups, matrix_groups
from genreg_np.settings import whole_number

MOST_SIZE = 9  # K
UNROLLED_BYTES = 256 << 20  # limit of shifted maps on a GPU: beyond it, separate products are large enough


@dataclass(frozen=True)
class Filters(Layer):
    """Base class of convolution and transposed convolution: maps, and filters of K x K at a stride.

    Raises
    ------
    UsageError
        For inputs that are not maps, or numbers out of range.
    """

    noun: ClassVar[str]  # its name in messages
    word: ClassVar[str]  # its word in a description of a network
    shape: tuple[int, int, int]  # C, H, W of the input
    filters: int  # F
    size: int  # K
    stride: int = 1  # s
    same: bool = False  # whether only the stride changes the extents

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", maps_shape(self.shape, self.noun))
        for name, most in (("filters", 1 << 20), ("size", MOST_SIZE), ("stride", 1 << 20)):
            number = whole_number(getattr(self, name), f"{name} of {self.noun}", least=1)
            if number > most:
                raise UsageError(f"{name} {number} of {self.noun} is more than {most:,}")
            object.__setattr__(self, name, number)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        raise NotImplementedError

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (F, rows, columns)."""
        as_maps(shape, self.shape)
        return (self.filters, *self.grid)

    def words(self) -> str:
        """Return e.g. "conv 16 3 stride 2 same"."""
        stride = f" stride {self.stride}" if self.stride > 1 else ""
        return f"{self.word} {self.filters} {self.size}{stride}" + (" same" if self.same else "")

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {
            "shape": list(self.shape),
            "filters": self.filters,
            "size": self.size,
            "stride": self.stride,
            "same": self.same,
        }

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Self:
        """Return the layer described in a model file."""
        return cls(tuple(described["shape"]), *(described[name] for name in ("filters", "size", "stride", "same")))

    def check_gradient(self) -> None:
        """Accept the layer: it has a gradient."""


@dataclass(frozen=True)
class Convolution(Filters):
    """Filters that slide over maps.

    Raises
    ------
    UsageError
        For filters larger than the maps.
    """

    kind: ClassVar[str] = "convolution"
    noun: ClassVar[str] = "a convolution"
    word: ClassVar[str] = "conv"

    def __post_init__(self) -> None:
        super().__post_init__()
        _, height, width = self.shape
        if self.size > min(height, width) and not self.same:
            raise UsageError(
                f"filters of {self.size} x {self.size} are larger than the {height} x {width} they slide over: "
                "use smaller ones, or `same`"
            )

    @classmethod
    def example(cls) -> tuple[Convolution, tuple[int, ...]]:
        """Return an example with a stride and unequal zeros before and after."""
        return cls((2, 5, 4), 3, 3, 2, same=True), (2, 5, 4)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        rows, columns = (_places(extent, self.size, self.stride, self.same) for extent in self.shape[1:])
        return rows, columns

    @property
    def margins(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Number of zeros before and after, along each axis."""
        if not self.same:
            return (0, 0), (0, 0)
        needed = [
            max(0, (places - 1) * self.stride + self.size - extent)
            for places, extent in zip(self.grid, self.shape[1:], strict=True)
        ]
        top, left = needed
        return (top // 2, top - top // 2), (left // 2, left - left // 2)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Weights (F, C, K, K) and biases (F,)."""
        channels, size = self.shape[0], self.size
        fan_in = channels * size * size
        return (
            Parameter("weight", (self.filters, channels, size, size), fan_in),
            Parameter("bias", (self.filters,), fan_in, "bias"),
        )

    def groups(self, gene: Gene) -> Groups:
        """Return the groups of genes exchanged together; a unit is a filter with its bias."""
        return matrix_groups([range(self.filters)], math.prod(self.parameters[0].shape[1:]), self.filters, gene)

    def scaled(self, arrays: Sequence[Array], scale: Array, shift: Array) -> list[Array] | None:
        """Return weights and biases that give scale * z + shift; None if channels are not filters."""
        weights, biases = arrays
        if len(scale) != self.filters:
            return None
        return [weights * scale[:, None, None, None], biases * scale + shift]

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return z (P, F * rows * columns, N), and keep v with its padding."""
        weights, biases = parameters
        maps = self._padded(values)
        sums: Array = biases[..., None]
        if self._is_unrolled(maps):
            sums = sums + array_module(maps).matmul(weights.reshape(*biases.shape, -1), self._unrolled(maps))
        else:
            for i, j in taps(self.size):
                sums = sums + array_module(maps).matmul(weights[..., i, j], self._moved(maps, i, j))
        return sums.reshape(len(weights), -1, values.shape[-1]), maps

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to v, w and b."""
        weights, biases = parameters
        sums = gradient.reshape(*biases.shape, -1)
        gradients = [self._by_weights(sums, kept).reshape(weights.shape), sums.sum(axis=-1)] if learning else []
        if not wanted:
            return None, gradients
        (top, _), (left, _) = self.margins
        _, height, width = self.shape
        by_maps = array_module(weights).zeros((len(weights), *kept.shape[-4:]), weights.dtype)
        for (i, j), by_tap in zip(taps(self.size), self._by_taps(weights, sums, kept), strict=True):
            place = by_maps[tap_places(i, j, self.grid, self.stride)]
            place += by_tap.reshape(place.shape)
        return columns_of(by_maps[..., top : top + height, left : left + width, :]), gradients

    def _by_weights(self, sums: Array, maps: Array) -> Array:
        """Return the gradient of w, in its shape or as matrices (P, F, C * K * K)."""
        xp = array_module(sums)
        if self._is_unrolled(maps):
            return xp.matmul(sums, self._unrolled(maps).swapaxes(-1, -2))
        by_weights = xp.empty((*sums.shape[:2], *self.parameters[0].shape[1:]), sums.dtype)
        for i, j in taps(self.size):
            by_weights[..., i, j] = xp.matmul(sums, self._moved(maps, i, j).swapaxes(-1, -2))
        return by_weights

    def _by_taps(self, weights: Array, sums: Array, maps: Array) -> Iterator[Array]:
        """Yield for each tap the gradient of the values it sees, (P, C, rows * columns * N)."""
        xp = array_module(sums)
        if self._is_unrolled(maps):
            together = xp.matmul(weights.reshape(*sums.shape[:2], -1).swapaxes(-1, -2), sums)
            together = together.reshape(*weights.shape[:1], *weights.shape[2:], -1)
            yield from (together[:, :, i, j] for i, j in taps(self.size))
        else:
            yield from (xp.matmul(weights[..., i, j].swapaxes(-1, -2), sums) for i, j in taps(self.size))

    def _padded(self, values: Array) -> Array:
        """Return columns as maps (..., C, H, W, N) padded with zeros."""
        maps = maps_of(values, self.shape)
        if not self.same:
            return maps
        around = ((0, 0),) * (maps.ndim - 3)
        return array_module(maps).pad(maps, (*around, *self.margins, (0, 0)))

    def _moved(self, maps: Array, i: int, j: int) -> Array:
        """Return the values that tap (i, j) sees, (..., C, rows * columns * N)."""
        seen = maps[tap_places(i, j, self.grid, self.stride)]
        return seen.reshape(*seen.shape[:-3], -1)

    def _is_unrolled(self, maps: Array) -> bool:
        places = math.prod((*maps.shape[:-3], self.size, self.size, *self.grid, maps.shape[-1]))
        return not isinstance(maps, np.ndarray) and places * maps.dtype.itemsize <= UNROLLED_BYTES

    def _unrolled(self, maps: Array) -> Array:
        """Return the values that all taps see, (..., C * K * K, rows * columns * N)."""
        *lead, row, column, image = maps.strides
        seen = array_module(maps).lib.stride_tricks.as_strided(
            maps,
            (*maps.shape[:-3], self.size, self.size, *self.grid, maps.shape[-1]),
            (*lead, row, column, row * self.stride, column * self.stride, image),
        )
        return seen.reshape(*maps.shape[:-4], math.prod(self.parameters[0].shape[1:]), -1)


def taps(size: int) -> Iterator[tuple[int, int]]:
    """Yield row and column of every tap of a filter."""
    return ((i, j) for i in range(size) for j in range(size))


def tap_places(i: int, j: int, grid: tuple[int, int], stride: int) -> tuple[Any, ...]:
    """Return the places that tap (i, j) sees in padded maps (..., H, W, N), for a filter with a grid of places."""
    last_row, last_column = (tap + (places - 1) * stride + 1 for tap, places in zip((i, j), grid, strict=True))
    return ..., slice(i, last_row, stride), slice(j, last_column, stride), slice(None)


def _places(extent: int, size: int, stride: int, same: bool) -> int:
    """Return the number of places of a filter along an axis."""
    return -(-extent // stride) if same else (extent - size) // stride + 1
