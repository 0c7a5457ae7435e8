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

from genreg_np.backends.kernels.bits import ZERO, copy, fill_signs, fill_words
from genreg_np.backends.kernels.jit import kernel, part
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


@part()
def open_tile(tile, size, batch, net, mutation):
    """Return a tile's first image, its images (T, I), and of all units (U, T) activations, m, delta and signs."""
    features, rows, shifts, _, _ = batch
    genes, layers = net
    _, _, sigma, _, generation, seed = mutation
    start, units = tile * size, ZERO
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


@part()
def close_tile(change, total, start, advantages, tile, batch, task, net, mutation):
    """Fill a tile's change (D,), its summed scores and right predictions; `tile` is what open_tile returned."""
    kind, reward, penalty = task
    _, layers = net
    pairs, _, sigma, relative, generation, seed = mutation
    _, images, values, _, _, signs = tile
    count, classes = len(images), layers[-1, 1]
    own, weight = batch[3][start : start + count], batch[4][start : start + count]
    weigh(advantages, weight, sigma, pairs, relative)
    fold_layers(change, advantages, signs, images, values, layers)
    draws, scores, best = (
        draws_of(start, count, generation, seed),
        np.empty(count, np.float32),
        np.empty(count, np.int32),
    )
    logits = values[len(values) - classes :]
    score_images(scores, best, logits, own, kind, reward, penalty, draws, np.uint32(0))
    for t in range(count):
        total[0] += scores[t] * weight[t]
        total[1] += best[t] == own[t]


@part()
def draws_of(start, count, generation, seed):
    """Return the words by which classes of images are drawn, at least (T,)."""
    draws = np.empty(4 * ((count + 3) // 4), np.uint32)
    fill_words(draws, start // 4, ZERO, generation, PREDICTION, seed)
    return draws


@kernel()
def perturb_by_log(changes, totals, size, batch, task, net, mutation, first, last):
    """Fill each tile's change (tiles, D) and its summed scores and right predictions (tiles, 2).

    For log-probability where a mutant's logits are base +- spread: of the last layer, and of one before a linear one.

    batch = features (M, I), rows, shifts, labels, weights (N,); task = kind, reward, penalty; net = genes (D,), layers;
    mutation = pairs, order, sigma, relative, generation, seed.
    """
    genes, layers = net
    pairs, order = mutation[0], mutation[1]
    for number in range(first, last):
        tile = open_tile(number, size, batch, net, mutation)
        start, images, _, middle, delta, _ = tile
        own = batch[3][start : start + len(images)]
        advantages = np.zeros((len(layers), order, len(images)), np.float32)
        unit = ZERO
        for layer in range(len(layers)):
            stop = unit + layers[layer, 1]
            base, spreads = spread(middle[unit:stop], delta[unit:stop], genes, layers, layer, order)
            log_advantages(advantages[layer], base, spreads, own, pairs)
            unit = stop
        close_tile(changes[number], totals[number], start, advantages, tile, batch, task, net, mutation)


@kernel()
def perturb_by_score(changes, totals, size, batch, task, net, mutation, first, last):
    """Fill what perturb_by_log fills, for any fitness and depth."""
    kind, reward, penalty = task
    genes, layers = net
    pairs, order, _, _, generation, seed = mutation
    for number in range(first, last):
        tile = open_tile(number, size, batch, net, mutation)
        start, images, _, middle, delta, _ = tile
        count, depth = len(images), len(layers)
        own, draws = batch[3][start : start + count], draws_of(start, count, generation, seed)
        scores, best = np.empty((2, count), np.float32), np.empty(count, np.int32)
        advantages = np.zeros((depth, order, count), np.float32)
        unit = ZERO
        for layer in range(depth):
            stop = unit + layers[layer, 1]
            base, spreads = spread(middle[unit:stop], delta[unit:stop], genes, layers, layer, order)
            if kind == LOG_PROBABILITY and is_logarithmic(layers, layer):
                log_advantages(advantages[layer], base, spreads, own, pairs)
            else:
                for pair in range(pairs):
                    shift = np.uint32((pair << 32) // pairs)
                    for twin in range(2):
                        values = answer(base, spreads[pair], np.float32(1 - 2 * twin), genes, layers, layer)
                        score_images(scores[twin], best, values, own, kind, reward, penalty, draws, shift)
                    for t in range(count):
                        advantages[layer, pair, t] = scores[0, t] - scores[1, t]
            unit = stop
        close_tile(changes[number], totals[number], start, advantages, tile, batch, task, net, mutation)


@part()
def is_logarithmic(layers, layer):
    """Whether the logits of a layer's mutants are base +- spread."""
    depth = len(layers)
    return layer + 1 == depth or (layer + 2 == depth and layers[layer + 1, 3] == 0)


@kernel()
def answer_tiles(answers, logits, size, batch, net, mutation, first, last):
    """Fill the logits of all mutants, (L, K, 2, N, C), and of the unmutated network, (N, C): for a user's fitness."""
    genes, layers = net
    pairs, order = mutation[0], mutation[1]
    for number in range(first, last):
        start, images, values, middle, delta, _ = open_tile(number, size, batch, net, mutation)
        unit = ZERO
        for layer in range(len(layers)):
            stop = unit + layers[layer, 1]
            base, spreads = spread(middle[unit:stop], delta[unit:stop], genes, layers, layer, order)
            for pair in range(pairs):
                for twin in range(2):
                    found = answer(base, spreads[pair], np.float32(1 - 2 * twin), genes, layers, layer)
                    turn_over(answers[layer, pair, twin, start : start + len(images)], found)
            unit = stop
        turn_over(logits[start : start + len(images)], values[len(values) - logits.shape[1] :])


@part()
def turn_over(target, source):
    """Fill target (T, C) with source (C, T)."""
    for t in range(len(target)):
        for c in range(len(source)):
            target[t, c] = source[c, t]


@kernel()
def fold_tiles(changes, advantages, size, batch, net, mutation, first, last):
    """Fill each tile's change (tiles, D) from differences of scores (L, M, N) found elsewhere."""
    pairs, order, sigma, relative, _, _ = mutation
    for number in range(first, last):
        start, images, values, _, _, signs = open_tile(number, size, batch, net, mutation)
        count = len(images)
        own = np.empty((len(advantages), order, count), np.float32)
        for layer in range(len(advantages)):
            for pair in range(order):
                copy(own[layer, pair], advantages[layer, pair, start : start + count])
        weigh(own, batch[4][start : start + count], sigma, pairs, relative)
        fold_layers(changes[number], own, signs, images, values, net[1])


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
