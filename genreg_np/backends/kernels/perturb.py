"""Node perturbation of a batch, tile by tile (base.Backend.perturb; the specification is numpy_.estimate).

A mutated unit takes only two values, a(z + sigma r) = m + delta and a(z - sigma r) = m - delta, whichever pair it is
in. So the next layer's pre-activations of all K pairs come from one product and a fast Walsh-Hadamard transform:

    W a(z + sigma e_k) + b = (W m + b) + v_k,      v_k = sum over j of H[k, j] u_j,
    u_j = sum over units h = j (mod M) of W[:, h] delta_h                              twin: (W m + b) - v_k

and the credits of all units from another: c_h = r_h / K * sum over k of H[k, h mod M] d_k.
This costs little more per image than evaluating the network twice, whatever the activation.

Shapes: T images of a tile, one per column; I inputs, U units of all layers, K pairs, M the order of H, C classes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import prange

from genreg_np.backends.kernels.bits import fill_signs, fill_words, unit_float
from genreg_np.backends.kernels.jit import kernel
from genreg_np.backends.kernels.network import (
    LOG_PROBABILITY,
    MARGIN,
    PREDICTION,
    REWARD_SAMPLED,
    activate,
    best_classes,
    exponential,
    logarithm,
)
from genreg_np.streams import Purpose

SIGNS = int(Purpose.SIGNS)
TINY = np.float32(1e-12)  # numpy_.TINY
BLOCK = 4096  # genes whose tiles one thread adds up at a time


@kernel()
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


@kernel()
def gather(features, rows, shifts):
    """Return rows of the features, each rolled on by its shift, (T, I) float32."""
    inputs = features.shape[1]
    tile = np.empty((len(rows), inputs), np.float32)
    for t in range(len(rows)):
        row, shift = features[rows[t]], shifts[t]
        tile[t, shift:] = row[: inputs - shift]
        tile[t, :shift] = row[inputs - shift :]
    return tile


@kernel()
def add_biases(values, biases):
    """Add biases (O,) to values (O, T)."""
    for unit in range(len(values)):
        bias, row = biases[unit], values[unit]
        for t in range(len(row)):
            row[t] += bias


@kernel()
def layer_of(genes, layers, layer):
    """Return a layer's weights (O, I) and biases (O,)."""
    inputs, outputs, start, _ = layers[layer]
    middle = start + inputs * outputs
    return genes[start:middle].reshape(outputs, inputs), genes[middle : middle + outputs]


@kernel()
def forward_tile(images, genes, layers, units):
    """Return pre-activations and activations of all layers, each (U, T), of images (T, I)."""
    sums, values = np.empty((units, len(images)), np.float32), np.empty((units, len(images)), np.float32)
    first = 0
    for layer in range(len(layers)):
        weights, biases = layer_of(genes, layers, layer)
        last = first + len(weights)
        if layer:
            np.dot(weights, values[first - weights.shape[1] : first], sums[first:last])
        else:
            np.dot(weights, images.T, sums[first:last])
        add_biases(sums[first:last], biases)
        values[first:last] = sums[first:last]
        activate(values[first:last], np.zeros_like(biases), layers[layer, 3])
        first = last
    return sums, values


@kernel()
def mutate_units(sums, signs, sigma, code):
    """Turn pre-activations z (O, T) into m and signs into delta, and return the signs, 0 where delta is 0.

    A unit's value is m + delta or m - delta, m = (a(z + sigma r) + a(z - sigma r)) / 2.
    """
    upper, lower, kept = sums + sigma * signs, sums - sigma * signs, np.empty_like(signs)
    unbiased = np.zeros(len(sums), np.float32)
    activate(upper, unbiased, code)
    activate(lower, unbiased, code)
    for unit in range(len(sums)):
        for t in range(sums.shape[1]):
            a, b, sign = upper[unit, t], lower[unit, t], signs[unit, t]
            kept[unit, t] = sign if a != b else np.float32(0)
            sums[unit, t], signs[unit, t] = np.float32(0.5) * (a + b), np.float32(0.5) * (a - b)
    return kept


@kernel()
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
        base = middle.copy()
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
    transform(spreads.reshape(order, -1))
    return base, spreads


@kernel()
def answer(base, spread, sign, genes, layers, layer):
    """Return the logits (C, T) of one mutant of `layer`, from the pre-activations base + sign * spread after it."""
    values = base + sign * spread
    following = layer + 1
    if following < len(layers):
        activate(values, np.zeros(len(values), np.float32), layers[following, 3])
    for later in range(following + 1, len(layers)):
        weights, biases = layer_of(genes, layers, later)
        values = np.dot(weights, values)
        activate(values, biases, layers[later, 3])
    return values


@kernel()
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


@kernel()
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


@kernel()
def weigh(advantages, weights, sigma, pairs, relative):
    """Turn differences of scores (L, M, T) into d / K times the images' weights (T,)."""
    scale = np.full(len(weights), np.float32(0.5) / sigma, np.float32)
    if relative:
        scale[:] = 0
        for layer in range(len(advantages)):
            for pair in range(pairs):
                source = advantages[layer, pair]
                for t in range(len(weights)):
                    scale[t] += source[t] * source[t]
        for t in range(len(weights)):
            scale[t] = np.float32(1) / max(np.sqrt(scale[t] / np.float32(len(advantages) * pairs)), TINY)
    for layer in range(len(advantages)):
        for pair in range(pairs):
            target = advantages[layer, pair]
            for t in range(len(weights)):
                target[t] *= scale[t] * (np.float32(weights[t]) / np.float32(pairs))


@kernel()
def fold(change, advantages, signs, inputs, layers, layer):
    """Write one layer's change from its pairs' advantages d (M, T), which are overwritten: sums, not yet means.

    `inputs` (T, I) are the layer's inputs in the unmutated network.
    """
    order, images = advantages.shape
    transform(advantages)
    credits = np.empty_like(signs)
    for unit in range(len(signs)):
        source, target, sign = advantages[unit % order], credits[unit], signs[unit]
        for t in range(images):
            target[t] = sign[t] * source[t]
    weights, biases = layer_of(change, layers, layer)
    np.dot(credits, inputs, weights)
    np.dot(credits, np.ones(images, np.float32), biases)


@kernel()
def fold_layers(change, advantages, signs, images, values, layers):
    """Write all layers' changes from advantages (L, M, T), 0 beyond pair K."""
    first = 0
    for layer in range(len(layers)):
        inputs, last = layers[layer, 0], first + layers[layer, 1]
        if layer:
            fold(change, advantages[layer], signs[first:last], values[first - inputs : first].T, layers, layer)
        else:
            fold(change, advantages[layer], signs[first:last], images, layers, layer)
        first = last


@kernel()
def open_tile(tile, size, batch, net, mutation):
    """Return a tile's first image, its images (T, I), and of all units (U, T) activations, m, delta and signs."""
    features, rows, shifts, _, _ = batch
    genes, layers = net
    _, _, sigma, _, generation, seed = mutation
    start, units = tile * size, layers[:, 1].sum()
    images = gather(features, rows[start : start + size], shifts[start : start + size])
    middle, values = forward_tile(images, genes, layers, units)
    delta, signs = np.empty_like(values), np.empty_like(values)
    fill_signs(delta, start, generation, SIGNS, seed)
    first = 0
    for layer in range(len(layers)):
        last = first + layers[layer, 1]
        signs[first:last] = mutate_units(middle[first:last], delta[first:last], sigma, layers[layer, 3])
        first = last
    return start, images, values, middle, delta, signs


@kernel(parallel=True)
def perturb_tiles(changes, totals, size, batch, task, net, mutation):
    """Fill each tile's change (tiles, D) and its summed scores and right predictions (tiles, 2).

    batch = features (M, I), rows, shifts, labels, weights (N,); task = kind, reward, penalty; net = genes (D,), layers;
    mutation = pairs, order, sigma, relative, generation, seed.
    """
    labels, weights = batch[3], batch[4]
    kind, reward, penalty = task
    genes, layers = net
    pairs, order, sigma, relative, generation, seed = mutation
    for tile in prange(len(changes)):
        start, images, values, middle, delta, signs = open_tile(tile, size, batch, net, mutation)
        count, depth, classes = len(images), len(layers), layers[-1, 1]
        own, weight = labels[start : start + count], weights[start : start + count]
        draws = np.empty(4 * ((count + 3) // 4), np.uint32)
        fill_words(draws, start // 4, 0, generation, PREDICTION, seed)
        plus, minus, best = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.int32)
        advantages = np.zeros((depth, order, count), np.float32)
        first = 0
        for layer in range(depth):
            last = first + layers[layer, 1]
            base, spreads = spread(middle[first:last], delta[first:last], genes, layers, layer, order)
            if kind == LOG_PROBABILITY and (layer + 1 == depth or (layer + 2 == depth and layers[layer + 1, 3] == 0)):
                log_advantages(advantages[layer], base, spreads, own, pairs)
            else:
                for pair in range(pairs):
                    shift = np.uint32((pair << 32) // pairs)
                    upper = answer(base, spreads[pair], np.float32(1), genes, layers, layer)
                    score_images(plus, best, upper, own, kind, reward, penalty, draws, shift)
                    lower = answer(base, spreads[pair], np.float32(-1), genes, layers, layer)
                    score_images(minus, best, lower, own, kind, reward, penalty, draws, shift)
                    advantages[layer, pair] = plus - minus
            first = last
        weigh(advantages, weight, sigma, pairs, relative)
        fold_layers(changes[tile], advantages, signs, images, values, layers)
        score_images(plus, best, values[len(values) - classes :], own, kind, reward, penalty, draws, np.uint32(0))
        for t in range(count):
            totals[tile, 0] += plus[t] * weight[t]
            totals[tile, 1] += best[t] == own[t]


@kernel(parallel=True)
def answer_tiles(answers, logits, size, batch, net, mutation):
    """Fill the logits of all mutants, (L, K, 2, N, C), and of the unmutated network, (N, C): for a user's fitness."""
    genes, layers = net
    pairs, order = mutation[0], mutation[1]
    for tile in prange((len(logits) + size - 1) // size):
        start, images, values, middle, delta, _ = open_tile(tile, size, batch, net, mutation)
        stop, first = start + len(images), 0
        for layer in range(len(layers)):
            last = first + layers[layer, 1]
            base, spreads = spread(middle[first:last], delta[first:last], genes, layers, layer, order)
            for pair in range(pairs):
                upper = answer(base, spreads[pair], np.float32(1), genes, layers, layer)
                answers[layer, pair, 0, start:stop] = upper.T
                lower = answer(base, spreads[pair], np.float32(-1), genes, layers, layer)
                answers[layer, pair, 1, start:stop] = lower.T
            first = last
        logits[start:stop] = values[len(values) - logits.shape[1] :].T


@kernel(parallel=True)
def fold_tiles(changes, advantages, size, batch, net, mutation):
    """Fill each tile's change (tiles, D) from differences of scores (L, M, N) found elsewhere."""
    pairs, _, sigma, relative, _, _ = mutation
    for tile in prange(len(changes)):
        start, images, values, _, _, signs = open_tile(tile, size, batch, net, mutation)
        own = advantages[:, :, start : start + len(images)].copy()
        weigh(own, batch[4][start : start + len(images)], sigma, pairs, relative)
        fold_layers(changes[tile], own, signs, images, values, net[1])


@kernel(parallel=True)
def add_tiles(change, changes, images):
    """Fill change (D,) with the sum of the tiles' changes, tile by tile, divided by the number of images."""
    share = np.float32(1) / np.float32(images)
    for block in prange((len(change) + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        target = change[start : start + BLOCK]
        target[:] = changes[0, start : start + BLOCK]
        for tile in range(1, len(changes)):
            target += changes[tile, start : start + BLOCK]
        target *= share
