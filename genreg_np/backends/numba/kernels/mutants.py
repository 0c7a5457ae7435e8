"""The mutants of one layer for a tile of images, all pairs at once, and what they earn.

A mutated unit takes only two values, a(z + sigma r) = m + delta and a(z - sigma r) = m - delta, whichever pair it is
in. So the next layer's pre-activations of all K pairs come from one product and a fast Walsh-Hadamard transform:

    W a(z + sigma e_k) + b = (W m + b) + v_k,      v_k = sum over j of H[k, j] u_j,
    u_j = sum over units h = j (mod M) of W[:, h] delta_h                              twin: (W m + b) - v_k

This costs little more per image than evaluating the network twice, whatever the activation.

Shapes: T images of a tile, one per column; O units of the layer, N of the next; K pairs, M the order of H, C classes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.bits import copy, unit_float
from genreg_np.backends.numba.kernels.jit import part
from genreg_np.backends.numba.kernels.network import (
    LOG_PROBABILITY,
    MARGIN,
    REWARD_SAMPLED,
    activate,
    best_classes,
    exponential,
    logarithm,
)


@part()
def transform(values):
    """Replace values (K, n) by H values: the Walsh-Hadamard transform over the first axis, K log2 K additions."""
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


@part()
def add_biases(values, biases):
    """Add biases (O,) to values (O, T)."""
    for unit in range(len(values)):
        bias, row = biases[unit], values[unit]
        for t in range(len(row)):
            row[t] += bias


@part()
def layer_of(genes, layers, layer):
    """Return a layer's weights (O, I) and biases (O,)."""
    inputs, outputs, start, _ = layers[layer]
    middle = start + inputs * outputs
    return genes[start:middle].reshape(outputs, inputs), genes[middle : middle + outputs]


@part()
def mutate_units(sums, signs, sigma, code):
    """Turn pre-activations z (O, T) into m and signs into delta, and return the signs, 0 where delta is 0.

    A unit's value is m + delta or m - delta, m = (a(z + sigma r) + a(z - sigma r)) / 2.
    """
    upper, lower, kept = np.empty_like(sums), np.empty_like(sums), np.empty_like(sums)
    for unit in range(len(sums)):
        for t in range(sums.shape[1]):
            step = sigma * signs[unit, t]
            upper[unit, t], lower[unit, t] = sums[unit, t] + step, sums[unit, t] - step
    unbiased = np.zeros(len(sums), np.float32)
    activate(upper, unbiased, code)
    activate(lower, unbiased, code)
    for unit in range(len(sums)):
        for t in range(sums.shape[1]):
            a, b, sign = upper[unit, t], lower[unit, t], signs[unit, t]
            kept[unit, t] = sign if a != b else np.float32(0)
            sums[unit, t], signs[unit, t] = np.float32(0.5) * (a + b), np.float32(0.5) * (a - b)
    return kept


@part()
def spread(middle, delta, genes, layers, layer, order):
    """Return what all mutants of a layer make of the next one's pre-activations; of its own values if it is the last.

    Parameters
    ----------
    middle, delta : (O, T) float32
        m and delta of the layer's units.

    Returns
    -------
    base : (N, T) float32
    spreads : (M, N, T) float32
        Pair k's twins give base + spread and base - spread.
    """
    units, width = middle.shape
    if layer + 1 == len(layers):
        spreads = np.zeros((order, units, width), np.float32)
        for unit in range(units):
            spreads[unit % order, unit] = delta[unit]
        base = np.empty_like(middle)
        for unit in range(units):
            copy(base[unit], middle[unit])
    else:
        weights, biases = layer_of(genes, layers, layer + 1)
        spreads = np.zeros((order, len(weights), width), np.float32)
        for unit in range(units):
            source = delta[unit]
            for output in range(len(weights)):
                weight, target = weights[output, unit], spreads[unit % order, output]
                for t in range(width):
                    target[t] += weight * source[t]
        base = np.dot(weights, middle)
        add_biases(base, biases)
    transform(spreads.reshape(order, len(base) * width))
    return base, spreads


@part()
def answer(base, spread, sign, genes, layers, layer):
    """Return the logits (C, T) of one mutant of `layer`, from the pre-activations base + sign * spread after it."""
    values = np.empty_like(base)
    for unit in range(len(base)):
        for t in range(base.shape[1]):
            values[unit, t] = base[unit, t] + sign * spread[unit, t]
    following = layer + 1
    if following < len(layers):
        activate(values, np.zeros(len(values), np.float32), layers[following, 3])
    for later in range(following + 1, len(layers)):
        weights, biases = layer_of(genes, layers, later)
        values = np.dot(weights, values)
        activate(values, biases, layers[later, 3])
    return values


@part()
def score_images(scores, best, logits, labels, kind, reward, penalty, draws, shift):
    """Fill scores (T,) with what logits (C, T) earn, and best (T,) with the most probable class (numpy_.image_scores).

    The class is drawn by `draws` (T,) + shift, modulo 2**32.
    """
    classes, images = logits.shape
    top = np.empty(images, np.float32)
    best_classes(logits, best, top)
    if kind == LOG_PROBABILITY:
        total = np.zeros(images, np.float32)
        for c in range(classes):
            row = logits[c]
            for t in range(images):
                total[t] += exponential(max(row[t] - top[t], np.float32(-87)))
        for t in range(images):
            scores[t] = logits[labels[t], t] - top[t] - logarithm(total[t])
    elif kind == MARGIN:
        for t in range(images):
            rival = np.float32(-np.inf)
            for c in range(classes):
                if c != labels[t]:
                    rival = max(rival, logits[c, t])
            scores[t] = min(logits[labels[t], t] - rival, np.float32(1))
    elif kind == REWARD_SAMPLED:
        cumulative = np.zeros((classes + 1, images), np.float32)
        for c in range(classes):
            for t in range(images):
                e = exponential(max(logits[c, t] - top[t], np.float32(-87)))
                cumulative[c + 1, t] = cumulative[c, t] + e
        for t in range(images):
            draw = unit_float(np.uint32(draws[t] + shift)) * cumulative[classes, t]
            drawn = 0
            for c in range(classes - 1):
                drawn += cumulative[c + 1, t] <= draw
            scores[t] = reward if drawn == labels[t] else penalty
    else:
        for t in range(images):
            scores[t] = reward if best[t] == labels[t] else penalty


@part()
def log_advantages(advantages, base, spreads, labels, pairs):
    """Fill the first K advantages (M, T) with the pairs' differences of log-probability, from logits base +- spread.

    With p_c = exp(base_c) and q_c = exp(v_c), the twins' normalisers are sum p q and sum p / q: one exponential
    instead of two. Beyond +-60 a logit's change counts as 60.
    """
    classes, images = base.shape
    odds, top = np.empty_like(base), np.empty(images, np.float32)
    best_classes(base, np.empty(images, np.int32), top)
    for c in range(classes):
        for t in range(images):
            odds[c, t] = exponential(max(base[c, t] - top[t], np.float32(-87)))
    upper, lower = np.empty(images, np.float32), np.empty(images, np.float32)
    for pair in range(pairs):
        spread, target = spreads[pair], advantages[pair]
        upper[:] = 0
        lower[:] = 0
        for c in range(classes):
            own, change = odds[c], spread[c]
            for t in range(images):
                q = exponential(min(max(change[t], np.float32(-60)), np.float32(60)))
                upper[t] += own[t] * q
                lower[t] += own[t] / q
        for t in range(images):
            target[t] = np.float32(2) * spread[labels[t], t] - logarithm(upper[t] / lower[t])
