"""How filters slide over maps, as tables for kernels/maps.py: where each tap looks, which taps a row of sums has.

Shapes: C channels of H x W, F filters of K x K, N images. Taps are numbered (i, c, j), rows of filters outermost, so
that those of a row of sums that look at no row of zeros are neighbours.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.convolution import Convolution

Int = NDArray[np.int64]


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
        """Columns of a row of gradients with its zeros; more after it where a stride leaves columns of maps over."""
        last = (self.layer.shape[2] - 1 + self.layer.margins[1][0]) // self.layer.stride
        return self.back_margin + max(self.layer.grid[1] + self.back_margin, last + 1)

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
        (_, height, width), (out_rows, _) = layer.shape, layer.grid
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
