"""Layers of maps by the kernels of kernels/maps.py: a convolution with normalisation, activation and pooling.

A FastConvolution replaces such a group of layers of a network (fast.py); it computes the networks of a population
one after the other.

    z = w * v,    n = scale z + shift,    a = largest of K x K values of leaky(n)

Without normalisation scale is 1 and shift is the bias, and only a few rows of z are held at a time. With normalisation
z is kept: its mean and variance over the batch (without the bias, which cancels) are needed before n, and

    dz = scale (dn - mean of dn - x * mean of (dn x)),    x = (z - mean) / deviation          (layers/normalise.py)

Shapes: C channels of H x W, F filters (a multiple of 8 internally), N images (a multiple of 16 internally).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genreg_np.backends.numba.fast_layer import FastLayer, up
from genreg_np.backends.numba.kernels import maps as kernels
from genreg_np.backends.numba.kernels.lanes import FILTERS, LANES
from genreg_np.backends.numba.slide import Slide
from genreg_np.backends.numba.tails import FastTail
from genreg_np.layers.base import PREDICTING, Array, Float32, Kept, Parameter, Passing
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.normalise import EPSILON, MOMENTUM, BatchNorm


@dataclass(frozen=True)
class Normal:
    """Results of a pass with batch normalisation, for one network."""

    z: Float32  # (F8 * rows * columns * N,) sums without bias
    mean: Float32  # (F,) of z
    inverse: Float32  # (F,) 1 / deviation
    of_batch: bool  # whether mean and deviation are those of the batch


@dataclass(frozen=True)
class FastConvolution(FastLayer):
    """A convolution and, if they follow it, batch normalisation, relu or leaky-relu, and max pooling, or a tail."""

    kind = "fast-convolution"  # never in a file
    convolution: Convolution
    norm: BatchNorm | None = None
    leak: float = 1.0  # negative slope of the activation: 1 for none
    pool: int = 1  # K of the pooling: 1 for none
    tail: FastTail | None = None  # instead of all these

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H, W of the input."""
        return self.convolution.shape

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (F, rows, columns) after pooling."""
        if self.tail:
            return self.tail.output_shape(self.tail.shape)
        filters, *grid = self.convolution.output_shape(shape)
        return (filters, *(extent // self.pool for extent in grid))

    def with_filters(self, count: int) -> FastConvolution:
        """Return a layer with `count` filters and its own memory; there must be no normalisation."""
        tail = self.tail.with_channels(count) if self.tail else None
        return replace(self, convolution=replace(self.convolution, filters=count), tail=tail, _memory={})

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...]:  # used in every pass
        """Parameters of the convolution and of the layers after it."""
        after = self.norm or self.tail
        return self.convolution.parameters + (after.parameters if after else ())

    @functools.cached_property
    def statistics(self) -> tuple[Parameter, ...]:
        """Statistics of the normalisation."""
        return self.norm.statistics if self.norm else ()

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return a (P, F * rows * columns, N), and each network's padded maps, places and normalisation."""
        weights, images = parameters[0], values.shape[-1]
        slide = self._slide(up(images, LANES))
        if self.tail:
            return self._forward_tail(self.tail, slide, parameters, values)
        filters, rows, columns = self.output_shape(self.convolution.shape)
        out = self._array("a", (len(weights), filters * rows * columns * slide.images))
        places = self._array("places", out.shape, np.uint8)
        windows, shape = self._windows(slide, self.convolution.grid[1]), (rows, columns, slide.images, self.pool)
        shared = self._seen(slide, values, 0) if values.ndim == 2 else None
        kept = []
        for p in range(len(weights)):
            seen = self._seen(slide, values[p], p) if shared is None else shared
            own, normal = [array[p] for array in parameters], None
            if self.norm and passing.training:
                normal = self._normal(slide, own, seen, p, images)
                scales, shifts = own[2] * normal.inverse, own[3] - own[2] * normal.inverse * normal.mean
                apart = len(normal.z) // up(filters, FILTERS)
                numbers = scales, shifts, windows, shape, np.float32(self.leak)
                kernels.finish(out[p], places[p], normal.z, slide.rows, apart, *numbers)
            else:
                scales, shifts = self._scale_and_shift(own)
                packed = self._packed(own[0], "w")
                scratch = self._array(
                    "rows", (up(filters, FILTERS), self.pool, self.convolution.grid[1] * slide.images)
                )
                numbers = scales, shifts, windows, shape, np.float32(self.leak)
                what = seen, slide.offsets, packed, slide.rows, slide.tiles
                kernels.convolve(out[p], places[p], scratch, *what, *numbers)
            kept.append((seen, places[p], normal))
        result = out.reshape(len(weights), -1, slide.images)
        return result if images == slide.images else np.ascontiguousarray(result[..., :images]), kept

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to the maps (P, I, N) and each parameter."""
        images = gradient.shape[-1]
        slide = self._slide(up(images, LANES))
        count = len(self.parameters)
        gradients = [np.empty_like(array) for array in parameters[:count]]
        back = self._array("dv", (len(gradient), math.prod(self.convolution.shape), slide.images)) if wanted else None
        for p in range(len(gradient)):
            by_out, own = self._whole(gradient[p], slide.images).reshape(-1), [array[p] for array in parameters]
            found = [array[p] for array in gradients] if learning else []
            if self.tail:
                dz = self._unfinish_tail(self.tail, slide, kept[p], own, by_out, found)
            elif self.norm:
                dz = self._unfinish_normal(slide, kept[p], own, by_out, found, images)
            else:
                dz = self._unfinish(slide, kept[p], by_out, found, wanted)
            if back is not None:
                self._correlate_back(slide, dz, own[0], back[p].reshape(*self.convolution.shape, slide.images))
        if back is not None and images < slide.images:
            back = np.ascontiguousarray(back[..., :images])
        return back, gradients if learning else []

    def _forward_tail(
        self, tail: FastTail, slide: Slide, parameters: Sequence[Array], values: Array
    ) -> tuple[Array, Kept]:
        """Return a, and each network's padded maps and what its tail keeps."""
        weights, images, kept = parameters[0], values.shape[-1], []
        out = tail.room(len(weights), slide.images)
        shared = self._seen(slide, values, 0) if values.ndim == 2 else None
        for p in range(len(weights)):
            seen = self._seen(slide, values[p], p) if shared is None else shared
            own = [array[p] for array in parameters]
            z = self._sums(slide, own[0], seen, p)[: math.prod(tail.shape) * slide.images]
            kept.append((seen, tail.finish(out[p], own[2:], z, np.require(own[1], np.float32, "C"), p)))
        return (out if images == slide.images else np.ascontiguousarray(out[..., :images])), kept

    def _sums(self, slide: Slide, weights: Float32, seen: Float32, number: int) -> Float32:
        """Return one network's sums z without bias, (F8 * rows * columns * N,)."""
        rows, columns = self.convolution.grid
        width = columns * slide.images
        z: Float32 = self._array(("z", number), (up(len(weights), FILTERS) * rows * width,))
        tables, packed = (slide.rows, slide.tiles), self._packed(weights, "w")
        kernels.correlate(z, rows * width, seen, slide.offsets, packed, *tables, width)
        return z

    def _scale_and_shift(self, own: list[Float32]) -> tuple[Float32, Float32]:
        """Return the scale and shift of z in predictions."""
        biases = own[1]
        if self.norm is None:
            return np.ones_like(biases), np.array(biases)
        _, _, scale, shift, mean, variance = own
        scale = scale / np.sqrt(variance + np.float32(EPSILON))
        return scale, shift + (biases - mean) * scale

    def _normal(self, slide: Slide, own: list[Float32], seen: Float32, number: int, images: int) -> Normal:
        """Return sums z with the batch's mean and deviation; update the running ones."""
        weights, biases, _, _, running_mean, running_variance = own
        filters, (rows, columns) = len(biases), self.convolution.grid
        width = columns * slide.images
        z, apart = self._sums(slide, weights, seen, number), rows * width
        totals, zero, shape = self._array("totals", (filters, 2)), np.zeros(filters, np.float32), (rows, width)
        kernels.sums_of(totals, z, 0, width, apart, zero, z, apart, zero, shape)
        count = rows * columns * images
        mean = totals[:, 0] / np.float32(count)
        z.reshape(-1, rows * columns, slide.images)[:filters, :, images:] = mean[:, None, None]  # padding: it adds 0
        kernels.sums_of(totals, z, 0, width, apart, mean, z, apart, mean, shape)
        variance = totals[:, 1] / np.float32(count)
        running_mean += np.float32(MOMENTUM) * (mean + biases - running_mean)
        if count > 1:
            running_variance += np.float32(MOMENTUM) * (variance * np.float32(count / (count - 1)) - running_variance)
        return Normal(z, mean, 1 / np.sqrt(variance + np.float32(EPSILON)), True)

    def _unfinish(self, slide: Slide, kept: Kept, by_out: Float32, found: list[Float32], wanted: bool) -> Float32:
        """Fill the gradients of weights (F, C, K, K) and biases; return that of z, flat, if it is wanted."""
        seen, places, _ = kept
        grid, margin, width = self.convolution.grid, slide.back_margin, slide.back_width
        what = (grid[0], margin, width) if wanted else (self.pool, 0, grid[1])
        dz, totals, sums = self._give_back(slide, places, by_out, (seen if found else None), *what)
        if found:
            kernels.lane_sums(found[0], found[1], sums, totals)
        return dz

    def _give_back(
        self, slide: Slide, places: Float32, by_out: Float32, seen: Float32 | None, height: int, margin: int, width: int
    ) -> tuple[Float32, Float32, Float32]:
        """Return the gradient of n, and its sums for weights and shifts.

        Only `height` of its rows are kept, with `width` columns each, of which the first `margin` are 0.
        """
        filters, (_, columns), images = self.convolution.filters, self.convolution.grid, slide.images
        line, blocks = width * images, up(filters, FILTERS) // FILTERS
        rows = self._rows(slide, height, line)
        dz = self._array(("dz", height, margin), (blocks * FILTERS * height * line,), zero=True)
        sums, totals = self._array("g", (self._sums_of(slide),)), self._array("db", (filters, LANES))
        if self.norm and any(extent % self.pool for extent in self.convolution.grid):
            dz[...] = 0  # values outside all windows still get a gradient through the normalisation
        out_rows = self.convolution.grid[0] // self.pool
        each = len(slide.offsets) // self.convolution.size
        shape = out_rows, columns // self.pool, images, self.pool, columns * images, each
        windows, where = self._windows(slide, width), (height * line, margin * images)
        own = sums[: len(sums) if seen is not None else 0]
        what = places, by_out if seen is None else seen, slide.offsets, rows, windows, shape
        kernels.unfinish(own, totals, dz, by_out, *what, *where, np.float32(self.leak))
        return dz, totals, sums

    def _unfinish_normal(
        self, slide: Slide, kept: Kept, own: list[Float32], by_out: Float32, found: list[Float32], images: int
    ) -> Float32:
        """Fill the gradients of weights, biases, scale and shift; return that of z, flat."""
        seen, places, normal = kept
        (rows, columns), margin = self.convolution.grid, slide.back_margin
        dz, _, _ = self._give_back(slide, places, by_out, None, rows, margin, slide.back_width)
        line, width, scale = slide.back_width * slide.images, columns * slide.images, own[2]
        where, zero = (margin * slide.images, line, rows * line), np.zeros_like(scale)
        if normal is None:  # for a prediction: the running statistics
            z = self._sums(slide, own[0], seen, 0)
            normal = Normal(z, own[4] - own[1], 1 / np.sqrt(own[5] + np.float32(EPSILON)), False)
        summed = self._array("totals", (len(scale), 2))
        what = zero, normal.z, rows * width, normal.mean, (rows, width)
        kernels.sums_of(summed, dz, *where, *what)
        by_scale, by_shift = summed[:, 1] * normal.inverse, summed[:, 0].copy()
        by_dz, by_z, added = scale * normal.inverse, zero, zero
        if normal.of_batch:
            count = np.float32(rows * columns * images)
            by_z = -by_dz * normal.inverse * by_scale / count
            added = -by_dz * by_shift / count - by_z * normal.mean
        kernels.renormalise(dz, *where, normal.z, rows * width, by_dz, by_z, added, (rows, width))
        if found:
            self._weigh(slide, dz, seen, found)
            found[1][...] = 0 if normal.of_batch else by_shift * by_dz
            found[2][...], found[3][...] = by_scale, by_shift
        return dz

    def _unfinish_tail(
        self, tail: FastTail, slide: Slide, kept: Kept, own: list[Float32], by_out: Float32, found: list[Float32]
    ) -> Float32:
        """Fill the gradients of weights, biases and the tail's parameters; return that of z, flat."""
        rows, line, filters = self.convolution.grid[0], slide.back_width * slide.images, self.convolution.filters
        dz: Float32 = self._array("dz", (up(filters, FILTERS) * rows * line,), zero=True)
        biases, where = np.require(own[1], np.float32, "C"), (rows * line, line, slide.back_margin * slide.images)
        by_biases = tail.unfinish(dz, own[2:], kept[1], by_out, biases, found[2:] if found else None, where)
        if found:
            self._weigh(slide, dz, kept[0], found)
            found[1][...] = by_biases
        return dz

    def _weigh(self, slide: Slide, dz: Float32, seen: Float32, found: list[Float32]) -> None:
        """Fill the gradient of weights (F, C, K, K), given that of all sums."""
        (rows, columns), line = self.convolution.grid, slide.back_width * slide.images
        sums, each = self._array("g", (self._sums_of(slide),)), len(slide.offsets) // self.convolution.size
        where, tables = (rows * line, slide.back_margin * slide.images), (slide.offsets, self._rows(slide, rows, line))
        kernels.weigh(sums, dz, *where, seen, *tables, each, columns * slide.images)
        kernels.lane_sums(found[0], found[1], sums, self._array("db", (self.convolution.filters, LANES)))

    def _rows(self, slide: Slide, height: int, line: int) -> Any:
        """Return the table of rows of sums, of which `height` are kept, `line` floats apart."""
        found = self._memory.get(("rows of", slide.images, height, line))
        if found is None:
            found = self._memory["rows of", slide.images, height, line] = slide.rows.copy()
            found[:, 0] = np.arange(len(found)) % height * line
        return found

    def _sums_of(self, slide: Slide) -> int:
        """Return how many floats the sums of a weight gradient take: one vector per weight."""
        return up(self.convolution.filters, FILTERS) * len(slide.offsets) * LANES

    def _correlate_back(self, slide: Slide, dz: Float32, weights: Float32, back: Float32) -> None:
        """Fill the gradient of the maps (C, H, W, N)."""
        channels, stride, images = len(back), self.convolution.stride, slide.images
        if stride > self.convolution.size:  # no filter sees some rows and columns
            back[...] = 0
        for number, phase in enumerate(slide.phases):
            packed = self._packed(weights, ("w", number), phase.begin, stride)
            count, width = len(phase.rows) * phase.columns * images, phase.columns * images
            whole = stride == 1 and channels % FILTERS == 0  # the result already has the wanted layout
            found = back.reshape(-1) if whole else self._array(("dv", number), (up(channels, FILTERS) * count,))
            kernels.correlate(found, count, dz, phase.offsets, packed, phase.rows, phase.tiles, width)
            if not whole:
                maps = found[: channels * count].reshape(channels, len(phase.rows), phase.columns, images)
                back[:, phase.lines, phase.first :: stride] = maps

    def _windows(self, slide: Slide, columns: int) -> Any:
        """Return the offsets of a pooling window's values among rows of `columns` columns, (K K,)."""
        key = "windows", slide.images, columns
        if key not in self._memory:
            self._memory[key] = slide.windows(self.pool, columns)
        return self._memory[key]

    def _slide(self, images: int) -> Slide:
        found: Slide = self._memory.setdefault(("slide", images), Slide(self.convolution, images))
        return found

    def _packed(self, weights: Float32, name: Any, begin: tuple[int, int] | None = None, stride: int = 1) -> Float32:
        """Return weights (F, C, K, K), flat, in blocks of 8 filters; in blocks of 8 channels if `begin` is given."""
        filters, channels, size, _ = weights.shape
        back, (row, column) = begin is not None, begin or (0, 0)
        units, depth = (channels, filters) if back else (filters, channels)
        taps = len(range(row, size, stride)) * len(range(column, size, stride)) * depth
        packed = self._array(("packed", name), (up(units, FILTERS) // FILTERS, taps, FILTERS))
        kernels.pack(packed, np.require(weights, np.float32, ["C", "W"]), row, column, stride, back)
        flat: Float32 = packed.reshape(-1)
        return flat

    def _seen(self, slide: Slide, values: Float32, number: int) -> Float32:
        """Return maps as filters see them, with padding, flat."""
        channels, height, width = self.convolution.shape
        maps = self._whole(values, slide.images).reshape(channels, height, width, slide.images)
        if slide.plain:
            return maps.reshape(-1)
        stride = self.convolution.stride
        shape = (channels, height, stride, slide.width, slide.images)
        seen = self._array(("seen", number), shape, zero=True)
        kernels.spread(seen, maps, self.convolution.margins[1][0], stride)
        flat: Float32 = seen.reshape(-1)
        return flat
