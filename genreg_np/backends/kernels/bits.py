"""Philox words in bulk: a plain loop over independent blocks, which the compiler turns into vector code."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.kernels.jit import kernel
from genreg_np.streams import MULTIPLIER_0, MULTIPLIER_1, ROUNDS, WEYL_0, WEYL_1, WORD

MASK, HALF = np.uint64(WORD), np.uint64(32)
FACTOR_0, FACTOR_1 = np.uint64(MULTIPLIER_0), np.uint64(MULTIPLIER_1)
STEP_0, STEP_1 = np.uint64(WEYL_0), np.uint64(WEYL_1)


@kernel()
def fill_words(words, first_block, genome, generation, purpose, seed):
    """Fill words (4 n,) uint32 with the blocks from `first_block` on of one genome's stream (streams.philox)."""
    for block in range(len(words) // 4):
        c0, c1 = np.uint64(first_block + block), np.uint64(genome)
        c2, c3 = np.uint64(generation), np.uint64(purpose)
        k0, k1 = seed & MASK, seed >> HALF
        for _ in range(ROUNDS):
            p0 = FACTOR_0 * c0
            p1 = FACTOR_1 * c2
            c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & MASK, (p0 >> HALF) ^ c3 ^ k1, p0 & MASK
            k0, k1 = (k0 + STEP_0) & MASK, (k1 + STEP_1) & MASK
        words[4 * block], words[4 * block + 1] = c0, c1
        words[4 * block + 2], words[4 * block + 3] = c2, c3


@kernel()
def unit_float(word):
    """Map a word to float32 in [0, 1)."""
    return np.float32(word >> np.uint32(8)) * np.float32(2.0**-24)
