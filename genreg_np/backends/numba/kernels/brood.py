"""A tile of a generation's genomes, step by step: broods.py calls these kernels in turn.

Shapes: G genomes of the tile, `genomes` (G,) int64 are their numbers in the brood; S survivors; I inputs, W of them
active, H units of the first layer, N images, K classes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from genreg_np.backends.numba.kernels.bits import ZERO, copy, unit_float
from genreg_np.backends.numba.kernels.jit import kernel
from genreg_np.backends.numba.kernels.network import (
    LOG_PROBABILITY,
    REWARD_ARGMAX,
    REWARD_SAMPLED,
    best_classes,
    exponential,
)
from genreg_np.backends.numba.kernels.offspring import GENE_NONE, MUTATION, second_parent_gives, walk
from genreg_np.streams import SEGMENT


@kernel()
def gather_active(active, survivors, inputs, spans):
    """Fill active (S, H, W) with the survivors' first layers at the spans (n, 2) of active inputs."""
    for s in range(len(survivors)):
        for h in range(active.shape[1]):
            at, target, source = ZERO, active[s, h], survivors[s, h * inputs : (h + 1) * inputs]
            for span in range(len(spans)):
                begin, end = spans[span, 0], spans[span, 1]
                copy(target[at : at + end - begin], source[begin:])
                at += end - begin


@kernel()
def inherit_units(values, products, inputs, genomes, words, family, elites):
    """Fill pre-activations (G, H, N) with those of the parents' units, taken from products (S, H, N).

    family = parents (P, 2), gene_kind, runs (R, 2); words (G, n) are the crossover words of all gene groups.
    """
    parents, gene_kind, runs = family
    for g in range(len(values)):
        genome, run = genomes[g], ZERO
        crosses = gene_kind != GENE_NONE and genome >= elites
        for h in range(values.shape[1]):
            while run + 1 < len(runs) and runs[run + 1, 0] <= h * inputs:
                run += 1
            parent = parents[genome, 0]
            if crosses and second_parent_gives(words[g], runs[run, 1]):
                parent = parents[genome, 1]
            copy(values[g, h], products[parent, h])


@kernel()
def add_mutated_inputs(pre_activations, genomes, elites, inputs, columns, places, drawn, tables):
    """Add noise * x to pre-activations (G, H, N) for every mutated weight of the first layer whose input x is active.

    drawn = generation, seed; tables = gaps, normal, scale.
    """
    generation, seed = drawn
    gaps, normal, scale = tables
    genes = inputs * pre_activations.shape[1]
    stops, noise = np.empty(SEGMENT, np.int64), np.empty(SEGMENT, np.float32)
    for g in range(len(genomes)):
        genome, values = genomes[g], pre_activations[g]
        row, row_end = ZERO, inputs
        for begin in range(0, genes if genome >= elites else 0, SEGMENT):
            stop = min(genes, begin + SEGMENT)
            count = walk(stops, noise, begin, stop, genome, generation, MUTATION, seed, gaps, normal, scale)
            i = 0
            while i < count:
                while begin + stops[i] >= row_end:
                    row, row_end = row + 1, row_end + inputs
                # Gather up to four active inputs of this row: this halves the memory traffic of the pre-activations.
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
def judge(fitness, accuracy, logits, words, labels, weights, task):
    """Fill fitness and accuracy (G,) from logits (G, K, N), which are overwritten.

    task = kind, reward, penalty. The sampled class is the first k with e_0 + ... + e_k > u (e_0 + ... + e_(K-1)), where
    e_k = exp(z_k - max z) and u comes from words (G, n).
    """
    kind, reward, penalty = task
    genomes, classes, images = logits.shape
    best, top, first = np.empty(images, np.int32), np.empty(images, np.float32), np.empty(images, np.float32)
    for g in range(genomes):
        values = logits[g]
        best_classes(values, best, top)
        if kind == LOG_PROBABILITY:
            for i in range(images):
                first[i] = values[labels[i], i] - top[i]
        if kind != REWARD_ARGMAX:
            for k in range(classes):
                row, below = values[k], values[k - 1 if k else 0]
                for i in range(images):
                    row[i] = exponential(max(row[i] - top[i], np.float32(-87)))
                if k:
                    for i in range(images):
                        row[i] += below[i]
        total = values[classes - 1]
        if kind == REWARD_SAMPLED:
            for i in range(images):
                best[i], top[i] = 0, unit_float(words[g, i]) * total[i]
            for k in range(classes - 1):
                row = values[k]
                for i in range(images):
                    best[i] += row[i] <= top[i]
        sum_of_scores, right = 0.0, 0
        for i in range(images):
            hit = best[i] == labels[i]
            right += hit
            if kind == LOG_PROBABILITY:
                sum_of_scores += np.float64(first[i] - np.float32(math.log(total[i]))) * weights[i]
            else:
                sum_of_scores += (reward if hit else penalty) * weights[i]
        fitness[g], accuracy[g] = sum_of_scores, right / images
