"""A whole generation, tile by tile: each kernel does tiles `first` to `last`, which threads share out among them.

Nothing depends on which thread takes which tile.

Two plans give the same predictions up to rounding:

dense       build each child's first layer and multiply it with the batch. Always possible.
inherited   multiply the survivors' first layers with the batch once; a child's units inherit their pre-activations
            and only mutated weights are added, z += noise * x. Possible where units are inherited whole (crossover of
            units, of layers, or none).

Shapes: W lit inputs, H units of the first layer, N images.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.bits import ZERO, copy
from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.backends.numba.kernels.network import activate, judge
from genreg_np.backends.numba.kernels.offspring import (
    GENE_NONE,
    MUTATION,
    add_mutation,
    build_genes,
    build_lit_rows,
    group_words,
    second_parent_gives,
    walk,
)
from genreg_np.streams import SEGMENT


@part()
def finish_forward(values, genome, brood):
    """Return the logits (K, N) from the first layer's products (H, N), which lack bias and activation."""
    layers = brood[7]
    for layer in range(len(layers)):
        inputs, outputs, start, code = layers[layer]
        middle = start + inputs * outputs
        if layer:
            weights = np.empty(outputs * inputs, np.float32)
            build_genes(weights, start, genome, brood)
            values = np.dot(weights.reshape(outputs, inputs), values)
        biases = np.empty(outputs, np.float32)
        build_genes(biases, middle, genome, brood)
        activate(values, biases, code)
    return values


@kernel()
def score_dense(fitness, accuracy, batch, task, brood, tile_genomes, tile_rows, first, last):
    """Judge tiles of `tile_genomes` genomes, fitness and accuracy (P,), of each `tile_rows` rows at a time."""
    columns, spans, places, labels, weights = batch
    kind, reward, penalty = task
    population, generation, seed = len(brood[1]), brood[5], brood[6]
    hidden, width, images = brood[7][0, 1], columns.shape[0], columns.shape[1]
    for tile in range(first, last):
        start = tile * tile_genomes
        count = min(tile_genomes, population - start)
        products = np.empty((count * hidden, images), np.float32)
        block = np.empty((count * tile_rows, width), np.float32)
        for row in range(0, hidden, tile_rows):
            height = min(tile_rows, hidden - row)
            for g in range(count):
                build_lit_rows(block[g * height : (g + 1) * height], row, spans, places, start + g, brood)
            # Several genomes in one product only where each has all its rows in the block.
            np.dot(block[: count * height], columns, products[count * row : count * row + count * height])
        for g in range(count):
            genome = start + g
            logits = finish_forward(products[g * hidden : (g + 1) * hidden], genome, brood)
            fitness[genome], right = judge(logits, labels, weights, kind, reward, penalty, genome, generation, seed)
            accuracy[genome] = right / images


@kernel()
def survivor_products(products, survivors, hidden, inputs, spans, columns, first, last):
    """Fill products (S, H, N) with survivors' first layers times the batch, without bias."""
    for s in range(first, last):
        lit = np.empty((hidden, len(columns)), np.float32)
        for h in range(hidden):
            at = 0
            for span in range(len(spans)):
                begin, end = spans[span]
                copy(lit[h, at : at + end - begin], survivors[s, h * inputs + begin :])
                at += end - begin
        np.dot(lit, columns, products[s])


@part()
def add_mutated_inputs(values, genome, columns, places, brood):
    """Add noise * x to the pre-activations (H, N) for every mutated weight of the first layer whose input x is lit."""
    _, _, _, _, _, generation, seed, layers, _, gaps, normal, scale = brood
    inputs, genes = layers[0, 0], layers[0, 0] * layers[0, 1]
    stops, noise = np.empty(SEGMENT, np.int64), np.empty(SEGMENT, np.float32)
    row, row_end = 0, inputs
    for begin in range(0, genes, SEGMENT):
        stop = min(genes, begin + SEGMENT)
        count = walk(stops, noise, begin, stop, genome, generation, MUTATION, seed, gaps, normal, scale)
        i = 0
        while i < count:
            while begin + stops[i] >= row_end:
                row, row_end = row + 1, row_end + inputs
            # Gather up to four lit inputs of this row: four at a time halve the traffic on the pre-activations.
            found, base = 0, row_end - inputs - begin
            p0, p1, p2, p3 = 0, 0, 0, 0
            z0, z1, z2, z3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            while i < count and found < 4 and begin + stops[i] < row_end:
                place = places[stops[i] - base]
                if place >= 0:
                    p3, p2, p1, p0 = p2, p1, p0, place
                    z3, z2, z1, z0 = z2, z1, z0, noise[i]
                    found += 1
                i += 1
            target = values[row]
            if found > 2:
                x0, x1, x2, x3 = columns[p0], columns[p1], columns[p2], columns[p3]
                for n in range(len(target)):
                    target[n] += (z0 * x0[n] + z1 * x1[n]) + (z2 * x2[n] + z3 * x3[n])
            elif found:
                x0, x1 = columns[p0], columns[p1]
                for n in range(len(target)):
                    target[n] += z0 * x0[n] + z1 * x1[n]


@kernel()
def score_inherited(fitness, accuracy, batch, task, brood, products, first, last):
    """Judge genomes from the survivors' products (S, H, N)."""
    columns, _, places, labels, weights = batch
    kind, reward, penalty = task
    _, parents, gene_kind, runs, elites, generation, seed, layers, _, _, _, _ = brood
    inputs, hidden = layers[0, 0], layers[0, 1]
    images = columns.shape[1]
    for genome in range(first, last):
        values = np.empty((hidden, images), np.float32)
        crosses, run = gene_kind != GENE_NONE and genome >= elites, ZERO
        words = group_words(runs, genome, generation, seed) if crosses else np.empty(0, np.uint32)
        for h in range(hidden):
            while run + 1 < len(runs) and runs[run + 1, 0] <= h * inputs:
                run += 1
            second = crosses and second_parent_gives(words, runs[run, 1])
            copy(values[h], products[parents[genome, 1 if second else 0], h])
        if genome >= elites:
            add_mutated_inputs(values, genome, columns, places, brood)
        logits = finish_forward(values, genome, brood)
        fitness[genome], right = judge(logits, labels, weights, kind, reward, penalty, genome, generation, seed)
        accuracy[genome] = right / images


@kernel()
def rebuild_genomes(genomes, chosen, brood, first, last):
    """Fill rows of genomes (C, D) with the chosen genomes."""
    for row in range(first, last):
        build_genes(genomes[row], ZERO, chosen[row], brood)


@kernel()
def mutate_genomes(genomes, generation, purpose, seed, gaps, normal, scale, first, last):
    """Mutate rows of genomes (G, D), in place."""
    for row in range(first, last):
        add_mutation(genomes[row], ZERO, row, generation, purpose, seed, gaps, normal, scale)


@part()
def forward(genes, layers, features):
    """Return the logits (K, N) of one genome (D,) for features (N, I); they are not turned over in memory."""
    inputs, outputs, start, code = layers[0]
    middle = start + inputs * outputs
    values = np.dot(genes[start:middle].reshape(outputs, inputs), features.T)
    activate(values, genes[middle : middle + outputs], code)
    for layer in range(1, len(layers)):
        inputs, outputs, start, code = layers[layer]
        middle = start + inputs * outputs
        values = np.dot(genes[start:middle].reshape(outputs, inputs), values)
        activate(values, genes[middle : middle + outputs], code)
    return values


@kernel()
def tiled_logits(logits, genes, layers, features, tile_size, first, last):
    """Fill logits (N, K) of one genome (D,) for features (N, I), tile by tile of `tile_size` images."""
    for tile in range(first, last):
        start = tile * tile_size
        stop = min(len(features), start + tile_size)
        values = forward(genes, layers, features[start:stop])
        for image in range(start, stop):
            for k in range(len(values)):
                logits[image, k] = values[k, image - start]
