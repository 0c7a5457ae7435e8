"""Convolution, activation and pooling of maps, forward and backward; layers/convolution.py is the specification.

Values are rows (W, N) of maps (C, H, W, N), images innermost: a tap that reads j columns further on reads j N floats
further on, so a row of sums is computed from whole rows without special cases at the edges. Rows are multiples of
LANES floats.

    spread       maps as filters see them: padded with columns of zeros, columns grouped by x mod s for a stride s
    correlate    rows of sums over taps, for the sums z and for the gradients of the maps
    convolve     rows of a = the largest of K x K values of leaky(scale z + shift), from rows of z
    finish       the same from all rows of z, if normalisation needs them first (sums_of, renormalise)
    drop         the values that dropout leaves
    unfinish     the backward pass: rows of dz from rows of da, and with them the gradients of weights and biases

Arrays are flat where places are computed.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels import lanes
from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.backends.numba.kernels.lanes import FILTERS, LANES, PLACES, TAPS, WIDTH

INT = np.int64


@kernel()
def spread(seen, maps, left, stride):
    """Fill seen (C, H, s, W', N) from maps (C, H, W, N): column x goes to remainder and quotient of (x + left) / s."""
    channels, height, width, images = maps.shape
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                out, own = seen[c, y, (x + left) % stride, (x + left) // stride], maps[c, y, x]
                for n in range(images):
                    out[n] = own[n]


@kernel()
def drop(left, values, words, least, factor):
    """Fill left (P, n) with values times a factor, or 0 where words (P, n), or (1, n), are below `least`."""
    for p in range(len(values)):
        out, own, row = left[p], values[p], words[p if len(words) > 1 else 0]
        for t in range(len(own)):
            out[t] = own[t] * (factor if row[t] >= least else np.float32(0))


@part()
def correlate_row(z, z_filter, z_place, v, v_place, offsets, first, last, tiles, w, width):
    """Fill one row of each filter of z, z_filter apart, with sums over rows first .. last - 1 of taps.

    tiles (T, 4): place in the row, begin and end of the taps of a row that read more than columns of zeros, and taps
    per row.
    """
    taps, count, each = len(offsets), len(w) // FILTERS, tiles[0, 3]
    size = PLACES if width >= PLACES else WIDTH
    for block in range(count // taps):
        place, weights = z_place + block * FILTERS * z_filter, INT(block * taps * FILTERS)
        for tile in range(len(tiles)):
            t, part = tiles[tile, 0], (tiles[tile, 1], tiles[tile, 2])
            if first >= last or part[0] >= part[1]:
                for f in range(FILTERS):
                    z[place + f * z_filter + t : place + f * z_filter + t + size] = np.float32(0)
            elif width >= PLACES:
                lanes.products(
                    z, INT(z_filter), INT(place + t), v, INT(v_place + t), offsets,
                    (first, last), part, each, w, weights,
                )  # fmt: skip
            else:
                lanes.products_of_one(
                    z, INT(z_filter), INT(place + t), v, INT(v_place + t), offsets,
                    (first, last), part, each, w, weights,
                )  # fmt: skip


@kernel()
def correlate(z, z_filter, v, offsets, w, rows, tiles, width):
    """Fill rows of z; rows (R, 4): place in z, place in v, and begin and end of the rows of taps."""
    for row in range(len(rows)):
        z_place, v_place, first, last = rows[row]
        correlate_row(z, z_filter, z_place, v, v_place, offsets, first, last, tiles, w, width)


@part()
def finish_row(a, places, at, z, z_place, offsets, columns, images, numbers):
    """Fill a row of a (columns N), and its places, with the largest value of each window of leaky(scale z + shift)."""
    scale, shift, leak, stride = numbers
    for x in range(columns):
        for n in range(0, images, WIDTH):
            place, seen = INT(at + x * images + n), INT(z_place + x * stride * images + n)
            lanes.largest(a, places, place, z, seen, offsets, scale, shift, leak)


@kernel()
def convolve(a, places, z, v, offsets, w, rows, tiles, scales, shifts, windows, shape, leak):
    """Fill a (F, R, columns N), flat, and its places from sums z (F8, K, W N): a few rows that stay in the cache."""
    out_rows, columns, images, size = shape
    filters, width = len(scales), z.shape[2]
    flat, apart = z.reshape(-1), z.shape[1] * width
    for row in range(out_rows):
        for y in range(size):
            _, v_place, first, last = rows[row * size + y]
            correlate_row(flat, apart, y * width, v, v_place, offsets, first, last, tiles, w, width)
        for f in range(filters):
            at, numbers = (f * out_rows + row) * columns * images, (scales[f], shifts[f], leak, size)
            finish_row(a, places, at, flat, f * apart, windows, columns, images, numbers)


@kernel()
def finish(a, places, z, rows, apart, scales, shifts, windows, shape, leak):
    """Fill a (F, R, columns N), flat, and its places from all sums z, with filters `apart` floats apart."""
    out_rows, columns, images, size = shape
    for f in range(len(scales)):
        for row in range(out_rows):
            at, numbers = (f * out_rows + row) * columns * images, (scales[f], shifts[f], leak, size)
            finish_row(a, places, at, z, f * apart + rows[row * size, 0], windows, columns, images, numbers)


@part()
def lane_sum(lanes):
    """Return the sum of LANES floats."""
    total = np.float32(0)
    for lane in range(LANES):
        total += lanes[lane]
    return total


@kernel()
def sums_of(totals, y, y_begin, y_line, y_apart, c, z, z_apart, m, shape):
    """Fill totals (F, 2) with sums of y and of (y - c) (z - m) over all rows of a filter.

    Rows of y are y_line apart and begin at y_begin, those of z are contiguous; c and m are (F,).
    """
    rows, width = shape
    for f in range(len(totals)):
        found = np.zeros(2 * LANES, np.float32)
        for row in range(rows):
            y_place, z_place = INT(f * y_apart + row * y_line + y_begin), INT(f * z_apart + row * width)
            lanes.moments(found, y, y_place, c[f], z, z_place, m[f], INT(width))
        for half in range(2):
            totals[f, half] = lane_sum(found[half * LANES :])


@kernel()
def renormalise(dz, begin, line, apart, z, z_apart, by_dz, by_z, added, shape):
    """Replace each row of dz by by_dz dz + by_z z + added, with factors (F,); rows as in `sums_of`."""
    rows, width = shape
    for f in range(len(added)):
        for row in range(rows):
            own, other = dz[f * apart + row * line + begin :], z[f * z_apart + row * width :]
            for t in range(width):
                own[t] = by_dz[f] * own[t] + by_z[f] * other[t] + added[f]


@part()
def weigh_row(g, dz, dz_filter, dz_place, v, v_place, offsets, first, last, each, width):
    """Add a row of dz to the weight gradients g (blocks, taps, 8, LANES), for rows first .. last - 1 of `each` taps."""
    taps = len(offsets)
    for block in range(len(g) // (taps * FILTERS * LANES)):
        place, own = INT(dz_place + block * FILTERS * dz_filter), INT(block * taps * FILTERS * LANES)
        tap, last_tap = first * each, last * each
        while tap + TAPS <= last_tap:
            lanes.gradients(g, own, dz, INT(dz_filter), place, v, INT(v_place), offsets, INT(tap), INT(width))
            tap += TAPS
        while tap < last_tap:
            lanes.gradients_of_one(g, own, dz, INT(dz_filter), place, v, INT(v_place), offsets, INT(tap), INT(width))
            tap += 1


@part()
def give_back_row(dz, dz_place, da, places, at, offsets, columns, images, stride, leak, total):
    """Fill the part of dz seen by a row of da (columns N), and add its gradient to total (LANES,)."""
    for x in range(columns):
        for n in range(0, images, WIDTH):
            place, seen = INT(at + x * images + n), INT(dz_place + x * stride * images + n)
            lanes.give_back(dz, seen, da, places, place, offsets, leak, total[n % LANES :])


@kernel()
def unfinish(g, sums, dz, da, places, v, offsets, rows, windows, shape, apart, begin, leak):
    """Fill dz from da (F, R, columns N), and the sums of gradients of weights, g, and of shifts, sums (F, LANES).

    A row of dz starts `begin` floats after its place in rows; filters are `apart` floats apart. Everything is computed
    row by row, while it is in the cache; g may be empty.
    """
    g[:], sums[:] = np.float32(0), np.float32(0)
    out_rows, columns, images, size, width, each = shape
    for row in range(out_rows):
        for f in range(len(sums)):
            at, place = (f * out_rows + row) * columns * images, rows[row * size, 0] + begin + f * apart
            give_back_row(dz, place, da, places, at, windows, columns, images, size, leak, sums[f])
        for y in range(size if len(g) else 0):
            z_place, v_place, first, last = rows[row * size + y]
            weigh_row(g, dz, apart, z_place + begin, v, v_place, offsets, first, last, each, width)


@kernel()
def weigh(g, dz, apart, begin, v, offsets, rows, each, width):
    """Fill the weight gradients g from all rows of dz."""
    g[:] = np.float32(0)
    for row in range(len(rows)):
        z_place, v_place, first, last = rows[row]
        weigh_row(g, dz, apart, z_place + begin, v, v_place, offsets, first, last, each, width)


@kernel()
def lane_sums(by_weights, by_biases, g, totals):
    """Fill gradients of weights (F, C, K, K) and biases (F,) from g (blocks, taps, 8, LANES) and totals (F, LANES)."""
    _, channels, size, _ = by_weights.shape
    for f in range(len(by_biases)):
        by_biases[f] = lane_sum(totals[f])
    for f in range(len(by_weights)):
        for c in range(channels):
            for i in range(size):
                for j in range(size):
                    tap = (i * size + j) * channels + c
                    place = (f // FILTERS * size * size * channels + tap) * FILTERS + f % FILTERS
                    by_weights[f, c, i, j] = lane_sum(g[place * LANES :])


@kernel()
def pack(packed, weights, row, column, stride, back):
    """Fill packed (blocks, taps, 8) with weights (F, C, K, K) at rows row, row + stride, ... and columns likewise.

    Sums z are computed per filter, over taps (i, j, c); gradients of maps per channel, over taps (i, j, f).
    """
    filters, channels, size, _ = weights.shape
    units, depth = (channels, filters) if back else (filters, channels)
    for unit in range(packed.shape[0] * FILTERS):
        tap = 0
        for i in range(row, size, stride):
            for j in range(column, size, stride):
                for other in range(depth):
                    value = np.float32(0)
                    if unit < units:
                        value = weights[other, unit, i, j] if back else weights[unit, other, i, j]
                    packed[unit // FILTERS, tap, unit % FILTERS] = value
                    tap += 1
