"""Node perturbation of a tile of images, step by step (base.Backend.perturb); numpy_.estimate is the specification.

A mutated unit takes only two values, a(z + sigma r) = m + delta and a(z - sigma r) = m - delta, in every pair. So the
next layer's pre-activations of all K pairs come from one product and a fast Walsh-Hadamard transform:

    W a(z + sigma e_k) + b = (W m + b) + v_k,      v_k = sum over j of H[k, j] u_j,
    u_j = sum over units h = j (mod M) of W[:, h] delta_h                              twin: (W m + b) - v_k

For any activation, this costs little more per image than evaluating the network twice. The credits of all units
come from all pairs' score differences d by the same transform,

    c_h = r_h / K * sum over k of H[k, h mod M] d_k,

and a layer's change is the product of credits and inputs, summed over tiles in their order.

Shapes: T images of a tile, one per column; I inputs, U units of all layers, O units of one, N of the next; L layers, K
pairs, M the order of H, C classes, D genes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.bits import ZERO, copy, fill_signs
from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.backends.numba.kernels.network import activate, multiply_turned, product
from genreg_np.backends.numpy_ import TINY
from genreg_np.streams import Purpose

SIGNS = np.uint64(Purpose.SIGNS)
BLOCK = 4096  # genes whose tiles one thread adds up at a time


@part()
def gather(images, features, rows, shifts):
    """Fill images (T, I) with rows of the features, each rolled by its shift."""
    inputs = features.shape[1]
    for t in range(len(rows)):
        row, shift, target = features[rows[t]], shifts[t], images[t]
        copy(target[shift:], row)
        copy(target[:shift], row[inputs - shift :])


@kernel()
def forward(images, sums, values, unbiased, drawn_from, net):
    """Fill images (T, I), and pre-activations and activations of all layers, (U, T) each.

    drawn_from = features (M, I), rows, shifts (T,); net = genes (D,), layers (L, 4); unbiased (U,) are zeros.
    """
    features, rows, shifts = drawn_from
    genes, layers = net
    gather(images, features, rows, shifts)
    first = ZERO
    for layer in range(len(layers)):
        inputs, outputs, start = layers[layer, 0], layers[layer, 1], layers[layer, 2]
        middle, last = start + inputs * outputs, first + outputs
        weights, own = genes[start:middle].reshape(outputs, inputs), sums[first:last]
        if layer:
            product(weights, values[first - inputs : first], own)
        else:
            multiply_turned(weights, images, own)
        for unit in range(outputs):
            bias, row, target = genes[middle + unit], own[unit], values[first + unit]
            for t in range(len(row)):
                row[t] += bias
                target[t] = row[t]
        activate(values[first:last], unbiased, layers[layer, 3])
        first = last


@kernel()
def mutate_units(middle, delta, signs, unbiased, layers, sigma, first_image, generation, seed):
    """Turn pre-activations z (U, T) of all layers into m; fill delta, and signs, which are 0 where delta is 0.

    A unit's value is m + delta or m - delta, m = (a(z + sigma r) + a(z - sigma r)) / 2.
    """
    units, images = middle.shape
    twins, first = np.empty((2, units, images), np.float32), ZERO
    fill_signs(signs, first_image, generation, SIGNS, seed)
    for unit in range(units):
        row, sign, upper, lower = middle[unit], signs[unit], twins[0, unit], twins[1, unit]
        for t in range(images):
            step = sigma * sign[t]
            upper[t], lower[t] = row[t] + step, row[t] - step
    for layer in range(len(layers)):
        last = first + layers[layer, 1]
        for twin in range(2):
            activate(twins[twin, first:last], unbiased, layers[layer, 3])
        first = last
    for unit in range(units):
        upper, lower, sign = twins[0, unit], twins[1, unit], signs[unit]
        mean, half = middle[unit], delta[unit]
        for t in range(images):
            a, b = upper[t], lower[t]
            sign[t] = sign[t] if a != b else np.float32(0)
            mean[t], half[t] = np.float32(0.5) * (a + b), np.float32(0.5) * (a - b)


@part()
def transform(values):
    """Replace values (K, n) by H values: the Walsh-Hadamard transform along the first axis, K log2 K additions."""
    size = len(values)
    half = 1
    while half < size:
        for start in range(0, size, 2 * half):
            for j in range(start, start + half):
                first, second = values[j], values[j + half]
                for i in range(len(first)):
                    a, b = first[i], second[i]
                    first[i], second[i] = a + b, a - b
        half *= 2


@kernel()
def spread(spreads, base, weights, biases, delta):
    """Fill spreads (M, N, T) with v_k, from weights (N, O) and delta (O, T), and add biases (N,) to base (N, T).

    For the last layer there are no weights, N = 0: its units' own delta are spread, and there is no base.
    """
    order, images = len(spreads), delta.shape[1]
    for j in range(order):
        for output in range(spreads.shape[1]):
            target = spreads[j, output]
            for t in range(images):
                target[t] = np.float32(0)
    for unit in range(len(delta)):
        source, targets = delta[unit], spreads[unit % order]
        if len(weights) == 0:
            copy(targets[unit], source)
        for output in range(len(weights)):
            weight, target = weights[output, unit], targets[output]
            for t in range(images):
                target[t] += weight * source[t]
    for output in range(len(weights)):
        bias, row = biases[output], base[output]
        for t in range(images):
            row[t] += bias
    transform(spreads.reshape(order, spreads.shape[1] * images))


@part()
def weigh(advantages, weights, sigma, pairs, relative):
    """Turn score differences (L, M, T) into d / K times the images' weights (T,)."""
    scale = np.empty(len(weights), np.float32)
    for t in range(len(weights)):
        scale[t] = np.float32(0) if relative else np.float32(0.5) / sigma
    if relative:
        for layer in range(len(advantages)):
            for pair in range(pairs):
                source = advantages[layer, pair]
                for t in range(len(weights)):
                    scale[t] += source[t] * source[t]
        for t in range(len(weights)):
            root = np.sqrt(scale[t] / np.float32(len(advantages) * pairs))
            scale[t] = np.float32(1) / max(root, TINY)
    for layer in range(len(advantages)):
        for pair in range(pairs):
            target = advantages[layer, pair]
            for t in range(len(weights)):
                target[t] *= scale[t] * (np.float32(weights[t]) / np.float32(pairs))


@kernel()
def credit(credits, change, advantages, signs, layers, weights, sigma, pairs, relative):
    """Fill credits (U, T) from score differences (L, M, T), 0 beyond pair K, which are overwritten.

    Also fills the change of the biases, in the change of all genes (D,).
    """
    weigh(advantages, weights, sigma, pairs, relative)
    order, images = advantages.shape[1:]
    ones, first = np.ones(images, np.float32), ZERO
    for layer in range(len(layers)):
        own = advantages[layer]
        transform(own)
        units = layers[layer, 1]
        for unit in range(units):
            source, target, sign = own[unit % order], credits[first + unit], signs[first + unit]
            for t in range(images):
                target[t] = sign[t] * source[t]
        middle = layers[layer, 2] + layers[layer, 0] * units
        np.dot(credits[first : first + units], ones, change[middle : middle + units])
        first += units


@kernel()
def add_tiles(change, changes, images, first, last):
    """Fill blocks of change (D,) with the sum of the tiles' changes, tile by tile, divided by the number of images."""
    share = np.float32(1) / np.float32(images)
    for gene in range(first * BLOCK, min(last * BLOCK, len(change))):
        change[gene] = changes[0, gene]
    for tile in range(1, len(changes)):
        source = changes[tile]
        for gene in range(first * BLOCK, min(last * BLOCK, len(change))):
            change[gene] += source[gene]
    for gene in range(first * BLOCK, min(last * BLOCK, len(change))):
        change[gene] *= share
