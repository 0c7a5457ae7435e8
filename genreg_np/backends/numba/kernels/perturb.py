"""Node perturbation of a tile of images, step by step (base.Backend.perturb; the specification is numpy_.estimate).

mutants.py gives all pairs' differences of scores d. The credits of all units come from them by the same transform,

    c_h = r_h / K * sum over k of H[k, h mod M] d_k,

and a layer's change is the product of credits and inputs, tile by tile, added up in the order of the tiles.

Shapes: T images of a tile, one per column; I inputs, U units of all layers, L layers, K pairs, M the order of H, N
images of the batch, C classes, D genes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.bits import ZERO, copy, fill_signs, fill_words
from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.backends.numba.kernels.mutants import (
    add_biases,
    answer,
    layer_of,
    log_advantages,
    mutate_units,
    score_images,
    spread,
    transform,
)
from genreg_np.backends.numba.kernels.network import LOG_PROBABILITY, PREDICTION, activate
from genreg_np.streams import Purpose

SIGNS = np.uint64(Purpose.SIGNS)
TINY = np.float32(1e-12)  # numpy_.TINY
BLOCK = 4096  # genes whose tiles one thread adds up at a time


@part()
def gather(features, rows, shifts):
    """Return rows of the features, each rolled on by its shift, (T, I) float32."""
    inputs = features.shape[1]
    tile = np.empty((len(rows), inputs), np.float32)
    for t in range(len(rows)):
        row, shift = features[rows[t]], shifts[t]
        copy(tile[t, shift:], row)
        copy(tile[t, :shift], row[inputs - shift :])
    return tile


@part()
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
        for unit in range(first, last):
            copy(values[unit], sums[unit])
        activate(values[first:last], np.zeros(len(biases), np.float32), layers[layer, 3])
        first = last
    return sums, values


@part()
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


@part()
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


@part()
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
def open_tile(number, size, batch, net, mutation):
    """Return a tile's first image, its images (T, I), and of all units (U, T) activations, m, delta and signs.

    batch = features (M, I), rows, shifts (N,); net = genes (D,), layers; mutation = sigma, generation, seed.
    """
    features, rows, shifts = batch
    genes, layers = net
    sigma, generation, seed = mutation
    start, units = number * size, ZERO
    for layer in range(len(layers)):
        units += layers[layer, 1]
    images = gather(features, rows[start : start + size], shifts[start : start + size])
    middle, values = forward_tile(images, genes, layers, units)
    delta, signs = np.empty_like(values), np.empty_like(values)
    fill_signs(delta, start, generation, SIGNS, seed)
    first = 0
    for layer in range(len(layers)):
        last = first + layers[layer, 1]
        kept = mutate_units(middle[first:last], delta[first:last], sigma, layers[layer, 3])
        for unit in range(len(kept)):
            copy(signs[first + unit], kept[unit])
        first = last
    return start, images, values, middle, delta, signs


@kernel()
def compare_by_log(middle, delta, labels, net, pairs, order):
    """Return a tile's differences of log-probability (L, M, T), 0 beyond pair K.

    Where a mutant's logits are base +- spread: of the last layer, and of one before a linear last.
    """
    genes, layers = net
    advantages = np.zeros((len(layers), order, len(labels)), np.float32)
    first = 0
    for layer in range(len(layers)):
        last = first + layers[layer, 1]
        base, spreads = spread(middle[first:last], delta[first:last], genes, layers, layer, order)
        log_advantages(advantages[layer], base, spreads, labels, pairs)
        first = last
    return advantages


@kernel()
def compare_by_score(middle, delta, labels, draws, task, net, pairs, order):
    """Return a tile's differences of scores (L, M, T), 0 beyond pair K, for any fitness and depth.

    task = kind, reward, penalty; `draws` (T,) choose the classes (score_images).
    """
    kind, reward, penalty = task
    genes, layers = net
    count, depth = len(labels), len(layers)
    scores, best = np.empty((2, count), np.float32), np.empty(count, np.int32)
    advantages = np.zeros((depth, order, count), np.float32)
    first = 0
    for layer in range(depth):
        last = first + layers[layer, 1]
        base, spreads = spread(middle[first:last], delta[first:last], genes, layers, layer, order)
        if kind == LOG_PROBABILITY and (layer + 1 == depth or (layer + 2 == depth and layers[layer + 1, 3] == 0)):
            log_advantages(advantages[layer], base, spreads, labels, pairs)
        else:
            for pair in range(pairs):
                shift = np.uint32((pair << 32) // pairs)
                for twin in range(2):
                    values = answer(base, spreads[pair], np.float32(1 - 2 * twin), genes, layers, layer)
                    score_images(scores[twin], best, values, labels, kind, reward, penalty, draws, shift)
                for t in range(count):
                    advantages[layer, pair, t] = scores[0, t] - scores[1, t]
        first = last
    return advantages


@kernel()
def answer_pairs(answers, start, middle, delta, net, order):
    """Fill the logits of a tile's mutants, in (L, K, 2, N, C) from image `start` on: for a user's fitness."""
    genes, layers = net
    width, first = middle.shape[1], 0
    for layer in range(len(layers)):
        last = first + layers[layer, 1]
        base, spreads = spread(middle[first:last], delta[first:last], genes, layers, layer, order)
        for pair in range(answers.shape[1]):
            for twin in range(2):
                found = answer(base, spreads[pair], np.float32(1 - 2 * twin), genes, layers, layer)
                target = answers[layer, pair, twin, start : start + width]
                for t in range(width):
                    for c in range(len(found)):
                        target[t, c] = found[c, t]
        first = last


@kernel()
def draws_of(start, count, generation, seed):
    """Return the words by which classes of images are drawn, at least (T,)."""
    draws = np.empty(4 * ((count + 3) // 4), np.uint32)
    fill_words(draws, start // 4, ZERO, generation, PREDICTION, seed)
    return draws


@kernel()
def fold_tile(change, advantages, tile, weights, layers, pairs, sigma, relative):
    """Fill a tile's change (D,) from differences of scores (L, M, T), which are overwritten; weights (T,)."""
    _, images, values, _, _, signs = tile
    weigh(advantages, weights, sigma, pairs, relative)
    fold_layers(change, advantages, signs, images, values, layers)


@kernel()
def score_tile(total, values, labels, weights, draws, task, classes):
    """Add up a tile's weighted scores and right predictions, of the unmutated network."""
    kind, reward, penalty = task
    count = len(labels)
    scores, best = np.empty(count, np.float32), np.empty(count, np.int32)
    logits = values[len(values) - classes :]
    score_images(scores, best, logits, labels, kind, reward, penalty, draws, np.uint32(0))
    for t in range(count):
        total[0] += scores[t] * weights[t]
        total[1] += best[t] == labels[t]


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
