"""How filters slide over maps, as tables for kernels/maps.py: where each tap reads, which taps a row of sums has.

Shapes: C channels of H x W, F filters of K x K, N images. Taps are numbered (i, j, c), with the rows and then the
columns of filters outermost, so that the taps that read no row or column of zeros are adjacent.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.numba.kernels.lanes import PLACES, WIDTH
from genreg_np.layers.convolution import Convolution

Int = NDArray[np.int64]


@dataclass(frozen=True)
class Slide:
    """How filters slide over maps, forward and backward; it depends only on a convolution and N."""

    layer: Convolution
    images: int  # N

    @functools.cached_property
    def plain(self) -> bool:
        """Whether filters read the maps as they are, without padding or stride."""
        return self.layer.stride == 1 and not any(sum(self.layer.margins, ()))

    @functools.cached_property
    def width(self) -> int:
        """W', columns of maps as filters see them, for each remainder of the stride."""
        left, right = self.layer.margins[1]
        return -(-(self.layer.shape[2] + left + right) // self.layer.stride)

    @functools.cached_property
    def offsets(self) -> Int:
        """Where each tap (i, j, c) reads, relative to the first one, (K K C,)."""
        (channels, height, _), size, stride = self.layer.shape, self.layer.size, self.layer.stride
        i, j, c = np.ogrid[:size, :size, :channels]
        row = stride * self.width * self.images
        places = (c * height + i) * row + ((j % stride) * self.width + j // stride) * self.images
        return np.ascontiguousarray(places.ravel(), np.int64)

    @functools.cached_property
    def rows(self) -> Int:
        """For each row of sums: its place among rows, its place in the maps, first and last row of taps, (rows, 4)."""
        _, height, _ = self.layer.shape
        rows, columns = self.layer.grid
        top = np.arange(rows) * self.layer.stride - self.layer.margins[0][0]
        first, last = (np.clip(end, 0, self.layer.size) for end in (-top, height - top))
        places = np.arange(rows) * columns * self.images, top * self.layer.stride * self.width * self.images
        return np.stack([*places, first, last], axis=1).astype(np.int64)

    @functools.cached_property
    def tiles(self) -> Int:
        """The tiles of a row of sums, (T, 4)."""
        left = np.arange(self.layer.grid[1]) * self.layer.stride - self.layer.margins[1][0]
        first, last = (np.clip(end, 0, self.layer.size) for end in (-left, self.layer.shape[2] - left))
        return tiles_of(first, last, self.layer.size, self.layer.shape[0], self.images)

    @functools.cached_property
    def back_margin(self) -> int:
        """Number of columns of zeros on either side of a row of gradients."""
        return -(-self.layer.size // self.layer.stride) - 1

    @functools.cached_property
    def back_width(self) -> int:
        """Columns of a row of gradients with its zeros; more zeros follow if the stride leaves columns of maps over."""
        last = (self.layer.shape[2] - 1 + self.layer.margins[1][0]) // self.layer.stride
        return self.back_margin + max(self.layer.grid[1] + self.back_margin, last + 1)

    def windows(self, size: int, columns: int) -> Int:
        """Return the offsets of a pooling window's values among rows of `columns` columns, (K K,)."""
        i, j = np.ogrid[:size, :size]
        return np.ascontiguousarray(((i * columns + j) * self.images).ravel(), np.int64)

    @functools.cached_property
    def phases(self) -> list[Phase]:
        """The gradient of the maps as sums over taps: with stride s, every s-th row and column at a time."""
        steps = range(self.layer.stride)
        found = (Phase.of(self, row, column) for row in steps for column in steps)
        return [phase for phase in found if len(phase.offsets) and len(phase.rows) and phase.columns]


@dataclass(frozen=True)
class Phase:
    """The gradient of every s-th row and column of the maps."""

    begin: tuple[int, int]  # the first row and column of filters that see them
    offsets: Int  # where each tap (i, j, f) reads
    rows: Int  # (R, 4)
    tiles: Int  # (T, 4)
    lines: Int  # (R,) their rows in the maps
    first: int  # first column in the maps
    columns: int  # number of columns

    @classmethod
    def of(cls, slide: Slide, row: int, column: int) -> Phase:
        """Return the phase of the rows y with (y + top) mod s = row, and the columns likewise."""
        layer, stride, images = slide.layer, slide.layer.stride, slide.images
        (_, height, width), (out_rows, out_columns) = layer.shape, layer.grid
        (top, _), (left, _) = layer.margins
        high, wide = len(range(row, layer.size, stride)), len(range(column, layer.size, stride))
        i, j, f = np.ogrid[:high, :wide, : layer.filters]
        line = slide.back_width * images
        offsets = np.ascontiguousarray(((f * out_rows - i) * line - j * images).ravel(), np.int64)
        lines, places = (
            np.arange((row - top) % stride, height, stride),
            np.arange((column - left) % stride, width, stride),
        )
        down, across = (lines + top) // stride, (places + left) // stride  # the sums that their first taps belong to
        first, last = np.clip(down - out_rows + 1, 0, high), np.clip(down + 1, 0, high)
        seen = down * line + (int(across[0]) + slide.back_margin if len(places) else 0) * images
        rows = np.stack([np.arange(len(lines)) * len(places) * images, seen, first, last], axis=1).astype(np.int64)
        begin, end = np.clip(across - out_columns + 1, 0, wide), np.clip(across + 1, 0, wide)
        tiles = tiles_of(begin, end, wide, layer.filters, images) if len(places) else np.empty((0, 4), np.int64)
        return cls((row, column), offsets, rows, tiles, lines, (column - left) % stride, len(places))


def tiles_of(first: Int, last: Int, size: int, depth: int, images: int) -> Int:
    """Return the tiles of a row of columns, (T, 4): place, begin and end of the taps that matter, taps of a row.

    Parameters
    ----------
    first, last : (columns,) int
        The taps of a row that see each column, or that it sees: the others read zeros.
    size, depth : int
        Taps of a row, and channels of each.
    """
    width = len(first) * images
    step = PLACES if width >= PLACES else WIDTH
    begin = np.minimum(np.arange(0, width, step), max(0, width - step))  # computing some places twice does no harm
    left, right = begin // images, (begin + step - 1) // images
    parts = np.array([(first[a : b + 1].min(), last[a : b + 1].max()) for a, b in zip(left, right, strict=True)])
    return np.column_stack([begin, parts * depth, np.full(len(begin), size * depth)]).astype(np.int64)
