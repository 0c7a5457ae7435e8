"""Layers of maps by the kernels of kernels/maps.py: a convolution with the normalisation, activation and pooling after it.

`fast_stack` puts one FastConvolution in place of each such group of layers of a network; it is a layer like any other
to whoever calls it, over a population whose networks it takes one after the other. It holds memory that every pass uses
again (fresh memory costs as much as the arithmetic), so a stack belongs to one thread, and what a pass returns is
only good until the next one.

Shapes: C channels of H x W, F filters (F8 of them, a multiple of 8), N images (a multiple of 16 inside).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.numba.kernels import maps as kernels
from genreg_np.backends.numba.kernels.lanes import FILTERS, LANES, MOST_TAPS
from genreg_np.layers.activation import Activation
from genreg_np.layers.base import PREDICTING, Array, Float32, Kept, Layer, Passing
from genreg_np.layers.composite import Stack
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.pooling import Pooling

Int = NDArray[np.int64]
LEAKS = {"relu": 0.0, "leaky-relu": 0.01}


def up(count: int, to: int) -> int:
    """Return the next multiple."""
    return -(-count // to) * to


@dataclass(frozen=True)
class Slide:
    """How filters slide over maps, forward and back: what follows from a convolution and N alone."""

    layer: Convolution
    images: int  # N

    @functools.cached_property
    def plain(self) -> bool:
        """Whether maps are seen as they lie."""
        return self.layer.stride == 1 and not any(sum(self.layer.margins, ()))

    @functools.cached_property
    def width(self) -> int:
        """W', columns of maps as filters see them, for each remainder of the stride."""
        left, right = self.layer.margins[1]
        return -(-(self.layer.shape[2] + left + right) // self.layer.stride)

    @functools.cached_property
    def offsets(self) -> Int:
        """Where each tap (i, c, j) looks, from where the first one does, (K C K,)."""
        (channels, height, _), size, stride = self.layer.shape, self.layer.size, self.layer.stride
        i, c, j = np.ogrid[:size, :channels, :size]
        row = stride * self.width * self.images
        places = (c * height + i) * row + ((j % stride) * self.width + j // stride) * self.images
        return np.ascontiguousarray(places.ravel(), np.int64)

    @functools.cached_property
    def rows(self) -> Int:
        """For each row of sums its place among rows, its place in the maps, first and last tap: (rows, 4)."""
        (channels, height, _), size, stride = self.layer.shape, self.layer.size, self.layer.stride
        rows, columns = self.layer.grid
        y = np.arange(rows)
        top = y * stride - self.layer.margins[0][0]
        first, last = np.clip(-top, 0, size), np.clip(height - top, 0, size)
        taps = channels * size
        places = y * columns * self.images, top * stride * self.width * self.images, first * taps, last * taps
        return np.stack(places, axis=1).astype(np.int64)

    def windows(self, size: int, columns: int) -> Int:
        """Return where values of a window of pooling lie among rows of so many columns, from the first: (K K,)."""
        i, j = np.ogrid[:size, :size]
        return np.ascontiguousarray(((i * columns + j) * self.images).ravel(), np.int64)

    @functools.cached_property
    def back_margin(self) -> int:
        """How many columns of zeros a row of gradients has on either side."""
        return -(-self.layer.size // self.layer.stride) - 1

    @functools.cached_property
    def back_width(self) -> int:
        """Columns of a row of gradients with its zeros."""
        return self.layer.grid[1] + 2 * self.back_margin

    @functools.cached_property
    def phases(self) -> list[Phase]:
        """How gradients by the maps are sums over taps: for a stride s of one in s rows and columns at a time."""
        steps = range(self.layer.stride)
        found = (Phase.of(self, row, column) for row in steps for column in steps)
        return [phase for phase in found if len(phase.offsets) and len(phase.rows) and phase.columns]


@dataclass(frozen=True)
class Phase:
    """Gradients by every s-th row and column of the maps."""

    taps: tuple[slice, slice]  # of the filters, that these rows and columns are seen by
    offsets: Int  # where each tap (i, f, j) looks
    rows: Int  # (R, 4)
    lines: Int  # (R,) which rows of the maps they are
    first: int  # column of the maps
    columns: int  # how many

    @classmethod
    def of(cls, slide: Slide, row: int, column: int) -> Phase:
        """Return that of the rows y with (y + top) mod s = row, and columns likewise."""
        layer, stride, images = slide.layer, slide.layer.stride, slide.images
        (_, height, width), (out_rows, out_columns) = layer.shape, layer.grid
        (top, _), (left, _) = layer.margins
        i, f, j = np.ogrid[
            : len(range(row, layer.size, stride)), : layer.filters, : len(range(column, layer.size, stride))
        ]
        line = slide.back_width * images
        offsets = np.ascontiguousarray(((f * out_rows - i) * line - j * images).ravel(), np.int64)
        lines = np.arange((row - top) % stride, height, stride)
        begin = (column - left) % stride
        own = (lines + top) // stride  # the row of sums that its first tap belongs to
        taps = layer.filters * j.size
        first, last = np.clip(own - out_rows + 1, 0, i.size), np.clip(own + 1, 0, i.size)
        columns = len(range(begin, width, stride))
        places = np.arange(len(lines)) * columns * images
        seen = own * line + ((begin + left) // stride + slide.back_margin) * images
        rows = np.stack([places, seen, first * taps, np.maximum(first, last) * taps], axis=1).astype(np.int64)
        return cls((slice(row, None, stride), slice(column, None, stride)), offsets, rows, lines, begin, columns)


@dataclass(frozen=True)
class FastConvolution(Layer):
    """A convolution, and where they follow it relu or leaky-relu, and max pooling, by kernels."""

    kind = "fast-convolution"  # in no file
    convolution: Convolution
    leak: float = 1.0  # of the activation: 1 for none
    pool: int = 1  # K of the pooling: 1 for none
    _memory: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (F, rows, columns) after pooling."""
        filters, *grid = self.convolution.output_shape(shape)
        return (filters, *(extent // self.pool for extent in grid))

    @property
    def parameters(self) -> Any:
        """Those of the convolution."""
        return self.convolution.parameters

    def header(self) -> dict[str, Any]:
        """It is in no file."""
        raise NotImplementedError

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Layer:
        """It is in no file."""
        raise NotImplementedError

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return a (P, F * rows * columns, N), and what is seen and places of each network."""
        weights, biases = parameters
        images = values.shape[-1]
        slide = self._slide(up(images, LANES))
        filters, rows, columns = self.output_shape(self.convolution.shape)
        out = self._array("a", (len(weights), filters * rows * columns * slide.images))
        places = self._array("places", out.shape, np.uint8)
        scratch = self._array("z", (up(filters, FILTERS), self.pool, self.convolution.grid[1] * slide.images))
        windows = slide.windows(self.pool, self.convolution.grid[1])
        shared = self._seen(slide, values, 0) if values.ndim == 2 else None
        kept = []
        for p in range(len(weights)):
            seen = self._seen(slide, values[p], p) if shared is None else shared
            packed = _packed(weights[p], self._array("w", (up(filters, FILTERS) * weights[p, 0].size,)))
            shape = rows, columns, slide.images, self.pool
            what = seen, slide.offsets, packed, slide.rows, biases[p], windows, shape, np.float32(self.leak)
            kernels.convolve(out[p], places[p], scratch, *what)
            kept.append((seen, places[p]))
        result = out.reshape(len(weights), -1, slide.images)
        return result if images == slide.images else np.ascontiguousarray(result[..., :images]), kept

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients by the maps (P, I, N), weights and biases."""
        weights, biases = parameters
        images = gradient.shape[-1]
        slide = self._slide(up(images, LANES))
        by_weights, by_biases = np.empty_like(weights), np.empty_like(biases)
        back = self._array("dv", (len(weights), math.prod(self.convolution.shape), slide.images)) if wanted else None
        for p in range(len(weights)):
            by_out = self._whole(gradient[p], slide.images)
            dz = self._unfinish(slide, kept[p], by_out, by_weights[p], by_biases[p], wanted, learning)
            if back is not None:
                maps = back[p].reshape(*self.convolution.shape, slide.images)
                self._correlate_back(slide, dz, weights[p], maps)
        if back is not None and images < slide.images:
            back = np.ascontiguousarray(back[..., :images])
        return back, [by_weights, by_biases] if learning else []

    def _unfinish(
        self,
        slide: Slide,
        kept: Kept,
        by_out: Float32,
        by_weights: Float32,
        by_biases: Float32,
        wanted: bool,
        learning: bool,
    ) -> Float32:
        """Fill the gradients by weights (F, C, K, K) and biases; return that by z, flat, where it is wanted."""
        seen, places = kept
        filters, channels, size, _ = by_weights.shape
        out_rows, columns = self.convolution.grid
        margin, images = slide.back_margin if wanted else 0, slide.images
        line, blocks = (columns + 2 * margin) * images, up(filters, FILTERS) // FILTERS
        rows, height = slide.rows.copy(), out_rows if wanted else self.pool
        rows[:, 0] = np.arange(len(rows)) % height * line
        dz = self._array(("dz", wanted), (blocks * FILTERS * height * line,), zero=True)
        sums = self._array("g", (blocks * len(slide.offsets) * FILTERS, LANES))
        totals = self._array("db", (filters, LANES))
        sums[...] = totals[...] = 0
        shape = out_rows // self.pool, columns // self.pool, images, self.pool, columns * images
        windows, where = slide.windows(self.pool, columns + 2 * margin), (height * line, margin * images)
        what = by_out.reshape(-1), places, seen, slide.offsets, rows, windows, shape, *where, np.float32(self.leak)
        kernels.unfinish(sums.reshape(-1) if learning else sums[:0, 0], totals, dz, *what)
        kernels.lane_sums(by_biases, totals)
        if learning:
            total = self._array("gt", (len(sums),))
            kernels.lane_sums(total, sums)
            found = total.reshape(blocks, size, channels, size, FILTERS).transpose(0, 4, 2, 1, 3)
            by_weights[...] = found.reshape(-1, channels, size, size)[:filters]
        return dz

    def _correlate_back(self, slide: Slide, dz: Float32, weights: Float32, back: Float32) -> None:
        """Fill the gradient by the maps (C, H, W, N)."""
        channels, stride, images = len(back), self.convolution.stride, slide.images
        if stride > self.convolution.size:  # some rows and columns no filter sees
            back[...] = 0
        for number, phase in enumerate(slide.phases):
            own = weights[:, :, phase.taps[0], phase.taps[1]].swapaxes(0, 1)
            packed = _packed(own, self._array(("w back", number), (up(channels, FILTERS) * own[0].size,)))
            count = len(phase.rows) * phase.columns * images
            found = self._array(("dv", number), (up(channels, FILTERS), count))
            width = phase.columns * images
            kernels.correlate(found.reshape(-1), count, dz, phase.offsets, packed, phase.rows, width)
            back[:, phase.lines, phase.first :: stride] = found[:channels].reshape(
                channels, len(phase.rows), phase.columns, images
            )

    def _slide(self, images: int) -> Slide:
        return self._memory.setdefault(("slide", images), Slide(self.convolution, images))

    def _array(self, name: Any, shape: tuple[int, ...], dtype: type = np.float32, zero: bool = False) -> Any:
        """Return memory of its own for a name and shape, the same whenever it is asked for."""
        found = self._memory.get((name, shape))
        if found is None:
            found = self._memory[name, shape] = (np.zeros if zero else np.empty)(shape, dtype)
        return found

    def _whole(self, values: Float32, images: int) -> Float32:
        """Return values (I, n) as (I, N), with zeros after them."""
        if values.shape[-1] == images and values.flags.c_contiguous:
            return values
        whole = np.zeros((len(values), images), np.float32)
        whole[:, : values.shape[-1]] = values
        return whole

    def _seen(self, slide: Slide, values: Float32, number: int) -> Float32:
        """Return maps as filters see them, flat."""
        channels, height, width = self.convolution.shape
        maps = self._whole(values, slide.images).reshape(channels, height, width, slide.images)
        if slide.plain:
            return maps.reshape(-1)
        stride = self.convolution.stride
        shape = (channels, height, stride, slide.width, slide.images)
        seen = self._array(("seen", number), shape, zero=True)
        kernels.spread(seen, maps, self.convolution.margins[1][0], stride)
        return seen.reshape(-1)


def _packed(weights: Float32, out: Float32) -> Float32:
    """Return weights (F, C, K, K) as blocks of 8 filters: (F8 / 8, K C K, 8), flat."""
    filters, channels, height, width = weights.shape
    blocks = up(filters, FILTERS) // FILTERS
    turned = np.zeros((blocks * FILTERS, height, channels, width), np.float32)
    turned[:filters] = weights.transpose(0, 2, 1, 3)
    out[...] = turned.reshape(blocks, FILTERS, -1).swapaxes(1, 2).ravel()
    return out


def fast_stack(layers: Sequence[Layer]) -> Stack:
    """Return layers with a FastConvolution in place of each convolution and what follows it."""
    found: list[Layer] = []
    queue = list(layers)
    while queue:
        layer, leak, pool = queue.pop(0), 1.0, 1
        if isinstance(layer, Convolution):
            if queue and isinstance(queue[0], Activation) and queue[0].function in LEAKS:
                leak = LEAKS[queue[0].function]
                del queue[0]
            if queue and isinstance(queue[0], Pooling) and _is_windows_apart(queue[0]):
                pool = queue[0].size
                del queue[0]
            layer = FastConvolution(layer, leak, pool)
        found.append(layer)
    return Stack(tuple(found))


def _is_windows_apart(layer: Pooling) -> bool:
    """Whether it takes the largest of windows that do not overlap, few enough to be counted in a byte."""
    return layer.method == "max" and layer.stride == layer.size and layer.size**2 <= MOST_TAPS
