"""Philox words in bulk: a plain loop over independent blocks, which the compiler turns into vector code.

Also what all kernels share: typed constants, and copying without NumPy's rules, which take seconds to compile.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.streams import MULTIPLIER_0, MULTIPLIER_1, ROUNDS, WEYL_0, WEYL_1, WORD

MASK, HALF = np.uint64(WORD), np.uint64(32)
FACTOR_0, FACTOR_1 = np.uint64(MULTIPLIER_0), np.uint64(MULTIPLIER_1)
STEP_0, STEP_1 = np.uint64(WEYL_0), np.uint64(WEYL_1)
# Constants that kernels pass to each other are typed: for a bare number, a kernel would be compiled once more.
ZERO = np.int64(0)


@part()
def copy(target, source):
    """Fill target (n,) float32 with the first n of source; `target[:] = source` takes seconds to compile."""
    for i in range(len(target)):
        target[i] = source[i]


@part()
def philox(c0, c1, c2, c3, seed):
    """Return the four words of a counter (streams.philox), each in 64 bits."""
    k0, k1 = seed & MASK, seed >> HALF
    for _ in range(ROUNDS):
        p0 = FACTOR_0 * c0
        p1 = FACTOR_1 * c2
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & MASK, (p0 >> HALF) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + STEP_0) & MASK, (k1 + STEP_1) & MASK
    return c0, c1, c2, c3


@part()
def fill_words(words, first_block, genome, generation, purpose, seed):
    """Fill words (4 n,) uint32 with blocks of one genome's stream (streams.philox), starting at `first_block`."""
    for block in range(len(words) // 4):
        c0, c1, c2, c3 = philox(
            np.uint64(first_block + block), np.uint64(genome), np.uint64(generation), np.uint64(purpose), seed
        )
        words[4 * block], words[4 * block + 1] = c0, c1
        words[4 * block + 2], words[4 * block + 3] = c2, c3


@kernel()
def draw_words(words, first_block, genomes, generation, purpose, seed):
    """Fill words (G, 4 n) with blocks of the streams of genomes (G,), starting at `first_block`."""
    for g in range(len(genomes)):
        fill_words(words[g], first_block, genomes[g], generation, purpose, seed)


@part()
def fill_signs(signs, first_genome, generation, purpose, seed):
    """Fill signs (U, T) with +-1 by bit u of the words of genome first_genome + t; bit 0 is +1."""
    units, genomes = signs.shape
    words = np.empty((4, genomes), np.uint32)
    for block in range((units + 127) // 128):
        for t in range(genomes):
            c0, c1, c2, c3 = philox(
                np.uint64(block), np.uint64(first_genome + t), np.uint64(generation), np.uint64(purpose), seed
            )
            words[0, t], words[1, t], words[2, t], words[3, t] = c0, c1, c2, c3
        for unit in range(128 * block, min(units, 128 * block + 128)):
            row, shift = words[unit // 32 % 4], np.uint32(unit % 32)
            target = signs[unit]
            for t in range(genomes):
                target[t] = np.float32(1) - np.float32(2) * np.float32(np.int32((row[t] >> shift) & np.uint32(1)))


@part()
def unit_float(word):
    """Map a word to float32 in [0, 1)."""
    return np.float32(word >> np.uint32(8)) * np.float32(2.0**-24)
