"""GENREG 2.0's genetic algorithm for filters and heads: elites, tournaments, and self-adapting step sizes.

    elites     the best tenth stay as they are; the worst 8 % have no children
    parent     the fittest of four drawn at random, with replacement; no crossover
    step       sigma' = sigma exp(0.2 N), within limits

Shapes: P genomes, sorted by fitness, the best first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.streams import Purpose, Stream

ELITES, BARRED = 0.1, 0.08  # fractions of a generation that are kept unchanged, and that have no children
TOURNAMENT = 4
SIGMA_CHANGE = 0.2


def parents_of(size: int, stream: Stream, generation: int, number: int) -> tuple[NDArray[np.int64], int]:
    """Return the parent of each genome of the next generation, (P,), and how many of the first ones are elites.

    Parameters
    ----------
    size : int
        P.
    stream : Stream
    generation, number : int
        Of the draw: different numbers give different parents.
    """
    kept, parents = max(1, round(ELITES * size)), size - round(BARRED * size)
    picks = stream.integers(Purpose.PARENTS, generation, number, size * TOURNAMENT, parents)
    chosen: NDArray[np.int64] = picks.reshape(size, TOURNAMENT).min(axis=1)  # the lowest number is the fittest
    chosen[:kept] = np.arange(kept)
    return chosen, kept


def adapted(
    sigmas: NDArray[np.float64],
    parents: NDArray[np.int64],
    kept: int,
    normals: NDArray[np.float64],
    limits: tuple[float, float],
) -> NDArray[np.float64]:
    """Return the next generation's step sizes (P,) from the current ones; `normals` (P,) are N(0, 1)."""
    changed: NDArray[np.float64] = np.clip(sigmas[parents] * np.exp(SIGMA_CHANGE * normals), *limits)
    changed[:kept] = sigmas[:kept]
    return changed
