"""Layers after sums of maps: per-image normalisation, activation, pooling; forward and backward, in one pass.

The specification is layers/normalise.py, activation.py and pooling.py. Values are maps (C, H, W, N), images innermost,
flat; N is a multiple of LANES. A row of a map passes through all steps while it is in the cache; intermediate values
are not kept.

    n = (z + bias - mean) inverse   per image and group of channels; inverse = 1 / deviation
    x = scale n + shift             per channel
    a = f(x)                        kernels/activations.py
    largest or mean of windows      either disjoint, K x K (kernels/maps.py), or any, given by spans of rows and columns

The backward pass computes x again from z, which costs less than reading stored values.

`numbers` (7, N) hold values per image: m = mean - bias, factors a and b, a shift, zeros, and two rows for sums.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels import lanes
from genreg_np.backends.numba.kernels.activations import LEAKY, LINEAR, activate_row
from genreg_np.backends.numba.kernels.activations import give_back_row as give_back_activation
from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.backends.numba.kernels.lanes import WIDTH
from genreg_np.backends.numba.kernels.maps import finish_row, give_back_row

INT = np.int64
NONE, LARGEST, MEAN = range(3)  # of pooling
ZERO, ONE = np.float32(0), np.float32(1)
START, MEANS, ZEROS, TAKE, GIVE = (np.int64(number) for number in (0, 0, 4, 0, 1))  # rows of numbers; directions


@part()
def sum_row(totals, at, y, y_place, z, z_place, numbers, c, m, images, width):
    """Add a row's sums of y and of (y - c) (z - m) to totals (2, N) from `at` on; c and m are rows of numbers."""
    for n in range(0, images, WIDTH):
        c_place, m_place = INT(c * images + n), INT(m * images + n)
        lanes.of_images(
            totals, INT(at + n), y, INT(y_place + n), z, INT(z_place + n), numbers, c_place, m_place, images, width
        )


@part()
def find_moments(moments, mean_at, inverse_at, z, biases, first, last, numbers, totals, shape, epsilon):
    """Fill mean and 1 / deviation of each image over channels first .. last - 1."""
    height, line, images = shape
    count = np.float32((last - first) * height * (line // images))
    for again in range(2):
        for n in range(2 * images):
            totals[n] = ZERO
        for c in range(first, last):
            for n in range(images if again else 0):
                numbers[n] = moments[mean_at + n] - biases[c]
            for y in range(height):
                place, row = (c * height + y) * line, MEANS if again else ZEROS
                sum_row(totals, START, z, place, z, place, numbers, row, row, images, line)
        if again:
            for n in range(images):
                moments[inverse_at + n] = ONE / np.sqrt(totals[images + n] / count + epsilon)
        else:
            level = ZERO
            for c in range(first, last):
                level += biases[c]
            for n in range(images):
                moments[mean_at + n] = totals[n] / count + level / np.float32(last - first)


@part()
def set_numbers(numbers, moments, mean_at, inverse_at, bias, scale, shift, images):
    """Fill numbers with the terms that turn z into x."""
    for n in range(images):
        numbers[n] = moments[mean_at + n] - bias
        numbers[2 * images + n] = moments[inverse_at + n] * scale
        numbers[3 * images + n] = shift


@part()
def fill_row(row, place, z, z_place, numbers, normal, bias, images, line):
    """Fill a row with x."""
    if normal:
        for n in range(0, images, WIDTH):
            lanes.place_images(row, INT(place + n), z, INT(z_place + n), numbers, INT(n), images, line)
        return
    own, seen = row[place : place + line], z[z_place : z_place + line]
    for t in range(len(own)):
        own[t] = seen[t] + bias


@part()
def mean_row(a, at, by, place, columns, height, way, images):
    """Add a row's share to the means of windows of `height` rows, or the means' gradients to the row's gradients."""
    for s in range(len(columns)):
        begin, end = columns[s]
        share, width = ONE / np.float32(height * (end - begin)), (end - begin) * images
        for n in range(0, images, WIDTH):
            mean, first = INT(at + s * images + n), INT(place + begin * images + n)
            if way == GIVE:
                lanes.share_images(a, mean, by, first, share, images, width)
            else:
                lanes.add_images(a, mean, by, first, share, images, width)


@part()
def pool_row(a, places, at, row, columns, first, start, images):
    """Update the windows' largest values with a row, which may be their first; its places begin at `start`."""
    for s in range(len(columns)):
        out, where = a[at + s * images : at + (s + 1) * images], places[at + s * images : at + (s + 1) * images]
        begin, end = columns[s]
        for x in range(begin, end):
            own, number = row[x * images : (x + 1) * images], np.int32(start * (end - begin) + x - begin)
            if first and x == begin:
                for n in range(len(out)):
                    out[n], where[n] = own[n], number
            else:
                for n in range(len(out)):
                    larger = own[n] > out[n]
                    where[n] = number if larger else where[n]
                    out[n] = own[n] if larger else out[n]


@part()
def set_to_zero(values):
    """Fill values with zeros."""
    for t in range(len(values)):
        values[t] = ZERO


@kernel()
def finish(a, tap, places, moments, z, biases, scales, shifts, curves, leak, spans, windows, numbers, rows, shape):
    """Fill a (C, R, S, N), and the place of each largest value in its window, from z (C, H, W, N).

    These places go to tap, as bytes, for disjoint windows, whose offsets are windows (K K,); otherwise to places.
    moments (2, G, N) are filled; G is 0 without normalisation. curves (C, 3) are the activation's constants; for
    disjoint windows the pooling applies the leaky activation. spans: begin and end of windows in rows (R, 2) and
    columns (S, 2). rows (K W N,) and numbers (7, N) are scratch memory. shape: C, H, W, N, G, activation, pooling.
    """
    channels, height, width, images, groups, code, method = shape
    (down, across), line, apart = spans, width * images, len(windows) > 0
    size, out_line, epsilon = channels // groups if groups else 0, len(across) * images, np.float32(1e-5)
    for n in range(images):
        numbers[4 * images + n] = ZERO
    for c in range(channels):
        p, q, r = curves[c]
        if groups:
            mean_at, inverse_at = c // size * images, (groups + c // size) * images
            if c % size == 0:
                what = (height, line, images)
                totals = numbers[5 * images :]
                find_moments(moments, mean_at, inverse_at, z, biases, c, c + size, numbers, totals, what, epsilon)
            set_numbers(numbers, moments, mean_at, inverse_at, biases[c], scales[c], shifts[c], images)
        for out in range(len(down)):
            begin, end = down[out]
            to = (c * len(down) + out) * out_line
            if method == MEAN:
                set_to_zero(a[to : to + out_line])
            for y in range(begin, end):
                row, place = (a, to) if method == NONE else (rows, (y - begin) * line if apart else 0)
                fill_row(row, place, z, (c * height + y) * line, numbers, groups > 0, biases[c], images, line)
                own = row[place : place + line]
                activate_row(own, code, p, q, r)
                if method == MEAN:
                    mean_row(a, to, rows, START, across, end - begin, TAKE, images)
                elif method == LARGEST and not apart:
                    pool_row(a, places, to, own, across, y == begin, y - begin, images)
            if apart:
                finish_row(a, tap, to, rows, START, windows, len(across), images, (ONE, ZERO, leak, end - begin))


@part()
def share_row(by, da, places, at, columns, start, images):
    """Add the gradients of the largest values that lie in a row to the row's gradients; see `pool_row`."""
    for s in range(len(columns)):
        back, where = da[at + s * images : at + (s + 1) * images], places[at + s * images : at + (s + 1) * images]
        begin, end = columns[s]
        for x in range(begin, end):
            own, number = by[x * images : (x + 1) * images], np.int32(start * (end - begin) + x - begin)
            for n in range(len(own)):
                own[n] += back[n] if where[n] == number else ZERO


@part()
def denormalise(dz, sums, moments, z, biases, scales, first, last, group, numbers, shape, where):
    """Turn a group's gradients of x into gradients of z, and add these up."""
    height, line, images, groups = shape
    apart, dz_line, begin = where
    mean_at, inverse_at = group * images, (groups + group) * images
    count = np.float32((last - first) * height * (line // images))
    level, along = numbers[5 * images : 6 * images], numbers[6 * images : 7 * images]
    for n in range(images):
        level[n], along[n] = ZERO, ZERO
    for c in range(first, last):
        own = sums[6 * c * images : 6 * (c + 1) * images]
        for n in range(images):
            own[images + n] *= moments[inverse_at + n]
            level[n] += own[n] * scales[c]
            along[n] += own[images + n] * scales[c]
    for c in range(first, last):
        for n in range(images):
            inverse = moments[inverse_at + n]
            numbers[n] = moments[mean_at + n] - biases[c]
            numbers[images + n] = inverse * scales[c]
            numbers[2 * images + n] = -inverse * inverse * along[n] / count
            numbers[3 * images + n] = -inverse * level[n] / count
        for y in range(height):
            place, z_place = INT(c * apart + y * dz_line + begin), INT((c * height + y) * line)
            for n in range(0, images, WIDTH):
                lanes.move_images(dz, INT(place + n), z, INT(z_place + n), numbers, INT(n), images, line)
            if last - first > 1:  # for a single channel they add up to 0
                sum_row(sums, (6 * c + 4) * images, dz, place, z, z_place, numbers, ZEROS, ZEROS, images, line)


@kernel()
def unfinish(
    dz, sums, da, tap, places, moments, z, biases, scales, shifts, curves, leak, spans, windows, numbers, rows, shape,
    where, learned,
):  # fmt: skip
    """Fill dz, whose layout is given by `where`, and sums (C, 6, N), from da (C, R, S, N).

    sums are per image: 0 gradients of x, 1 these times n, 3 gradients of a times x where x < 0, 4 dz if other channels
    contribute to it; sums that no parameter needs are omitted. spans: also the rows of a that see a row of z (H, 2).
    rows (2 W N,) and numbers (7, N) are scratch memory; the other arguments are as in `finish`.
    """
    channels, height, width, images, groups, code, method = shape
    (apart, dz_line, begin), (down, across, seen) = where, spans
    line, out_line, size = width * images, len(across) * images, channels // groups if groups else 1
    set_to_zero(sums)
    set_to_zero(numbers)
    side = down[0, 1] - down[0, 0]
    pooled, total = side * out_line, rows[line : line + lanes.LANES]
    for c in range(channels):
        p, q, r = curves[c]
        if groups:
            mean_at, inverse_at = c // size * images, (groups + c // size) * images
            set_numbers(numbers, moments, mean_at, inverse_at, biases[c], scales[c], shifts[c], images)
        for y in range(height):
            place, z_place = c * apart + y * dz_line + begin, (c * height + y) * line
            by = dz[place : place + line]
            if method == NONE:
                back = da[z_place : z_place + line]
                for t in range(len(by)):
                    by[t] = back[t]
            elif len(windows) > 0:
                out = y // side
                if out < len(down) and y % side == 0:
                    at = (c * len(down) + out) * out_line
                    give_back_row(dz, place, da, tap, at, windows, len(across), images, side, leak, total)
                set_to_zero(by[pooled if out < len(down) else 0 :])
            else:
                set_to_zero(by)
                for out in range(seen[y, 0], seen[y, 1]):
                    first, last = down[out]
                    at = (c * len(down) + out) * out_line
                    if method == MEAN:
                        mean_row(da, at, dz, place, across, last - first, GIVE, images)
                    else:
                        share_row(by, da, places, at, across, y - first, images)
            if code != LINEAR:
                fill_row(rows, START, z, z_place, numbers, groups > 0, biases[c], images, line)
                own = rows[:line]
                if learned and code == LEAKY:
                    low = rows[line : 2 * line]
                    for t in range(len(own)):
                        low[t] = ZERO if own[t] > ZERO else own[t]
                    sum_row(sums, (6 * c + 2) * images, dz, place, rows, line, numbers, ZEROS, ZEROS, images, line)
                give_back_activation(by, own, code, p, q, r)
            if groups or learned:
                sum_row(sums, 6 * c * images, dz, place, z, z_place, numbers, ZEROS, MEANS, images, line)
        if groups and (c + 1) % size == 0:
            what = (height, line, images, groups)
            denormalise(dz, sums, moments, z, biases, scales, c + 1 - size, c + 1, c // size, numbers, what, where)
            set_to_zero(numbers[4 * images :])
