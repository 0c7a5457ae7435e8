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
MIN_ROWS, BLOCK_GENES = 16, 65536  # rows of weights built at a time: at least 16, else about 256 KB, in cache


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
def draw_initial(genes, start, genome, seed, layers, weight_range, bias_range):
    """Fill genes start .. start + len(genes) with generation 0's draws."""
    words = np.empty(4, np.float32)
    layer = 0
    for i in range(len(genes)):
        gene = start + i
        if i == 0 or gene % 4 == 0:
            w0, w1, w2, w3 = philox(gene // 4, genome, 0, INITIAL, seed)
            words[0], words[1], words[2], words[3] = unit_float(w0), unit_float(w1), unit_float(w2), unit_float(w3)
        while layer + 1 < len(layers) and gene >= layers[layer + 1, 2]:
            layer += 1
        is_weight = gene < layers[layer, 2] + layers[layer, 0] * layers[layer, 1]
        genes[i] = (words[gene % 4] - np.float32(0.5)) * (weight_range if is_weight else bias_range)


@kernel()
def cross_weights(genes, start, first, second, genome, generation, seed):
    """Fill genes start .. start + len(genes) from two parents (D,), weight by weight: bit g for gene g."""
    stop = start + len(genes)
    words = np.empty(4, np.uint32)
    for word in range(start // 32, (stop + 31) // 32):
        if word % 4 == 0 or word == start // 32:
            w0, w1, w2, w3 = philox(word // 4, genome, generation, CROSSOVER, seed)
            words[0], words[1], words[2], words[3] = w0, w1, w2, w3
        bits = words[word % 4]
        low = 32 * word
        if low >= start and low + 32 <= stop:  # a whole word: a loop of fixed length, which vectorises
            for j in range(32):
                gene = low + j
                genes[gene - start] = second[gene] if (bits >> np.uint32(j)) & np.uint32(1) else first[gene]
        else:
            for gene in range(max(low, start), min(low + 32, stop)):
                genes[gene - start] = second[gene] if (bits >> np.uint32(gene - low)) & np.uint32(1) else first[gene]


@kernel()
def cross_groups(genes, start, first, second, runs, genome, generation, seed):
    """The same for gene groups: every run of genes comes as a whole from the parent its bit names."""
    stop = start + len(genes)
    for run in range(len(runs)):
        low = max(start, runs[run, 0])
        high = min(stop, runs[run + 1, 0] if run + 1 < len(runs) else stop)
        if low >= high:
            continue
        bit = runs[run, 1]
        word = philox(bit // 128, genome, generation, CROSSOVER, seed)[(bit // 32) % 4]
        chosen = second if (word >> np.uint64(bit % 32)) & np.uint64(1) else first
        genes[low - start : high - start] = chosen[low:high]


@kernel()
def add_mutation(genes, start, genome, generation, purpose, seed, gaps, normal, scale):
    """Add scale * z in place at every gene of start .. start + len(genes) that the walk stops at.

    A segment that begins before `start` is walked from its beginning, as the walk's definition demands.
    """
    stop = start + len(genes)
    for segment in range(start // SEGMENT, (stop + SEGMENT - 1) // SEGMENT):
        end = min(stop, (segment + 1) * SEGMENT)
        block = segment * BLOCKS_PER_SEGMENT
        gene = segment * SEGMENT - 1
        while gene < end:
            w0, w1, w2, w3 = philox(block, genome, generation, purpose, seed)
            block += 1
            for word in (w0, w1, w2, w3):
                gene += gaps[word & np.uint64(0xFFFF)]
                if gene >= end:
                    break
                if gene >= start:
                    genes[gene - start] += scale * normal[word >> np.uint64(16)]


@kernel()
def inherit(genes, start, genome, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges):
    """Fill genes start .. start + len(genes) of a genome as it is before mutation: drawn, copied or crossed."""
    if len(survivors) == 0:
        draw_initial(genes, start, genome, seed, layers, ranges[0], ranges[1])
        return
    first, second = survivors[parents[genome, 0]], survivors[parents[genome, 1]]
    if gene_kind == GENE_NONE or genome < elites:
        genes[:] = first[start : start + len(genes)]
    elif gene_kind == GENE_WEIGHT:
        cross_weights(genes, start, first, second, genome, generation, seed)
    else:
        cross_groups(genes, start, first, second, runs, genome, generation, seed)


@kernel()
def build_genes(
    genes, start, genome, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges, gaps, normal,
    scale,
):  # fmt: skip
    """Fill genes start .. start + len(genes) of genome number `genome` of the brood."""
    inherit(genes, start, genome, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges)
    if len(survivors) and genome >= elites:
        add_mutation(genes, start, genome, generation, MUTATION, seed, gaps, normal, scale)


@kernel()
def build_lit_rows(
    block, row, spans, places, genome, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges,
    gaps, normal, scale,
):  # fmt: skip
    """Fill block (R, W) with the first layer's rows from `row` on, only at the inputs that are lit in the batch.

    `spans` (n, 2) are the runs of lit inputs, `places` (I,) says where an input lies in the block's rows, or -1.
    """
    height, inputs = block.shape[0], layers[0, 0]
    for h in range(height):
        at = 0
        for span in range(len(spans)):
            begin, end = spans[span]
            inherit(
                block[h, at : at + end - begin], (row + h) * inputs + begin, genome, survivors, parents, gene_kind,
                runs, elites, generation, seed, layers, ranges,
            )  # fmt: skip
            at += end - begin
    if len(survivors) == 0 or genome < elites:
        return
    start, stop = row * inputs, (row + height) * inputs
    for segment in range(start // SEGMENT, (stop + SEGMENT - 1) // SEGMENT):
        end = min(stop, (segment + 1) * SEGMENT)
        counter = segment * BLOCKS_PER_SEGMENT
        gene = segment * SEGMENT - 1
        while gene < end:
            w0, w1, w2, w3 = philox(counter, genome, generation, MUTATION, seed)
            counter += 1
            for word in (w0, w1, w2, w3):
                gene += gaps[word & np.uint64(0xFFFF)]
                if gene >= end:
                    break
                if gene >= start:
                    place = places[gene % inputs]
                    if place >= 0:
                        block[gene // inputs - row, place] += scale * normal[word >> np.uint64(16)]


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


@kernel()
def forward_unbuilt(
    genome, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges, gaps, normal, scale,
    columns, spans, places,
):  # fmt: skip
    """Return the logits (K, N) of a genome that is built a few rows of weights at a time, in cache, and forgotten.

    `columns` (W, N) are the batch's lit inputs; dark ones add nothing, so their weights are not even built.
    """
    values = columns
    for layer in range(len(layers)):
        inputs, outputs, start, code = layers[layer]
        middle = start + inputs * outputs
        width = len(values)
        rows = min(outputs, max(MIN_ROWS, BLOCK_GENES // width))
        weights = np.empty(rows * width, np.float32)
        results = np.empty((outputs, values.shape[1]), np.float32)
        for row in range(0, outputs, rows):
            height = min(rows, outputs - row)
            block = weights[: height * width].reshape(height, width)
            if layer == 0:
                build_lit_rows(
                    block, row, spans, places, genome, survivors, parents, gene_kind, runs, elites, generation, seed,
                    layers, ranges, gaps, normal, scale,
                )  # fmt: skip
            else:
                build_genes(
                    weights[: height * width], start + row * inputs, genome, survivors, parents, gene_kind, runs,
                    elites, generation, seed, layers, ranges, gaps, normal, scale,
                )  # fmt: skip
            np.dot(block, values, results[row : row + height])
        biases = np.empty(outputs, np.float32)
        build_genes(
            biases, middle, genome, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges,
            gaps, normal, scale,
        )  # fmt: skip
        activate(results, biases, code)
        values = results
    return values


@kernel(parallel=True)
def score_brood(
    fitness, accuracy, columns, spans, places, labels, weights, kind, reward, penalty,
    survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges, gaps, normal, scale,
):  # fmt: skip
    """Judge all genomes: fitness and accuracy (P,). Threads share out genomes; each is built in its thread's cache."""
    for genome in prange(len(parents)):
        logits = forward_unbuilt(
            genome, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges, gaps, normal, scale,
            columns, spans, places,
        )  # fmt: skip
        fitness[genome], right = judge(logits, labels, weights, kind, reward, penalty, genome, generation, seed)
        accuracy[genome] = right / len(labels)


@kernel(parallel=True)
def rebuild_genomes(
    genomes, chosen, survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges, gaps, normal, scale
):
    """Fill genomes (C, D) with the chosen genomes."""
    for row in prange(len(chosen)):
        build_genes(
            genomes[row], 0, chosen[row], survivors, parents, gene_kind, runs, elites, generation, seed, layers,
            ranges, gaps, normal, scale,
        )  # fmt: skip


@kernel(parallel=True)
def mutate_genomes(genomes, first, generation, purpose, seed, gaps, normal, scale):
    """Mutate rows of genomes (G, D) from `first` on, in place."""
    for row in prange(first, len(genomes)):
        add_mutation(genomes[row], 0, row, generation, purpose, seed, gaps, normal, scale)


@kernel(parallel=True)
def tiled_logits(logits, genes, layers, features, tile_size):
    """Fill logits (N, K) of one genome for features (N, I), `tile_size` images per BLAS call."""
    images = len(features)
    for tile in prange((images + tile_size - 1) // tile_size):
        start = tile * tile_size
        stop = min(images, start + tile_size)
        logits[start:stop] = forward(genes, layers, np.ascontiguousarray(features[start:stop].T)).T
