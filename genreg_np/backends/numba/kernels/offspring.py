"""Genes of genomes, or any ranges of them: drawn, or copied and crossed, then mutated.

Walks and bit masks begin at fixed places (streams.py), so a range can be built without the genes before it.

Genes are built in rows, and of each row only some spans (n, 2): the first layer's weights of the inputs that are active
in a batch, or all of them. `rows` = number of the first gene, number of rows, genes per row.

Shapes: G genomes, `genomes` (G,) int64 are their numbers in the brood; D genes of a genome, L of them built; S
survivors.
"""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.bits import ZERO, copy, fill_words, unit_float
from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.layers.groups import Gene
from genreg_np.streams import BLOCKS_PER_SEGMENT, SEGMENT, Purpose

INITIAL, CROSSOVER, MUTATION = np.uint64(Purpose.INITIAL), np.uint64(Purpose.CROSSOVER), np.uint64(Purpose.MUTATION)
GENE_NONE, GENE_WEIGHT = int(Gene.NONE), int(Gene.WEIGHT)
WALK_WORDS = 128  # words of a walk drawn at a time


@kernel()
def draw_initial(built, rows, spans, genomes, seed, parameters):
    """Fill built (G, L) with the draws of generation 0, (u - 1/2) * width, plus `first` where that is not 0.

    parameters = starts, widths, firsts (Q,): where each parameter's genes begin, and how they are drawn.
    """
    starts, widths, firsts = parameters
    start, height, inputs = rows
    for g in range(len(built)):
        target, at, number = built[g], ZERO, ZERO
        for row in range(height):
            for span in range(len(spans)):
                begin, end = start + row * inputs + spans[span, 0], start + row * inputs + spans[span, 1]
                block = begin // 4
                words = np.empty(4 * ((end + 3) // 4 - block), np.uint32)
                fill_words(words, block, genomes[g], ZERO, INITIAL, seed)
                for gene in range(begin, end):
                    while number + 1 < len(starts) and gene >= starts[number + 1]:
                        number += 1
                    target[at] = (unit_float(words[gene - 4 * block]) - np.float32(0.5)) * widths[number]
                    if firsts[number] != 0:
                        target[at] += firsts[number]
                    at += 1


@part()
def cross_weights(target, at, gene, count, first, second, words, first_word):
    """Fill target[at : at + count] from two parents (D,) uint32, weight by weight from `gene` on: bit g for gene g.

    Words are selected by masks in a loop of fixed length, 32 genes at a time: both let the compiler vectorise. Up to 31
    further places of `target` are overwritten if there is room. `words` are the crossover words from number
    `first_word` on.
    """
    for done in range(0, count, 32):
        place, source = at + done, gene + done
        word, shift = source // 32 - first_word, np.uint64(source % 32)
        pair = np.uint64(words[word]) | (np.uint64(words[word + 1]) << np.uint64(32))
        bits = np.uint32((pair >> shift) & np.uint64(0xFFFFFFFF))
        room = len(target) - place if len(target) - place < len(first) - source else len(first) - source
        room = room if room < 32 else 32
        genes, kept, taken = target[place : place + room], first[source : source + room], second[source : source + room]
        if room == 32:
            for j in range(32):
                mask = np.uint32(0) - ((bits >> np.uint32(j)) & np.uint32(1))
                genes[j] = (taken[j] & mask) | (kept[j] & ~mask)
        else:
            for j in range(room):
                mask = np.uint32(0) - ((bits >> np.uint32(j)) & np.uint32(1))
                genes[j] = (taken[j] & mask) | (kept[j] & ~mask)


@part()
def second_parent_gives(words, bit):
    """Return whether gene group `bit` comes from the second parent."""
    return (words[bit // 32] >> np.uint32(bit % 32)) & np.uint32(1) == 1


@kernel()
def inherit(built, rows, spans, genomes, words, first_word, family, elites):
    """Fill built (G, L) uint32 with genes before mutation; floats are copied as words.

    family = survivors (S, D) uint32, parents (P, 2), gene_kind, runs (R, 2); words (G, n) are the crossover words from
    number `first_word` on: bit g for gene g, or for gene group g.
    """
    survivors, parents, gene_kind, runs = family
    start, height, inputs = rows
    for g in range(len(built)):
        genome, target, at = genomes[g], built[g], ZERO
        first, second = survivors[parents[genome, 0]], survivors[parents[genome, 1]]
        crosses, run = gene_kind != GENE_NONE and genome >= elites, ZERO
        for row in range(height):
            for span in range(len(spans)):
                gene, stop = start + row * inputs + spans[span, 0], start + row * inputs + spans[span, 1]
                if crosses and gene_kind == GENE_WEIGHT:
                    cross_weights(target, at, gene, stop - gene, first, second, words[g], first_word)
                    at, gene = at + stop - gene, stop
                while gene < stop:  # run by run, each from one parent
                    chosen, high = first, stop
                    if crosses:
                        while run + 1 < len(runs) and runs[run + 1, 0] <= gene:
                            run += 1
                        if run + 1 < len(runs):
                            high = min(stop, runs[run + 1, 0])
                        if second_parent_gives(words[g], runs[run, 1]):
                            chosen = second
                    copy(target[at : at + high - gene], chosen[gene:])
                    at, gene = at + high - gene, high


@part()
def walk(stops, noise, start, stop, genome, generation, purpose, seed, gaps, normal, scale):
    """Walk from mutated gene to mutated gene in start .. stop - 1; return how many there are.

    Fills `stops` (genes, counted from `start`) and `noise` (scale * z), each with room for stop - start entries. A
    segment that begins before `start` is walked from its beginning, as the walk's definition requires.
    """
    words = np.empty(WALK_WORDS, np.uint32)
    count = 0
    for segment in range(start // SEGMENT, (stop + SEGMENT - 1) // SEGMENT):
        end = min(stop, (segment + 1) * SEGMENT)
        block = segment * BLOCKS_PER_SEGMENT
        gene = segment * SEGMENT - 1
        while gene < end:
            fill_words(words, block, genome, generation, purpose, seed)
            block += WALK_WORDS // 4
            for w in range(WALK_WORDS):
                gene += gaps[words[w] & np.uint32(0xFFFF)]
                if gene >= end:
                    break
                if gene >= start:
                    stops[count] = gene - start
                    noise[count] = scale * normal[words[w] >> np.uint32(16)]
                    count += 1
    return count


@kernel()
def mutate(built, rows, spans, places, genomes, elites, drawn, tables):
    """Add scale * z in place at every gene of built (G, L) where its genome's walk stops; elites are unchanged.

    `places` (I,) holds each gene's place in the built part of its row, or -1; it is empty if all genes are built.
    drawn = generation, purpose, seed; tables = gaps, normal, scale.
    """
    start, height, inputs = rows
    generation, purpose, seed = drawn
    gaps, normal, scale = tables
    stops, noise = np.empty(SEGMENT, np.int64), np.empty(SEGMENT, np.float32)
    end, width = start + height * inputs, built.shape[1] // height
    for g in range(len(built)):
        genome, target = genomes[g], built[g]
        begin, row_start, at = start, start, ZERO
        while genome >= elites and begin < end:  # segment by segment, so that the memory needed is fixed
            stop = min(end, (begin // SEGMENT + 1) * SEGMENT)
            while begin >= row_start + inputs:
                row_start, at = row_start + inputs, at + width
            if stop > row_start + inputs or is_active(spans, begin - row_start, stop - row_start):
                count = walk(stops, noise, begin, stop, genome, generation, purpose, seed, gaps, normal, scale)
                for i in range(count):
                    gene = begin + stops[i]
                    while gene >= row_start + inputs:
                        row_start, at = row_start + inputs, at + width
                    place = gene - row_start
                    if len(places):
                        place = np.int64(places[place])
                    if place >= 0:
                        target[at + place] += noise[i]
            begin = stop


@part()
def is_active(spans, begin, end):
    """Return whether any input begin .. end - 1 lies in a span."""
    low, high = 0, len(spans)
    while low < high:  # the first span that ends after `begin`
        middle = (low + high) // 2
        if spans[middle, 1] > begin:
            high = middle
        else:
            low = middle + 1
    return low < len(spans) and spans[low, 0] < end
