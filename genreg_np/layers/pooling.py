"""Pooling: the largest or the mean value of each window of a map.

    max        a[c, y, x] = max over i, j of v[c, s y + i, s x + j]      da goes to the first place of the largest value
    avg        a[c, y, x] = mean over i, j of the same                   da goes to all places in equal shares
    adaptive   windows from floor(y H / R) to ceil((y + 1) H / R) - 1, so that any H x W gives R x R

Windows of one size are computed together, one place of the windows at a time: a few operations on large arrays, which
suits GPUs. If places outnumber windows, or windows differ in size, they are computed window by window.

Shapes: C channels of H x W, windows of K x K at a stride s, by default K: (H - K) // s + 1 rows; v (P, C, H, W, N).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError, did_you_mean
from genreg_np.layers.base import (
    PREDICTING,
    Array,
    Kept,
    Layer,
    Passing,
    array_module,
    as_maps,
    columns_of,
    maps_of,
    maps_shape,
)
from genreg_np.layers.convolution import tap_places, taps
from genreg_np.settings import whole_number

METHODS = ("max", "avg")
Window = tuple[slice, slice]


@dataclass(frozen=True)
class _Windows(Layer):
    """Base class of pooling: maps, and windows over them.

    Raises
    ------
    UsageError
        For extents that are not whole numbers, windows larger than the maps, or an unknown method.
    """

    shape: tuple[int, int, int]  # C, H, W of the input
    method: str  # one of METHODS
    size: int  # of a window, or of the output grid

    def __post_init__(self) -> None:
        shape = maps_shape(self.shape, "pooling")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "size", whole_number(self.size, "size of pooling", least=1))
        if self.method not in METHODS:
            raise UsageError(f"unknown pooling {self.method!r}" + did_you_mean(self.method, METHODS))
        if self.size > min(shape[1:]):
            raise UsageError(f"{self.size} x {self.size} is larger than the {shape[1]} x {shape[2]} that are pooled")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        raise NotImplementedError

    def windows(self) -> Iterator[tuple[int, int, Window]]:
        """Yield row and column of each output, and its window."""
        raise NotImplementedError

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (C, rows, columns)."""
        as_maps(shape, self.shape)
        return (self.shape[0], *self.grid)

    def check_gradient(self) -> None:
        """Accept the layer: it has a gradient."""

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return the outputs (P, C * rows * columns, N), and the places of the largest values."""
        maps = maps_of(values, self.shape)
        xp = array_module(maps)
        pooled = xp.empty((*maps.shape[:-3], *self.grid, maps.shape[-1]), maps.dtype)
        places = xp.empty(pooled.shape, np.int64) if self.method == "max" else None
        for row, column, window in self.windows():
            inside = _flat(maps, window)
            if places is None:
                pooled[..., row, column, :] = inside.mean(axis=-2)
            else:
                pooled[..., row, column, :] = inside.max(axis=-2)
                places[..., row, column, :] = inside.argmax(axis=-2)
        return columns_of(pooled), places

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradient with respect to the input."""
        if not wanted:
            return None, []
        by_pooled = maps_of(gradient, (self.shape[0], *self.grid))
        xp = array_module(gradient)
        by_maps = xp.zeros((len(gradient), *self.shape, gradient.shape[-1]), gradient.dtype)
        for row, column, window in self.windows():
            place = by_maps[..., window[0], window[1], :]
            height, width = place.shape[-3:-1]
            back = by_pooled[..., row, column, None, :]
            if kept is None:
                shares = xp.broadcast_to(back / (height * width), (*back.shape[:-2], height * width, back.shape[-1]))
            else:
                largest = kept[..., row, column, None, :] == xp.arange(height * width)[:, None]
                shares = back * largest
            place += shares.reshape(place.shape)
        return columns_of(by_maps), []


def _flat(maps: Array, window: Window) -> Array:
    """Return the values of a window, (..., C, places, N)."""
    inside = maps[..., window[0], window[1], :]
    return inside.reshape(*inside.shape[:-3], -1, inside.shape[-1])


@dataclass(frozen=True)
class Pooling(_Windows):
    """Pooling of windows of one size at a stride."""

    kind: ClassVar[str] = "pooling"
    stride: int = 0  # 0: the size

    def __post_init__(self) -> None:
        super().__post_init__()
        stride = whole_number(self.stride or self.size, "stride of pooling", least=1)
        object.__setattr__(self, "stride", stride)

    @classmethod
    def example(cls) -> tuple[Pooling, tuple[int, ...]]:
        """Return an example whose windows overlap and leave out the last row."""
        return cls((2, 6, 5), "max", 3, 2), (2, 6, 5)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        _, height, width = self.shape
        return (height - self.size) // self.stride + 1, (width - self.size) // self.stride + 1

    def windows(self) -> Iterator[tuple[int, int, Window]]:
        """Yield row and column of each output, and its window."""
        rows, columns = self.grid
        for row in range(rows):
            for column in range(columns):
                top, left = row * self.stride, column * self.stride
                yield row, column, (slice(top, top + self.size), slice(left, left + self.size))

    @property
    def _is_wide(self) -> bool:
        return self.size**2 > math.prod(self.grid)

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return the outputs (P, C * rows * columns, N), and the places of the largest values."""
        if self._is_wide:
            return super().forward(parameters, values, passing)
        seen = self._seen(maps_of(values, self.shape))
        pooled, xp = next(seen).copy(), array_module(values)
        if self.method == "avg":
            for one in seen:
                pooled += one
            return columns_of(pooled / self.size**2), None
        places = xp.zeros(pooled.shape, np.int64)
        for place, one in enumerate(seen, start=1):
            is_larger = ((one > pooled) | (one != one)) & (pooled == pooled)  # the first NaN is the largest
            pooled = xp.where(is_larger, one, pooled)
            places = xp.where(is_larger, place, places)
        return columns_of(pooled), places

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradient with respect to the input."""
        if self._is_wide or not wanted:
            return super().backward(parameters, kept, gradient, wanted=wanted, learning=learning)
        back = maps_of(gradient, (self.shape[0], *self.grid))
        by_maps = array_module(gradient).zeros((len(gradient), *self.shape, gradient.shape[-1]), gradient.dtype)
        for place, into in enumerate(self._seen(by_maps)):
            into += back / self.size**2 if kept is None else back * (kept == place)
        return columns_of(by_maps), []

    def _seen(self, maps: Array) -> Iterator[Array]:
        """Yield a view (..., C, rows, columns, N) of maps (..., C, H, W, N) for each place of the windows."""
        return (maps[tap_places(i, j, self.grid, self.stride)] for i, j in taps(self.size))

    def words(self) -> str:
        """Return e.g. "max 3 stride 2"."""
        return f"{self.method} {self.size}" + (f" stride {self.stride}" if self.stride != self.size else "")

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"shape": list(self.shape), "method": self.method, "size": self.size, "stride": self.stride}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Pooling:
        """Return the layer described in a model file."""
        return cls(tuple(described["shape"]), described["method"], described["size"], described["stride"])


@dataclass(frozen=True)
class AdaptivePooling(_Windows):
    """Pooling of a fixed number of windows for maps of any extents."""

    kind: ClassVar[str] = "adaptive-pooling"

    @classmethod
    def example(cls) -> tuple[AdaptivePooling, tuple[int, ...]]:
        """Return an example whose windows overlap."""
        return cls((2, 5, 4), "avg", 3), (2, 5, 4)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        return self.size, self.size

    @property
    def spans(self) -> tuple[list[slice], list[slice]]:
        """Rows and columns of the windows."""
        rows, columns = (
            [slice(place * extent // self.size, -(-(place + 1) * extent // self.size)) for place in range(self.size)]
            for extent in self.shape[1:]
        )
        return rows, columns

    def windows(self) -> Iterator[tuple[int, int, Window]]:
        """Yield row and column of each output, and its window."""
        rows, columns = self.spans
        yield from ((y, x, (rows[y], columns[x])) for y in range(self.size) for x in range(self.size))

    def words(self) -> str:
        """Return e.g. "adaptive avg 1"."""
        return f"adaptive {self.method} {self.size}"

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"shape": list(self.shape), "method": self.method, "size": self.size}

    @classmethod
    def read(
        cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str
    ) -> AdaptivePooling:
        """Return the layer described in a model file."""
        return cls(tuple(described["shape"]), described["method"], described["size"])
