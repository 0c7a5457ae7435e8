"""Numba kernels: the equations of numpy_.py, one genome at a time, in the caller's thread or in parallel.

Tables are arguments (Numba would freeze globals into the compiled code), sums run in a fixed order, and nothing is
compiled with fastmath: a product and a sum are rounded separately, as streams.py demands.

`layers` is (L, 4) int64: inputs, outputs, index of the first weight, activation code.
`runs` is (R, 2) int64 as base.crossover_runs gives it.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import prange

from genreg_np.backends.jit import kernel
from genreg_np.streams import (
    BLOCKS_PER_SEGMENT,
    MULTIPLIER_0,
    MULTIPLIER_1,
    ROUNDS,
    SEGMENT,
    WEYL_0,
    WEYL_1,
    WORD,
    Purpose,
)

INITIAL, CROSSOVER, MUTATION, PREDICTION = (
    np.uint64(purpose) for purpose in (Purpose.INITIAL, Purpose.CROSSOVER, Purpose.MUTATION, Purpose.PREDICTION)
)
MASK, HALF = np.uint64(WORD), np.uint64(32)
FACTOR_0, FACTOR_1 = np.uint64(MULTIPLIER_0), np.uint64(MULTIPLIER_1)
STEP_0, STEP_1 = np.uint64(WEYL_0), np.uint64(WEYL_1)
GENE_NONE, GENE_WEIGHT = 0, 1  # base.Gene
REWARD_SAMPLED, REWARD_ARGMAX, LOG_PROBABILITY = 0, 1, 2  # base.Score
ACTIVATION_CODES = {"linear": 0, "tanh": 1, "relu": 2, "leaky-relu": 3, "sigmoid": 4, "step": 5, "sign": 6}
GENOME_TILE = 8  # genomes a thread takes at a time


@kernel(inline="always")
def philox(block, genome, generation, purpose, seed):
    """Return the four words of a counter, each as uint64 below 2**32."""
    c0, c1, c2, c3 = np.uint64(block), np.uint64(genome), np.uint64(generation), np.uint64(purpose)
    k0, k1 = seed & MASK, seed >> HALF
    for _ in range(ROUNDS):
        p0 = FACTOR_0 * c0
        p1 = FACTOR_1 * c2
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & MASK, (p0 >> HALF) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + STEP_0) & MASK, (k1 + STEP_1) & MASK
    return c0, c1, c2, c3


@kernel(inline="always")
def unit_float(word):
    """Map a word to float32 in [0, 1)."""
    return np.float32(word >> np.uint64(8)) * np.float32(2.0**-24)


@kernel()
def draw_initial(genes, genome, seed, layers, weight_range, bias_range):
    """Fill genes (D,) with generation 0's draws."""
    words = np.empty(4, np.float32)
    for layer in range(len(layers)):
        start = layers[layer, 2]
        middle = start + layers[layer, 0] * layers[layer, 1]
        for gene in range(start, middle + layers[layer, 1]):
            if gene % 4 == 0 or gene == start:
                w0, w1, w2, w3 = philox(gene // 4, genome, 0, INITIAL, seed)
                words[0], words[1], words[2], words[3] = unit_float(w0), unit_float(w1), unit_float(w2), unit_float(w3)
            bound = weight_range if gene < middle else bias_range
            genes[gene] = (words[gene % 4] - np.float32(0.5)) * bound


@kernel()
def cross(genes, first, second, gene_kind, runs, genome, generation, seed):
    """Fill genes (D,) from two parents (D,): group b comes from the second where bit b is 1."""
    count = len(genes)
    if gene_kind == GENE_NONE:
        genes[:] = first
    elif gene_kind == GENE_WEIGHT:
        words = np.empty(4, np.uint32)
        for start in range(0, count, 128):
            w0, w1, w2, w3 = philox(start // 128, genome, generation, CROSSOVER, seed)
            words[0], words[1], words[2], words[3] = w0, w1, w2, w3
            for w in range(4):
                low = start + 32 * w
                bits = words[w]
                for j in range(min(32, count - low)):
                    genes[low + j] = second[low + j] if (bits >> np.uint32(j)) & np.uint32(1) else first[low + j]
    else:
        for run in range(len(runs)):
            start = runs[run, 0]
            stop = runs[run + 1, 0] if run + 1 < len(runs) else count
            bit = runs[run, 1]
            w0, w1, w2, w3 = philox(bit // 128, genome, generation, CROSSOVER, seed)
            word = (w0, w1, w2, w3)[(bit // 32) % 4]
            if (word >> np.uint64(bit % 32)) & np.uint64(1):
                genes[start:stop] = second[start:stop]
            else:
                genes[start:stop] = first[start:stop]


@kernel()
def add_mutation(genes, genome, generation, purpose, seed, gaps, normal, scale):
    """Add scale * z in place at every gene the walk stops at."""
    count = len(genes)
    for segment in range((count + SEGMENT - 1) // SEGMENT):
        start = segment * SEGMENT
        stop = min(count, start + SEGMENT)
        block = segment * BLOCKS_PER_SEGMENT
        position = start - 1
        while position < stop:
            w0, w1, w2, w3 = philox(block, genome, generation, purpose, seed)
            block += 1
            for word in (w0, w1, w2, w3):
                position += gaps[word & np.uint64(0xFFFF)]
                if position >= stop:
                    break
                genes[position] += scale * normal[word >> np.uint64(16)]


@kernel()
def build_genome(
    genes, genome, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges, gaps, normal, scale
):
    """Fill genes (D,) with genome number `genome` of the brood."""
    if len(survivors) == 0:
        draw_initial(genes, genome, seed, layers, ranges[0], ranges[1])
        return
    first, second = survivors[parents[genome, 0]], survivors[parents[genome, 1]]
    if genome < elites:
        genes[:] = first
        return
    cross(genes, first, second, gene_kind, runs, genome, generation, seed)
    add_mutation(genes, genome, generation, MUTATION, seed, gaps, normal, scale)


@kernel(inline="always")
def tanh(x):
    """Tanh by its continued fraction x/(1 + x^2/(3 + x^2/(5 + ...))) (Lambert, 1761), cut after 12 terms.

    All coefficients are positive, so float32 loses nothing to cancellation; |error| < 1e-6. Written out so that the
    compiler can vectorise it, which it cannot do with a library call.
    """
    x = min(max(x, np.float32(-9)), np.float32(9))
    y = x * x
    p = np.float32(78) * y + np.float32(75075)
    p = p * y + np.float32(18378360)
    p = p * y + np.float32(1571349780)
    p = p * y + np.float32(45831035250)
    p = p * y + np.float32(316234143225)
    q = y + np.float32(3003)
    q = q * y + np.float32(1351350)
    q = q * y + np.float32(192972780)
    q = q * y + np.float32(9820936125)
    q = q * y + np.float32(151242416325)
    q = q * y + np.float32(316234143225)
    return x * (p / q)


@kernel()
def activate(values, biases, code):
    """Replace values (O, N) by a(values + biases)."""
    for unit in range(values.shape[0]):
        bias = biases[unit]
        row = values[unit]
        if code == 0:
            for i in range(len(row)):
                row[i] += bias
        elif code == 1:
            for i in range(len(row)):
                row[i] = tanh(row[i] + bias)
        elif code == 2:
            for i in range(len(row)):
                row[i] = max(row[i] + bias, np.float32(0))
        elif code == 3:
            for i in range(len(row)):
                z = row[i] + bias
                row[i] = z if z > 0 else z * np.float32(0.01)
        elif code == 4:
            for i in range(len(row)):
                row[i] = np.float32(0.5) * (tanh(np.float32(0.5) * (row[i] + bias)) + np.float32(1))
        elif code == 5:
            for i in range(len(row)):
                row[i] = np.float32(1) if row[i] + bias > 0 else np.float32(0)
        else:
            for i in range(len(row)):
                row[i] = np.float32(1) if row[i] + bias > 0 else np.float32(-1)


@kernel()
def forward(genes, layers, columns):
    """Return the logits (K, N) of one genome (D,) for columns (I, N)."""
    values = columns
    for layer in range(len(layers)):
        inputs, outputs, start, code = layers[layer]
        middle = start + inputs * outputs
        values = np.dot(genes[start:middle].reshape(outputs, inputs), values)
        activate(values, genes[middle : middle + outputs], code)
    return values


@kernel()
def judge(logits, labels, weights, kind, reward, penalty, genome, generation, seed):
    """Return fitness and number of right predictions of one genome from its logits (K, N)."""
    classes, images = logits.shape
    fitness, right = 0.0, 0
    words = np.empty(4, np.float32)
    cumulative = np.empty(classes, np.float32)
    for i in range(images):
        best, top = 0, logits[0, i]
        for k in range(1, classes):
            if logits[k, i] > top:
                best, top = k, logits[k, i]
        label = labels[i]
        if kind != REWARD_ARGMAX:
            total = np.float32(0)
            for k in range(classes):
                total += np.float32(math.exp(logits[k, i] - top))
                cumulative[k] = total
            if kind == REWARD_SAMPLED:
                if i % 4 == 0:
                    w0, w1, w2, w3 = philox(i // 4, genome, generation, PREDICTION, seed)
                    words[0], words[1], words[2], words[3] = (
                        unit_float(w0), unit_float(w1), unit_float(w2), unit_float(w3))  # fmt: skip
                target = words[i % 4] * total
                best = 0
                while best < classes - 1 and cumulative[best] <= target:
                    best += 1
        if best == label:
            right += 1
        if kind == LOG_PROBABILITY:
            fitness += np.float64((logits[label, i] - top) - np.float32(math.log(total))) * weights[i]
        else:
            fitness += (reward if best == label else penalty) * weights[i]
    return fitness, right


@kernel(parallel=True)
def score_brood(
    fitness, accuracy, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges,
    gaps, normal, scale, columns, labels, weights, kind, reward, penalty,
):  # fmt: skip
    """Judge all genomes: fitness and accuracy (P,). Threads share out tiles of genomes; a tile is built in cache."""
    population = len(parents)
    count = layers[-1, 2] + (layers[-1, 0] + 1) * layers[-1, 1]
    for tile in prange((population + GENOME_TILE - 1) // GENOME_TILE):
        genes = np.empty(count, np.float32)
        for genome in range(tile * GENOME_TILE, min(population, (tile + 1) * GENOME_TILE)):
            build_genome(
                genes, genome, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges,
                gaps, normal, scale,
            )  # fmt: skip
            logits = forward(genes, layers, columns)
            fitness[genome], right = judge(
                logits, labels, weights, kind, reward, penalty, genome, generation, seed)  # fmt: skip
            accuracy[genome] = right / len(labels)


@kernel(parallel=True)
def rebuild_genomes(
    genomes, chosen, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges, gaps, normal, scale
):
    """Fill genomes (C, D) with the chosen genomes."""
    for row in prange(len(chosen)):
        build_genome(
            genomes[row], chosen[row], survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges,
            gaps, normal, scale,
        )  # fmt: skip


@kernel(parallel=True)
def mutate_genomes(genomes, first, generation, purpose, seed, gaps, normal, scale):
    """Mutate rows of genomes (G, D) from `first` on, in place."""
    for row in prange(first, len(genomes)):
        add_mutation(genomes[row], row, generation, purpose, seed, gaps, normal, scale)


@kernel(parallel=True)
def tiled_logits(logits, genes, layers, features, tile_size):
    """Fill logits (N, K) of one genome for features (N, I), `tile_size` images per BLAS call."""
    images = len(features)
    for tile in prange((images + tile_size - 1) // tile_size):
        start = tile * tile_size
        stop = min(images, start + tile_size)
        logits[start:stop] = forward(genes, layers, np.ascontiguousarray(features[start:stop].T)).T
