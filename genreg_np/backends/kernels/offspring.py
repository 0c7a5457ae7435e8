"""A genome's genes, any stretch of them: drawn, copied or crossed, then mutated.

Walks and bit masks begin at fixed places (streams.py), so a stretch can be built without what lies before it.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.kernels.bits import fill_words, unit_float
from genreg_np.backends.kernels.jit import kernel
from genreg_np.streams import BLOCKS_PER_SEGMENT, SEGMENT, Purpose

INITIAL, CROSSOVER, MUTATION = int(Purpose.INITIAL), int(Purpose.CROSSOVER), int(Purpose.MUTATION)
GENE_NONE, GENE_WEIGHT = 0, 1  # base.Gene
WALK_WORDS = 128  # words of a walk drawn at a time


@kernel()
def draw_initial(genes, start, genome, seed, layers, ranges):
    """Fill genes start .. start + len(genes) with generation 0's draws: (u - 1/2) * range."""
    first = start // 4
    words = np.empty(4 * ((start + len(genes) + 3) // 4 - first), np.uint32)
    fill_words(words, first, genome, 0, INITIAL, seed)
    layer = 0
    for i in range(len(genes)):
        gene = start + i
        while layer + 1 < len(layers) and gene >= layers[layer + 1, 2]:
            layer += 1
        is_weight = gene < layers[layer, 2] + layers[layer, 0] * layers[layer, 1]
        genes[i] = (unit_float(words[gene - 4 * first]) - np.float32(0.5)) * (ranges[0] if is_weight else ranges[1])


@kernel()
def cross_weights(genes, start, first, second, words, first_word):
    """Fill genes start .. start + len(genes) from two parents (D,), weight by weight: bit g for gene g.

    `words` are the crossover words from number `first_word` on.
    """
    stop = start + len(genes)
    for word in range(start // 32, (stop + 31) // 32):
        bits = words[word - first_word]
        low = 32 * word
        if low >= start and low + 32 <= stop:  # a whole word: a loop of fixed length, which vectorises
            for j in range(32):
                gene = low + j
                genes[gene - start] = second[gene] if (bits >> np.uint32(j)) & np.uint32(1) else first[gene]
        else:
            for gene in range(max(low, start), min(low + 32, stop)):
                genes[gene - start] = second[gene] if (bits >> np.uint32(gene - low)) & np.uint32(1) else first[gene]


@kernel()
def second_parent_gives(bit, genome, generation, seed):
    """Whether gene group `bit` comes from the second parent."""
    words = np.empty(4, np.uint32)
    fill_words(words, bit // 128, genome, generation, CROSSOVER, seed)
    return (words[(bit // 32) % 4] >> np.uint32(bit % 32)) & np.uint32(1) == 1


@kernel()
def cross_groups(genes, start, first, second, runs, genome, generation, seed):
    """Fill genes from two parents: each run of genes comes as a whole from the parent its group's bit names."""
    stop = start + len(genes)
    for run in range(len(runs)):
        low = max(start, runs[run, 0])
        high = min(stop, runs[run + 1, 0] if run + 1 < len(runs) else stop)
        if low < high:
            chosen = second if second_parent_gives(runs[run, 1], genome, generation, seed) else first
            genes[low - start : high - start] = chosen[low:high]


@kernel()
def inherit(genes, start, genome, brood):
    """Fill genes start .. start + len(genes) of a genome as it is before mutation."""
    survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges, _, _, _ = brood
    if len(survivors) == 0:
        draw_initial(genes, start, genome, seed, layers, ranges)
        return
    first, second = survivors[parents[genome, 0]], survivors[parents[genome, 1]]
    if gene_kind == GENE_NONE or genome < elites:
        genes[:] = first[start : start + len(genes)]
    elif gene_kind == GENE_WEIGHT:
        block = start // 128
        words = np.empty(4 * ((start + len(genes) + 127) // 128 - block), np.uint32)
        fill_words(words, block, genome, generation, CROSSOVER, seed)
        cross_weights(genes, start, first, second, words, 4 * block)
    else:
        cross_groups(genes, start, first, second, runs, genome, generation, seed)


@kernel()
def walk(stops, noise, start, stop, genome, generation, purpose, seed, gaps, normal, scale):
    """Walk from mutated gene to mutated gene through start .. stop; return how many there are.

    Fills `stops` (genes, counted from `start`) and `noise` (scale * z), each with room for stop - start entries. A
    segment that begins before `start` is walked from its beginning, as the walk's definition demands.
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
def add_mutation(genes, start, genome, generation, purpose, seed, gaps, normal, scale):
    """Add scale * z in place at every gene of start .. start + len(genes) that the walk stops at."""
    stops, noise = np.empty(SEGMENT, np.int64), np.empty(SEGMENT, np.float32)
    end = start + len(genes)
    begin = start
    while begin < end:  # segment by segment, so that the room needed is fixed
        stop = min(end, (begin // SEGMENT + 1) * SEGMENT)
        count = walk(stops, noise, begin, stop, genome, generation, purpose, seed, gaps, normal, scale)
        for i in range(count):
            genes[begin - start + stops[i]] += noise[i]
        begin = stop


@kernel()
def build_genes(genes, start, genome, brood):
    """Fill genes start .. start + len(genes) of genome number `genome` of the brood."""
    survivors, _, _, _, elites, generation, seed, _, _, gaps, normal, scale = brood
    inherit(genes, start, genome, brood)
    if len(survivors) and genome >= elites:
        add_mutation(genes, start, genome, generation, MUTATION, seed, gaps, normal, scale)


@kernel()
def build_lit_rows(block, row, spans, places, genome, brood):
    """Fill block (R, W) with the first layer's rows from `row` on, only at the inputs that are lit in the batch.

    `spans` (n, 2) are the runs of lit inputs, `places` (I,) says where an input lies in the block's rows, or -1.
    """
    survivors, parents, gene_kind, _, elites, generation, seed, layers, _, gaps, normal, scale = brood
    height, inputs = block.shape[0], layers[0, 0]
    start, end = row * inputs, (row + height) * inputs
    by_weight = len(survivors) > 0 and gene_kind == GENE_WEIGHT and genome >= elites
    words, first_word = np.empty(0, np.uint32), 0
    if by_weight:
        first_word = 4 * (start // 128)
        words = np.empty(4 * ((end + 127) // 128) - first_word, np.uint32)
        fill_words(words, first_word // 4, genome, generation, CROSSOVER, seed)
    for h in range(height):
        at = 0
        for span in range(len(spans)):
            gene = (row + h) * inputs + spans[span, 0]
            length = spans[span, 1] - spans[span, 0]
            piece = block[h, at : at + length]
            if by_weight:
                first, second = survivors[parents[genome, 0]], survivors[parents[genome, 1]]
                cross_weights(piece, gene, first, second, words, first_word)
            else:
                inherit(piece, gene, genome, brood)
            at += length
    if len(survivors) == 0 or genome < elites:
        return
    stops, noise = np.empty(SEGMENT, np.int64), np.empty(SEGMENT, np.float32)
    begin, h, row_end = start, 0, start + inputs
    while begin < end:
        stop = min(end, (begin // SEGMENT + 1) * SEGMENT)
        count = walk(stops, noise, begin, stop, genome, generation, MUTATION, seed, gaps, normal, scale)
        for i in range(count):
            gene = begin + stops[i]
            while gene >= row_end:
                h, row_end = h + 1, row_end + inputs
            place = places[gene - row_end + inputs]
            if place >= 0:
                block[h, place] += noise[i]
        begin = stop
