"""Gradient descent of P networks (backends/gradients.py), a network to a thread for some steps at a time.

A network's weights and memories stay in one core's cache for all its steps; stepping all networks together would move
them through main memory in every step. Which thread takes a network changes nothing in it.

Inputs that are dark in a whole batch add nothing to any sum and their weights have no slope, so only the lit ones are
multiplied. The first layer's weights lie transposed, (I, O), while this goes on: the lit inputs' weights are then whole
rows, and so are their slopes.

Shapes: P networks, D genes, S steps, N images of a batch, I inputs and O units of a layer, W lit inputs of a batch.
`first`, `second` (P, D) are the optimiser's memories: (v, -), (s, -) or (v, s), see layers/optimisers.py.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from genreg_np.backends.numba.kernels.bits import ZERO, copy
from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.backends.numba.kernels.network import activate, exponential

TILE_ROWS = 128  # rows of weights whose slopes are held at a time: a fixed number, small enough for the cache
MOST_LIT = 0.9  # with more inputs lit than this fraction, dark ones are multiplied too
SGD, RMSPROP, ADAM = 0, 1, 2
EPSILON = np.float32(1e-8)


@kernel()
def gather(columns, lit, counts, features, rows, first, last):
    """Fill columns (S, I, N) with the lit inputs of features' rows (S, N), lit (S, I) with which they are.

    counts (S,) says how many they are: all where so few are dark that leaving them out gains nothing.
    """
    images, inputs = rows.shape[1], features.shape[1]
    for s in range(first, last):
        seen = np.zeros(inputs, np.uint8)
        for i in range(images):
            row = features[rows[s, i]]
            for j in range(inputs):
                seen[j] |= row[j] != 0
        count = ZERO
        for j in range(inputs):
            count += seen[j]
        if count > MOST_LIT * inputs or count == 0:
            seen[:] = 1
            count = inputs
        counts[s] = count
        at = 0
        for j in range(inputs):
            if seen[j]:
                lit[s, at] = j
                at += 1
        for i in range(images):
            row = features[rows[s, i]]
            for j in range(count):
                columns[s, j, i] = row[lit[s, j]]


@part()
def slope_of_loss(logits, labels):
    """Replace logits (K, N) by the slope of the mean loss, (p - [k = label]) / N; return the sum of losses."""
    classes, images = logits.shape
    top, total = np.empty(images, np.float32), np.zeros(images, np.float32)
    copy(top, logits[0])
    for k in range(1, classes):
        for i in range(images):
            top[i] = max(top[i], logits[k, i])
    loss = 0.0
    for i in range(images):
        loss += top[i] - logits[labels[i], i]
    for k in range(classes):
        for i in range(images):
            shifted = logits[k, i] - top[i]
            # Written so that a NaN is not lost: it must reach the loss.
            logits[k, i] = exponential(max(shifted, np.float32(-87))) if shifted == shifted else shifted
            total[i] += logits[k, i]
    share = np.float32(1 / images)
    for k in range(classes):
        for i in range(images):
            logits[k, i] = logits[k, i] / total[i] * share
    for i in range(images):
        loss += math.log(total[i])
        logits[labels[i], i] -= share
    return loss


@part()
def times_slope(slope, values, code):
    """Multiply slope (O, N) by f'(z), told from the values f(z); `code` as in base.ACTIVATION_CODES."""
    flat, known = slope.reshape(slope.size), values.reshape(values.size)
    if code == 1:
        for i in range(len(flat)):
            flat[i] *= np.float32(1) - known[i] * known[i]
    elif code == 2:
        for i in range(len(flat)):
            flat[i] = flat[i] if known[i] > 0 else flat[i] * np.float32(0)
    elif code == 3:
        for i in range(len(flat)):
            flat[i] = flat[i] if known[i] > 0 else flat[i] * np.float32(0.01)
    elif code == 4:
        for i in range(len(flat)):
            flat[i] *= known[i] * (np.float32(1) - known[i])


@part()
def change(genes, slopes, first, second, how):
    """Do one step on genes (n,), in place; `how` is (code, rate, momentum, square memory, scale)."""
    code, rate, momentum, kept, scale = how
    one = np.float32(1)
    if code == SGD:
        for i in range(len(genes)):
            first[i] = first[i] * momentum + slopes[i]
            genes[i] -= first[i] * rate
    elif code == RMSPROP:
        for i in range(len(genes)):
            first[i] = first[i] * kept + slopes[i] * slopes[i] * (one - kept)
            genes[i] -= slopes[i] / (np.sqrt(first[i]) + EPSILON) * rate
    else:
        for i in range(len(genes)):
            first[i] = first[i] * momentum + slopes[i] * (one - momentum)
            second[i] = second[i] * kept + slopes[i] * slopes[i] * (one - kept)
            genes[i] -= first[i] / (np.sqrt(second[i]) * scale + EPSILON) * rate


@part()
def change_first(genes, first, second, slope, columns, lit, how):
    """Do one step on the first layer's weights, genes (I O,): slopes x dz^T for the lit inputs, 0 for the others."""
    height = len(slope)
    inputs, turned = len(genes) // height, np.ascontiguousarray(slope.T)
    none, done = np.zeros(TILE_ROWS * height, np.float32), 0
    for tile in range(0, len(columns), TILE_ROWS):
        product = np.dot(columns[tile : tile + TILE_ROWS], turned)
        slopes = product.reshape(product.size)
        k, stop = tile, min(len(columns), tile + TILE_ROWS)
        while k < stop:
            change_evenly(genes, first, second, none, done * height, lit[k] * height, how)
            run = 1  # neighbours that are lit too
            while k + run < stop and lit[k + run] == lit[k] + run:
                run += 1
            begin, end = lit[k] * height, (lit[k] + run) * height
            at, k, done = (k - tile) * height, k + run, lit[k] + run
            change(genes[begin:end], slopes[at : at + end - begin], first[begin:end], second[begin:end], how)
    change_evenly(genes, first, second, none, done * height, inputs * height, how)


@part()
def change_evenly(genes, first, second, slopes, begin, end, how):
    """Do one step on genes begin .. end, which all have the slopes given, or as many of these as are needed."""
    for start in range(begin, end, len(slopes)):
        stop = min(end, start + len(slopes))
        change(genes[start:stop], slopes[: stop - start], first[start:stop], second[start:stop], how)


@part()
def first_products(genes, columns, lit):
    """Return W x (O, N) of the first layer, genes (I, O), for the lit inputs' columns (W, N)."""
    if len(lit) == len(genes):
        return np.dot(genes.T, columns)
    weights = np.empty((len(lit), genes.shape[1]), np.float32)
    for k in range(len(lit)):
        copy(weights[k], genes[lit[k]])
    return np.dot(weights.T, columns)


@part()
def step_network(genes, first, second, layers, columns, lit, labels, how):
    """Do one step of one network (D,) on a batch, columns (W, N); return the sum of its images' losses."""
    images, depth = columns.shape[1], len(layers)
    at = ZERO
    for layer in range(depth):
        at += layers[layer, 1]
    values = np.empty((at, images), np.float32)  # of all layers
    at = ZERO
    for layer in range(depth):
        width, height, start, code = layers[layer]
        middle = start + width * height
        if layer == 0:
            out = first_products(genes[start:middle].reshape(width, height), columns, lit)
        else:
            out = np.dot(genes[start:middle].reshape(height, width), values[at - width : at])
        activate(out, genes[middle : middle + height], code)
        for row in range(height):
            copy(values[at + row], out[row])
        at += height
    slope = np.empty((layers[depth - 1, 1], images), np.float32)
    for row in range(len(slope)):
        copy(slope[row], values[at - len(slope) + row])
    loss = slope_of_loss(slope, labels)
    for back in range(depth):
        layer = depth - 1 - back
        width, height, start, _ = layers[layer]
        middle = start + width * height
        at -= height
        sums = np.empty(height, np.float32)
        for row in range(height):
            total = np.float32(0)
            for i in range(images):
                total += slope[row, i]
            sums[row] = total
        if layer == 0:
            change_first(genes[start:middle], first[start:middle], second[start:middle], slope, columns, lit, how)
            below = slope
        else:
            below = np.dot(genes[start:middle].reshape(height, width).T, slope)
            source = values[at - width : at]
            times_slope(below, source, layers[layer - 1, 3])
            for row in range(0, height, TILE_ROWS):
                stop = min(height, row + TILE_ROWS)
                slopes = np.dot(slope[row:stop], source.T)
                begin, end = start + row * width, start + stop * width
                change(genes[begin:end], slopes.reshape(slopes.size), first[begin:end], second[begin:end], how)
        stop = middle + height
        change(genes[middle:stop], sums, first[middle:stop], second[middle:stop], how)
        slope = below
    return loss


@kernel()
def descend(genes, first, second, losses, layers, batches, labels, hows, begin, end):
    """Do S steps of networks (P, D) on what `gather` filled and labels (S, N); add their losses to losses (P,).

    `hows` (S, 5) is what `change` needs in each step.
    """
    columns, lit, counts = batches
    for p in range(begin, end):
        other = second[p] if len(second) else first[p]
        for s in range(len(labels)):
            row, count = hows[s], counts[s]
            how = (int(row[0]), row[1], row[2], row[3], row[4])
            losses[p] += step_network(
                genes[p], first[p], other, layers, columns[s, :count], lit[s, :count], labels[s], how
            )


@kernel()
def transpose_first(target, genes, inputs, units, first, last):
    """Fill target (P, D) with genes whose first layer (units, inputs) is turned over, and the rest as it is."""
    middle = inputs * units
    for p in range(first, last):
        source, into = genes[p, :middle].reshape(units, inputs), target[p, :middle].reshape(inputs, units)
        for j in range(inputs):
            for u in range(units):
                into[j, u] = source[u, j]
        copy(target[p, middle:], genes[p, middle:])
