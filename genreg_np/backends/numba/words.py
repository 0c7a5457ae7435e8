"""Random words drawn by a kernel: those of streams.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.numba.fast_layer import up
from genreg_np.backends.numba.kernels.bits import draw_words
from genreg_np.streams import WORD, Purpose, Stream


@dataclass(frozen=True)
class FastStream(Stream):
    """All randomness of one seed, with the same words."""

    def words(self, purpose: Purpose, generation: int, genome: int, n: int) -> NDArray[np.uint32]:
        """Return the first n words of a genome's stream, (n,) uint32."""
        return words_of(self.seed, purpose, generation, np.array([genome & WORD]), n)[0, :n]


def words_of(
    seed: int, purpose: Purpose, generation: int, genomes: NDArray[np.int64], count: int, first: int = 0
) -> NDArray[np.uint32]:
    """Return at least `count` words of the streams of genomes (G,) from block `first` on, (G, n) uint32."""
    words = np.empty((len(genomes), up(count, 4)), np.uint32)
    draw_words(words, first, genomes, generation, np.uint64(purpose), np.uint64(seed))
    return words
