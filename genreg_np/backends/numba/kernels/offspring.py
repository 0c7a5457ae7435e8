"""A genome's genes, any stretch of them: drawn, copied or crossed, then mutated.

Walks and bit masks begin at fixed places (streams.py), so a stretch can be built without what lies before it.
"""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.bits import ZERO, copy, fill_words, unit_float
from genreg_np.backends.numba.kernels.jit import part
from genreg_np.streams import BLOCKS_PER_SEGMENT, SEGMENT, Purpose

INITIAL, CROSSOVER, MUTATION = np.uint64(Purpose.INITIAL), np.uint64(Purpose.CROSSOVER), np.uint64(Purpose.MUTATION)
GENE_NONE, GENE_WEIGHT = 0, 1  # base.Gene
WALK_WORDS = 128  # words of a walk drawn at a time


@part()
def draw_initial(genes, start, genome, seed, layers, ranges):
    """Fill genes start .. start + len(genes) with generation 0's draws: (u - 1/2) * range."""
    first = start // 4
    words = np.empty(4 * ((start + len(genes) + 3) // 4 - first), np.uint32)
    fill_words(words, first, genome, ZERO, INITIAL, seed)
    layer = 0
    for i in range(len(genes)):
        gene = start + i
        while layer + 1 < len(layers) and gene >= layers[layer + 1, 2]:
            layer += 1
        is_weight = gene < layers[layer, 2] + layers[layer, 0] * layers[layer, 1]
        genes[i] = (unit_float(words[gene - 4 * first]) - np.float32(0.5)) * (ranges[0] if is_weight else ranges[1])


@part()
def crossover_words(start, stop, genome, generation, seed):
    """Return the crossover words of genes start .. stop, a block more, and the number of the first."""
    block = start // 128
    words = np.empty(4 * ((stop + 127) // 128 - block + 1), np.uint32)
    fill_words(words, block, genome, generation, CROSSOVER, seed)
    return words, 4 * block


@part()
def cross_weights(target, at, gene, count, first, second, words, first_word):
    """Fill target[at : at + count] from two parents (D,), weight by weight from `gene` on: bit g for gene g.

    Floats are taken for the words they are, and chosen by masks; 32 genes a time, a loop of fixed length. Both let the
    compiler use vectors. Up to 31 further places of `target` are overwritten where there is room. `words` are the
    crossover words from number `first_word` on.
    """
    into, one, other = target.view(np.uint32), first.view(np.uint32), second.view(np.uint32)
    for done in range(0, count, 32):
        place, source = at + done, gene + done
        word, shift = source // 32 - first_word, np.uint64(source % 32)
        pair = np.uint64(words[word]) | (np.uint64(words[word + 1]) << np.uint64(32))
        bits = np.uint32((pair >> shift) & np.uint64(0xFFFFFFFF))
        room = min(32, len(into) - place, len(one) - source)
        genes, kept, taken = into[place : place + room], one[source : source + room], other[source : source + room]
        if room == 32:
            for j in range(32):
                mask = np.uint32(0) - ((bits >> np.uint32(j)) & np.uint32(1))
                genes[j] = (taken[j] & mask) | (kept[j] & ~mask)
        else:
            for j in range(room):
                mask = np.uint32(0) - ((bits >> np.uint32(j)) & np.uint32(1))
                genes[j] = (taken[j] & mask) | (kept[j] & ~mask)


@part()
def group_words(runs, genome, generation, seed):
    """Return the crossover words of all gene groups: bit b for group b."""
    last = ZERO
    for run in range(len(runs)):
        last = max(last, runs[run, 1])
    words, _ = crossover_words(ZERO, last + 1, genome, generation, seed)
    return words


@part()
def second_parent_gives(words, bit):
    """Whether gene group `bit` comes from the second parent."""
    return (words[bit // 32] >> np.uint32(bit % 32)) & np.uint32(1) == 1


@part()
def cross_groups(genes, start, first, second, runs, genome, generation, seed):
    """Fill genes from two parents: each run of genes comes as a whole from the parent its group's bit names."""
    stop, words = start + len(genes), group_words(runs, genome, generation, seed)
    run, low = first_run(runs, start), start
    while low < stop:
        high = min(stop, runs[run + 1, 0] if run + 1 < len(runs) else stop)
        chosen = second if second_parent_gives(words, runs[run, 1]) else first
        copy(genes[low - start : high - start], chosen[low:high])
        run, low = run + 1, high


@part()
def first_run(runs, gene):
    """Return the run that holds a gene: the last that begins at or before it."""
    low, high = 0, len(runs)
    while high - low > 1:
        middle = (low + high) // 2
        if runs[middle, 0] <= gene:
            low = middle
        else:
            high = middle
    return low


@part()
def inherit(genes, start, genome, brood):
    """Fill genes start .. start + len(genes) of a genome as it is before mutation."""
    survivors, parents, gene_kind, runs, elites, generation, seed, layers, ranges, _, _, _ = brood
    if len(survivors) == 0:
        draw_initial(genes, start, genome, seed, layers, ranges)
        return
    first, second = survivors[parents[genome, 0]], survivors[parents[genome, 1]]
    if gene_kind == GENE_NONE or genome < elites:
        copy(genes, first[start:])
    elif gene_kind == GENE_WEIGHT:
        words, first_word = crossover_words(start, start + len(genes), genome, generation, seed)
        cross_weights(genes, ZERO, start, len(genes), first, second, words, first_word)
    else:
        cross_groups(genes, start, first, second, runs, genome, generation, seed)


@part()
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


@part()
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


@part()
def build_genes(genes, start, genome, brood):
    """Fill genes start .. start + len(genes) of genome number `genome` of the brood."""
    survivors, _, _, _, elites, generation, seed, _, _, gaps, normal, scale = brood
    inherit(genes, start, genome, brood)
    if len(survivors) and genome >= elites:
        add_mutation(genes, start, genome, generation, MUTATION, seed, gaps, normal, scale)


@part()
def inherit_lit_rows(block, row, spans, genome, brood):
    """Fill block (R, W) with the first layer's rows from `row` on, at the spans (n, 2) of inputs, before mutation."""
    survivors, parents, gene_kind, _, elites, generation, seed, layers, _, _, _, _ = brood
    height, inputs = block.shape[0], layers[0, 0]
    if len(survivors) and gene_kind == GENE_WEIGHT and genome >= elites:
        first, second = survivors[parents[genome, 0]], survivors[parents[genome, 1]]
        words, first_word = crossover_words(row * inputs, (row + height) * inputs, genome, generation, seed)
        flat, at = block.reshape(block.size), ZERO
        for h in range(row, row + height):
            for span in range(len(spans)):
                begin, end = spans[span]
                cross_weights(flat, at, h * inputs + begin, end - begin, first, second, words, first_word)
                at += end - begin
        return
    for h in range(height):
        at = 0
        for span in range(len(spans)):
            begin, end = spans[span]
            inherit(block[h, at : at + end - begin], (row + h) * inputs + begin, genome, brood)
            at += end - begin


@part()
def build_lit_rows(block, row, spans, places, genome, brood):
    """Fill block (R, W) with the first layer's rows from `row` on, only at the inputs that are lit in the batch.

    `spans` (n, 2) are the runs of lit inputs, `places` (I,) says where an input lies in the block's rows, or -1.
    """
    survivors, _, _, _, elites, generation, seed, layers, _, gaps, normal, scale = brood
    inputs = layers[0, 0]
    inherit_lit_rows(block, row, spans, genome, brood)
    if len(survivors) == 0 or genome < elites:
        return
    stops, noise = np.empty(SEGMENT, np.int64), np.empty(SEGMENT, np.float32)
    begin, end = row * inputs, (row + block.shape[0]) * inputs
    h, row_end = 0, begin + inputs
    while begin < end:
        stop = min(end, (begin // SEGMENT + 1) * SEGMENT)
        while begin >= row_end:
            h, row_end = h + 1, row_end + inputs
        if stop > row_end or is_lit(spans, begin - row_end + inputs, stop - row_end + inputs):
            count = walk(stops, noise, begin, stop, genome, generation, MUTATION, seed, gaps, normal, scale)
            for i in range(count):
                gene = begin + stops[i]
                while gene >= row_end:
                    h, row_end = h + 1, row_end + inputs
                place = places[gene - row_end + inputs]
                if place >= 0:
                    block[h, place] += noise[i]
        begin = stop


@part()
def is_lit(spans, begin, end):
    """Whether any input from `begin` up to `end` lies in a span."""
    low, high = 0, len(spans)
    while low < high:  # the first span that ends after `begin`
        middle = (low + high) // 2
        if spans[middle, 1] > begin:
            high = middle
        else:
            low = middle + 1
    return low < len(spans) and spans[low, 0] < end
