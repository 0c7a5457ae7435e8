"""What comes after sums of maps: normalisation of each image, activation, pooling; forward and back, in one pass.

The specification is layers/normalise.py, activation.py and pooling.py. Values are maps (C, H, W, N), images innermost;
N is any number. A row of a map (W, N) goes through all steps while it is near; nothing between the steps is kept.

    n = (z - mean) inverse     of each image and group of channels; inverse = 1 / deviation
    x = scale n + shift        of each channel
    a = f(x)                   kernels/activations.py
    largest or mean of windows, from a row and a column before another row and column

On the way back x is computed again from z, which costs less than reading what would have been kept.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.activations import LEAKY, activate_row, give_back_row
from genreg_np.backends.numba.kernels.jit import kernel, part

NONE, LARGEST, MEAN = range(3)  # of pooling
ZERO, ONE = np.float32(0), np.float32(1)


@part()
def find_moments(moments, z, group, channels, epsilon):
    """Fill moments (2, G, N) of a group with mean and 1 / deviation of its channels' values."""
    mean, inverse = moments[0, group], moments[1, group]
    _, height, width, images = z.shape
    count = np.float32(channels * height * width)
    for n in range(images):
        mean[n], inverse[n] = ZERO, ZERO
    for c in range(group * channels, (group + 1) * channels):
        for y in range(height):
            for x in range(width):
                own = z[c, y, x]
                for n in range(images):
                    mean[n] += own[n]
    for n in range(images):
        mean[n] /= count
    for c in range(group * channels, (group + 1) * channels):
        for y in range(height):
            for x in range(width):
                own = z[c, y, x]
                for n in range(images):
                    inverse[n] += (own[n] - mean[n]) * (own[n] - mean[n])
    for n in range(images):
        inverse[n] = ONE / np.sqrt(inverse[n] / count + epsilon)


@part()
def normalise_row(row, z, mean, inverse, scale, shift):
    """Fill a row (W, N) with normalised values of another."""
    for x in range(len(row)):
        to, own = row[x], z[x]
        for n in range(len(to)):
            to[n] = (own[n] - mean[n]) * inverse[n] * scale + shift


@part()
def pool_row(a, places, row, columns, first, start, method):
    """Take a row (W, N), the first of its windows or not, into a row (S, N) of what is pooled.

    Its values have places from `start` on in windows; columns (S, 2) are where windows begin and end.
    """
    for s in range(len(columns)):
        out, where = a[s], places[s]
        begin, end = columns[s]
        place = start * (end - begin)
        for x in range(begin, end):
            own = row[x]
            if first and x == begin:
                for n in range(len(out)):
                    out[n], where[n] = own[n], np.int32(0)
            elif method == MEAN:
                for n in range(len(out)):
                    out[n] += own[n]
            else:
                number = np.int32(place)
                for n in range(len(out)):
                    larger = own[n] > out[n]
                    where[n] = number if larger else where[n]
                    out[n] = own[n] if larger else out[n]
            place += 1


@kernel()
def finish(a, places, moments, z, scales, shifts, curves, rows, columns, scratch, shape, epsilon):
    """Fill a (C, R, S, N), and places of the largest values, from z (C, H, W, N).

    moments (2, G, N) are filled; G is 0 without normalisation. curves (C, 3) are numbers of the activation. scratch
    (2, W, N). shape: the activation, the pooling; without it R and S are H and W.
    """
    code, method = shape
    channels, _, width, images = z.shape
    groups, row = moments.shape[1], scratch[0]
    size = channels // groups if groups else 0
    flat = row.reshape(-1)
    for c in range(channels):
        p, q, r = curves[c]
        if groups and c % size == 0:
            find_moments(moments, z, c // size, size, epsilon)
        for out in range(len(rows)):
            begin, end = rows[out]
            for y in range(begin, end):
                if method == NONE:
                    row = a[c, y]
                    flat = row.reshape(-1)
                if groups:
                    group = c // size
                    normalise_row(row, z[c, y], moments[0, group], moments[1, group], scales[c], shifts[c])
                else:
                    own = z[c, y].reshape(-1)
                    for t in range(width * images):
                        flat[t] = own[t]
                activate_row(flat, code, p, q, r)
                if method != NONE:
                    pool_row(a[c, out], places[c, out], row, columns, y == begin, y - begin, method)
            if method == MEAN:
                for s in range(len(columns)):
                    pooled, share = a[c, out, s], ONE / np.float32((end - begin) * (columns[s, 1] - columns[s, 0]))
                    for n in range(images):
                        pooled[n] *= share


@part()
def share_row(by, da, places, columns, height, start, method):
    """Add to gradients (W, N) of a row what a row (S, N) of those by what is pooled gives to it; see `pool_row`."""
    for s in range(len(columns)):
        back, where = da[s], places[s]
        begin, end = columns[s]
        place, share = start * (end - begin), ONE / np.float32(height * (end - begin))
        for x in range(begin, end):
            own, number = by[x], np.int32(place)
            if method == MEAN:
                for n in range(len(own)):
                    own[n] += back[n] * share
            else:
                for n in range(len(own)):
                    own[n] += back[n] if where[n] == number else ZERO
            place += 1


@kernel()
def unfinish(dz, sums, da, places, moments, z, scales, shifts, curves, rows, columns, seen, scratch, shape):
    """Fill dz (C, H, W, N), and sums (C, 3, N), from da (C, R, S, N).

    Of sums each image's: that of da n, of da, and, for slopes of a prelu, of da x where x < 0. seen (H, 2): which rows
    of a see a row of z, the first and one after the last. The rest as `finish` has it.
    """
    code, method = shape
    channels, height, width, images = z.shape
    groups, row = moments.shape[1], scratch[0]
    size = channels // groups if groups else 1
    count, flat = np.float32(size * height * width), row.reshape(-1)
    for c in range(channels):
        p, q, r = curves[c]
        by_scale, by_shift, by_slope = sums[c]
        for n in range(images):
            by_scale[n], by_shift[n], by_slope[n] = ZERO, ZERO, ZERO
        for y in range(height):
            by = dz[c, y]
            by_flat = by.reshape(-1)
            if method == NONE:
                back = da[c, y].reshape(-1)
                for t in range(len(by_flat)):
                    by_flat[t] = back[t]
            else:
                for t in range(len(by_flat)):
                    by_flat[t] = ZERO
                for out in range(seen[y, 0], seen[y, 1]):
                    begin, end = rows[out]
                    share_row(by, da[c, out], places[c, out], columns, end - begin, y - begin, method)
            if groups:
                group = c // size
                normalise_row(row, z[c, y], moments[0, group], moments[1, group], scales[c], shifts[c])
            else:
                own = z[c, y].reshape(-1)
                for t in range(width * images):
                    flat[t] = own[t]
            for x in range(width if code == LEAKY else 0):
                back, own = by[x], row[x]
                for n in range(images):
                    by_slope[n] += back[n] * (ZERO if own[n] > ZERO else own[n])
            give_back_row(by_flat, flat, code, p, q, r)
            if groups:
                group = c // size
                mean, inverse = moments[0, group], moments[1, group]
                for x in range(width):
                    back, own = by[x], z[c, y, x]
                    for n in range(images):
                        by_scale[n] += back[n] * ((own[n] - mean[n]) * inverse[n])
                        by_shift[n] += back[n]
        if groups and (c + 1) % size == 0:
            group = c // size
            mean, inverse = moments[0, group], moments[1, group]
            along, level = scratch[1].reshape(-1)[:images], scratch[0].reshape(-1)[:images]
            for n in range(images):
                along[n], level[n] = ZERO, ZERO
            for own in range(c + 1 - size, c + 1):
                for n in range(images):
                    along[n] += sums[own, 0, n] * scales[own]
                    level[n] += sums[own, 1, n] * scales[own]
            for n in range(images):
                along[n] /= count
                level[n] /= count
            for own in range(c + 1 - size, c + 1):
                for y in range(height):
                    for x in range(width):
                        back, value = dz[own, y, x], z[own, y, x]
                        for n in range(images):
                            normal = (value[n] - mean[n]) * inverse[n]
                            back[n] = inverse[n] * (back[n] * scales[own] - level[n] - normal * along[n])
