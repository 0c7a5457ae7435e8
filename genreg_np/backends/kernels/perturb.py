"""Node perturbation of a batch, tile by tile (base.Backend.perturb; the specification is numpy_.estimate).

mutants.py gives all pairs' differences of scores d. The credits of all units come from them by the same transform,

    c_h = r_h / K * sum over k of H[k, h mod M] d_k,

and a layer's change is the product of credits and inputs, tile by tile, added up in the order of the tiles.

Shapes: T images of a tile, one per column; I inputs, U units of all layers, L layers, K pairs, M the order of H, N
images of the batch, C classes, D genes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import prange

from genreg_np.backends.kernels.bits import fill_signs, fill_words
from genreg_np.backends.kernels.jit import kernel
from genreg_np.backends.kernels.mutants import (
    add_biases,
    answer,
    layer_of,
    log_advantages,
    mutate_units,
    score_images,
    spread,
    transform,
)
from genreg_np.backends.kernels.network import LOG_PROBABILITY, PREDICTION, activate
from genreg_np.streams import Purpose

SIGNS = int(Purpose.SIGNS)
TINY = np.float32(1e-12)  # numpy_.TINY
BLOCK = 4096  # genes whose tiles one thread adds up at a time


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
