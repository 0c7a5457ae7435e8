"""Gradient descent of P networks (backends/gradients.py): each thread takes one network for some steps at a time.

A network's weights and moments stay in one core's cache for all its steps; stepping all networks together would move
them through main memory in every step. The result does not depend on which thread takes a network.

Inputs that are 0 in a whole batch add nothing to any sum and the gradients of their weights are 0, so only the active
inputs are multiplied. During training the first layer's weights are stored transposed, (I, O): the active inputs'
weights are then whole rows, and so are their gradients.

Shapes: P networks, D genes, S steps, N images of a batch, I inputs and O units of a layer, W active inputs of a batch.
`first`, `second` (P, D) are the optimiser's moments: (v, -), (s, -) or (v, s), see layers/optimisers.py.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from genreg_np.backends.numba.kernels.bits import ZERO, copy
from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.backends.numba.kernels.network import (
    LEAKY_RELU,
    LINEAR,
    RELU,
    SIGMOID,
    TANH,
    activate,
    exponential,
    multiply_turned,
    product,
)
from genreg_np.layers import optimisers

TILE_ROWS = 128  # rows of weights whose gradients are held at a time: a fixed number, small enough for the cache
MOST_ACTIVE = 0.9  # if a larger fraction of inputs is active, inactive ones are multiplied too
SGD, RMSPROP, ADAM = range(3)  # optimiser codes, used only by these kernels
EPSILON = np.float32(optimisers.EPSILON)


@kernel()
def gather(columns, active, counts, features, rows, first, last):
    """Fill columns (S, I, N) with the active inputs of features' rows (S, N), and active (S, I) with their numbers.

    counts (S,) are filled with how many are active: all, if so few are inactive that skipping them gains nothing.
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
        if count > MOST_ACTIVE * inputs or count == 0:
            for j in range(inputs):
                seen[j] = 1
            count = inputs
        counts[s] = count
        at = 0
        for j in range(inputs):
            if seen[j]:
                active[s, at] = j
                at += 1
        for i in range(images):
            row = features[rows[s, i]]
            for j in range(count):
                columns[s, j, i] = row[active[s, j]]


@part()
def gradient_of_loss(gradient, logits, labels):
    """Fill gradient (K, N) of the mean loss, (p - [k = label]) / N, from logits (K, N); return the sum of losses."""
    classes, images = logits.shape
    top, total = np.empty(images, np.float32), np.empty(images, np.float32)
    for i in range(images):
        top[i], total[i] = logits[0, i], np.float32(0)
    for k in range(1, classes):
        row = logits[k]
        for i in range(images):
            top[i] = max(top[i], row[i])
    loss = 0.0
    for i in range(images):
        loss += top[i] - logits[labels[i], i]
    for k in range(classes):
        row, target = logits[k], gradient[k]
        for i in range(images):
            shifted = row[i] - top[i]
            # Written so that a NaN reaches the loss.
            value = exponential(max(shifted, np.float32(-87))) if shifted == shifted else shifted
            target[i] = value
            total[i] += value
    share = np.float32(1 / images)
    for k in range(classes):
        target = gradient[k]
        for i in range(images):
            target[i] = target[i] / total[i] * share
    for i in range(images):
        loss += math.log(total[i])
        gradient[labels[i], i] -= share
    return loss


@kernel()
def times_derivative(back, gradient, values, code):
    """Fill back (O, N) with gradient (O, N) times f'(z), from the values f(z); `code` as in base.ACTIVATION_CODES."""
    for row in range(len(gradient)):
        target, given, known = back[row], gradient[row], values[row]
        if code == LINEAR:
            copy(target, given)
        elif code == TANH:
            for i in range(len(target)):
                target[i] = given[i] * (np.float32(1) - known[i] * known[i])
        elif code in (RELU, LEAKY_RELU):
            below = np.float32(0) if code == RELU else np.float32(0.01)
            for i in range(len(target)):
                target[i] = given[i] if known[i] > 0 else given[i] * below
        elif code == SIGMOID:
            for i in range(len(target)):
                target[i] = given[i] * (known[i] * (np.float32(1) - known[i]))


@part()
def product_turned(first, second, out):
    """Fill out (O, N) with first^T second, from first (I, O), which is not copied, and second (I, N)."""
    np.dot(first.T, second, out)


@part()
def change(genes, gradients, first, second, how):
    """Update genes (n,) by one step, in place; `how` is (code, rate, momentum, square decay, scale)."""
    code, rate, momentum, kept, scale = how
    one = np.float32(1)
    if code == SGD:
        for i in range(len(genes)):
            velocity = first[i] * momentum + gradients[i]
            first[i] = velocity
            genes[i] -= velocity * rate
    elif code == RMSPROP:
        for i in range(len(genes)):
            square = first[i] * kept + gradients[i] * gradients[i] * (one - kept)
            first[i] = square
            genes[i] -= gradients[i] / (np.sqrt(square) + EPSILON) * rate
    else:
        for i in range(len(genes)):
            velocity = first[i] * momentum + gradients[i] * (one - momentum)
            square = second[i] * kept + gradients[i] * gradients[i] * (one - kept)
            first[i], second[i] = velocity, square
            genes[i] -= velocity / (np.sqrt(square) * scale + EPSILON) * rate


@part()
def change_first(genes, first, second, gradient, columns, active, how):
    """Update the first layer's weights, genes (I O,): gradients x dz^T for active inputs, 0 for others."""
    height, images = gradient.shape
    inputs, turned = len(genes) // height, np.empty((images, height), np.float32)
    for i in range(images):
        for row in range(height):
            turned[i, row] = gradient[row, i]
    none, found, done = np.zeros(TILE_ROWS * height, np.float32), np.empty((TILE_ROWS, height), np.float32), ZERO
    gradients = found.reshape(TILE_ROWS * height)
    for tile in range(0, len(columns), TILE_ROWS):
        k, stop = tile, min(len(columns), tile + TILE_ROWS)
        product(columns[tile:stop], turned, found[: stop - tile])
        while k < stop:
            change_evenly(genes, first, second, none, done * height, active[k] * height, how)
            run = 1  # adjacent inputs that are active too
            while k + run < stop and active[k + run] == active[k] + run:
                run += 1
            begin, end = active[k] * height, (active[k] + run) * height
            at, k, done = (k - tile) * height, k + run, active[k] + run
            change(genes[begin:end], gradients[at : at + end - begin], first[begin:end], second[begin:end], how)
    change_evenly(genes, first, second, none, done * height, inputs * height, how)


@part()
def change_evenly(genes, first, second, gradients, begin, end, how):
    """Update genes begin .. end - 1 by one step, repeating the given gradients as often as needed."""
    for start in range(begin, end, len(gradients)):
        stop = min(end, start + len(gradients))
        change(genes[start:stop], gradients[: stop - start], first[start:stop], second[start:stop], how)


@part()
def change_layer(genes, first, second, gradient, source, how):
    """Update a later layer's weights, genes (O I,): gradients dz x^T, from dz (O, N) and source (I, N)."""
    height, width = len(gradient), len(source)
    for row in range(0, height, TILE_ROWS):
        stop = min(height, row + TILE_ROWS)
        gradients, begin, end = np.empty((stop - row, width), np.float32), row * width, stop * width
        multiply_turned(gradient[row:stop], source, gradients)
        change(genes[begin:end], gradients.reshape(gradients.size), first[begin:end], second[begin:end], how)


@part()
def first_products(out, genes, columns, active):
    """Fill out (O, N) with W x of the first layer, genes (I, O), for the active inputs' columns (W, N)."""
    weights = genes
    if len(active) < len(genes):
        weights = np.empty((len(active), genes.shape[1]), np.float32)
        for k in range(len(active)):
            copy(weights[k], genes[active[k]])
    product_turned(weights, columns, out)


@part()
def forward(values, genes, layers, columns, active):
    """Fill values (U, N) with the activations of all layers' units, for columns (W, N)."""
    at = ZERO
    for layer in range(len(layers)):
        width, height, start, code = layers[layer, 0], layers[layer, 1], layers[layer, 2], layers[layer, 3]
        middle, out = start + width * height, values[at : at + height]
        if layer == 0:
            first_products(out, genes[start:middle].reshape(width, height), columns, active)
        else:
            product(genes[start:middle].reshape(height, width), values[at - width : at], out)
        activate(out, genes[middle : middle + height], code)
        at += height


@kernel()
def descend(genes, first, second, losses, layers, batches, labels, hows):
    """Train one network (D,) for S steps on the batches of `gather` and labels (S, N); return losses plus its own.

    `hows` (S, 5) are the arguments of `change` in each step.
    """
    columns, active, counts = batches
    depth, images, units = len(layers), labels.shape[1], ZERO
    for layer in range(depth):
        units += layers[layer, 1]
    values = np.empty((units, images), np.float32)
    for s in range(len(labels)):
        row, inputs, seen, at = hows[s], columns[s, : counts[s]], active[s, : counts[s]], units
        how = (int(row[0]), row[1], row[2], row[3], row[4])
        forward(values, genes, layers, inputs, seen)
        gradient = np.empty((layers[depth - 1, 1], images), np.float32)
        losses += gradient_of_loss(gradient, values[at - len(gradient) :], labels[s])
        for back in range(depth):
            layer = depth - 1 - back
            width, height, start = layers[layer, 0], layers[layer, 1], layers[layer, 2]
            middle, at, sums = start + width * height, at - height, np.empty(height, np.float32)
            for unit in range(height):
                total, each = np.float32(0), gradient[unit]
                for i in range(images):
                    total += each[i]
                sums[unit] = total
            if layer == 0:
                change_first(
                    genes[start:middle], first[start:middle], second[start:middle], gradient, inputs, seen, how
                )
                below = gradient
            else:
                below, source = np.empty((width, images), np.float32), values[at - width : at]
                sent = np.empty_like(below)
                product_turned(genes[start:middle].reshape(height, width), gradient, sent)
                times_derivative(below, sent, source, layers[layer - 1, 3])
                change_layer(genes[start:middle], first[start:middle], second[start:middle], gradient, source, how)
            stop = middle + height
            change(genes[middle:stop], sums, first[middle:stop], second[middle:stop], how)
            gradient = below
    return losses


@kernel()
def transpose_first(target, genes, inputs, units, first, last):
    """Fill target (P, D) with genes whose first layer (units, inputs) is transposed; the rest is copied."""
    middle = inputs * units
    for p in range(first, last):
        source, into = genes[p, :middle].reshape(units, inputs), target[p, :middle].reshape(inputs, units)
        for j in range(inputs):
            for u in range(units):
                into[j, u] = source[u, j]
        copy(target[p, middle:], genes[p, middle:])
