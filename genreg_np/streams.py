"""Counter-based randomness: every draw is a pure function of (seed, purpose, generation, genome, position).

Nothing here has state, so any draw can be repeated on its own, on another thread, backend or machine. The generator is
Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011): four 32-bit words from

    counter = (block, genome, generation, purpose)      key = (low, high) half of the 64-bit seed

This file is the NumPy specification; `backends/numba/kernels/` repeats it in Numba.

Masked Gaussian mutation (w' = w + m * scale * z, m ~ Bernoulli(rate), z ~ N(0, 1)) steps through the genes by geometric
gaps instead of drawing a mask: one 32-bit word per *mutated* gene, its low half looked up in the gap table (the
distance to the next mutated gene), its high half in the normal table (z). The walk restarts every SEGMENT genes, so any
block of genes can be drawn on its own. Table look-ups make the bits independent of any library's `log` or `cos`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError

SEGMENT = 1024  # genes between two restarts of the mutation walk
BLOCKS_PER_SEGMENT = SEGMENT // 4  # Philox blocks reserved for one segment: at most a word per gene

MULTIPLIER_0, MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
WORD = 0xFFFFFFFF


class Purpose(IntEnum):
    """The purpose of a draw, the last word of the counter; numbers are part of the file format and never reused."""

    INITIAL = 0  # genes of generation 0
    CROSSOVER = 1  # one bit per gene group
    MUTATION = 2  # gaps and deviates of children
    BASE_MUTATION = 3  # the same for survivors
    PREDICTION = 4  # one word per image: the sampled class
    BATCH = 5  # image indices
    CLASS_ORDER = 6  # order of the classes within a batch
    PARENTS = 7  # two parents per child
    SPLIT = 8  # train, validation, test
    LETTERS = 9  # size, rotation, offset, colours of rendered letters
    SIGNS = 10  # one bit per unit and image: the sign of node perturbation
    EPOCH = 11  # one word per training image: all bits give its place in an epoch, the low 16 bits its shift
    FILTERS = 12  # taps of detectors, patches to learn them from, their mutations
    WARPS = 13  # rotation, stretch and shift of a training image's copies
    SELF_ADAPTATION = 14  # mutations of mutation scales, and initial choices of functions
    EDGES = 15  # genes of a child that lie outside all blocks (strategies/mixed)
    ATTACK = 16  # starting point of an attack on an image
    DROPOUT = 17  # one word per value: whether it is dropped in a training step
    AUGMENTATION = 18  # shift, rotation, distortion and brightness of a training image in a training step
    SEARCH = 19  # choices of an architecture search: genes of a child, its parents
    PAIR = 20  # noise, classes and augmentation for a pair of generator and discriminator
    EPISODE = 21  # seeds of a user's noisy score, the same for all genomes of a generation


def philox(counter: NDArray[np.uint32], seed: int) -> NDArray[np.uint32]:
    """Return the four words of each counter.

    Parameters
    ----------
    counter : (..., 4) uint32
        block, genome, generation, purpose.
    seed : int
        The key, 0 <= seed < 2**64.

    Returns
    -------
    (..., 4) uint32
    """
    c0, c1, c2, c3 = np.moveaxis(counter, -1, 0).astype(np.uint64, order="C")
    factor_0, factor_1, mask, half = (np.uint64(n) for n in (MULTIPLIER_0, MULTIPLIER_1, WORD, 32))
    for k0, k1 in _round_keys(seed):
        product_0, product_1 = c0 * factor_0, c2 * factor_1
        c0, c2 = product_1 >> half, product_0 >> half
        c0 ^= c1
        c0 ^= k0
        c2 ^= c3
        c2 ^= k1
        product_0 &= mask
        product_1 &= mask
        c1, c3 = product_1, product_0
    words = np.empty(counter.shape, np.uint32)
    for place, word in enumerate((c0, c1, c2, c3)):
        words[..., place] = word
    return words


@functools.lru_cache(maxsize=16)
def _round_keys(seed: int) -> tuple[tuple[np.uint64, np.uint64], ...]:
    """Return both words of the key for each round."""
    return tuple(
        (np.uint64((seed + number * WEYL_0) & WORD), np.uint64(((seed >> 32) + number * WEYL_1) & WORD))
        for number in range(ROUNDS)
    )


@dataclass(frozen=True)
class Stream:
    """All randomness of one seed.

    Raises
    ------
    UsageError
        For a seed outside 0 .. 2**64 - 1.
    """

    seed: int  # the Philox key

    def __post_init__(self) -> None:
        if isinstance(self.seed, np.integer):
            object.__setattr__(self, "seed", int(self.seed))
        if not isinstance(self.seed, int) or not 0 <= self.seed < 1 << 64:
            raise UsageError(f"seed {self.seed!r} must be a whole number from 0 to 2**64 - 1")

    def blocks(
        self,
        purpose: Purpose,
        generation: int | NDArray[np.integer],
        genomes: NDArray[np.integer],
        blocks: NDArray[np.integer],
    ) -> NDArray[np.uint32]:
        """Return the words of given blocks of given genomes: genomes and blocks broadcast to (...), words (..., 4).

        `generation` is that of all, or an array that broadcasts to (...) as well.
        """
        genomes, blocks = np.broadcast_arrays(genomes, blocks)
        counter = np.empty((*blocks.shape, 4), np.uint32)
        counter[..., 0], counter[..., 1], counter[..., 2], counter[..., 3] = blocks, genomes, generation, purpose
        return philox(counter, self.seed)

    def words(self, purpose: Purpose, generation: int, genome: int, n: int) -> NDArray[np.uint32]:
        """Return the first n words of a genome's stream, (n,) uint32."""
        counter = np.empty((-(-n // 4), 4), np.uint32)
        counter[:, 0], counter[:, 2], counter[:, 3] = np.arange(len(counter)), generation, purpose
        counter[:, 1] = np.array(genome)  # as an array, so that a negative number wraps around
        return philox(counter, self.seed).reshape(-1)[:n]

    def seeds(self, generation: int, which: int, n: int) -> list[int]:
        """Return n seeds for simulators (Purpose.EPISODE), each below 2**31, as simulators require."""
        return [int(word) & 0x7FFFFFFF for word in self.words(Purpose.EPISODE, generation, which, n)]

    def draws(self, generation: int, wanted: Sequence[tuple[Purpose, int]]) -> list[NDArray[np.uint32]]:
        """Return the given number of words of genome 0 for each purpose, as `words` would, in one call."""
        ends = list(itertools.accumulate((-(-n // 4) for _, n in wanted), initial=0))
        counter = np.zeros((ends[-1], 4), np.uint32)
        counter[:, 2] = generation
        for (purpose, _), start, end in zip(wanted, ends, ends[1:], strict=False):
            counter[start:end, 0], counter[start:end, 3] = np.arange(end - start), purpose
        words = philox(counter, self.seed).reshape(-1)
        return [words[4 * start : 4 * start + n] for (_, n), start in zip(wanted, ends, strict=False)]

    def uniform(self, purpose: Purpose, generation: int, genome: int, n: int) -> NDArray[np.float64]:
        """Return n uniform numbers in [0, 1), each with 53 random bits, (n,) float64."""
        words = self.words(purpose, generation, genome, 2 * n).reshape(n, 2).astype(np.uint64)
        bits = (words[:, 0] >> np.uint64(5) << np.uint64(26)) | (words[:, 1] >> np.uint64(6))
        return bits.astype(np.float64) * 2.0**-53

    def integers(self, purpose: Purpose, generation: int, genome: int, n: int, bound: int) -> NDArray[np.int64]:
        """Return n whole numbers in [0, bound), (n,) int64; bound <= 2**32, bias at most bound / 2**32."""
        return scale_words(self.words(purpose, generation, genome, n), np.int64(bound))

    def normals(self, purpose: Purpose, generation: int, genome: int, n: int) -> NDArray[np.float64]:
        """Return n standard normal deviates from the table, (n,) float64."""
        deviates: NDArray[np.float32] = normal_table()[self.words(purpose, generation, genome, n) >> np.uint32(16)]
        return deviates.astype(np.float64)

    def permutation(self, purpose: Purpose, generation: int, genome: int, n: int) -> NDArray[np.int64]:
        """Return the numbers 0 .. n-1 in random order, (n,) int64."""
        return by_words(self.words(purpose, generation, genome, n))


def by_words(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the numbers 0 .. n-1 in the random order given by sorting n words (ties by index)."""
    return np.argsort(words, kind="stable")


def scale_words(words: NDArray[np.uint32], bound: NDArray[np.integer] | np.integer) -> NDArray[np.int64]:
    """Map words to whole numbers in [0, bound) by multiplication: floor(word * bound / 2**32)."""
    return ((words.astype(np.uint64) * np.asarray(bound, np.uint64)) >> np.uint64(32)).astype(np.int64)


def unit_floats(words: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Map words exactly to float32 in [0, 1) by their upper 24 bits."""
    return (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


@functools.lru_cache(maxsize=64)
def gap_table(rate: float) -> NDArray[np.int32]:
    """Return the distance to the next mutated gene for each of 65,536 equally likely draws.

    Entry u is the least k >= 1 with 1 - (1 - rate)**k > (u + 1/2) / 65,536: the geometric distribution at its
    mid-point quantiles, capped at SEGMENT + 1 (past the end of any segment). Powers are computed by repeated
    multiplication, so the table is the same on every machine. Rates below about 2**-16 are quantised.

    Parameters
    ----------
    rate : float
        Probability that a gene mutates, 0 .. 1.

    Returns
    -------
    (65536,) int32, read-only
    """
    remaining = np.cumprod(np.full(SEGMENT, 1.0 - rate))  # remaining[k-1] = chance of no mutation in k genes
    quantiles = (np.arange(65536) + 0.5) / 65536
    gaps = (1 + np.searchsorted(1.0 - remaining, quantiles, side="right")).astype(np.int32)
    gaps.flags.writeable = False
    return gaps


@functools.cache
def normal_table() -> NDArray[np.float32]:
    """Return the standard normal distribution's 65,536 mid-point quantiles, (65536,) float32, read-only.

    |z| < 4.33; variance 0.99998. The upper half is read from a file (a test recomputes and compares it); the lower
    half is its mirror image.
    """
    file = resources.files("genreg_np").joinpath("normal_quantiles.f32")
    upper = np.frombuffer(file.read_bytes(), "<f4").astype(np.float32)
    table = np.concatenate([-upper[::-1], upper])
    table.flags.writeable = False
    return table
