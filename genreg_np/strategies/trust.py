"""Trust: the fitness a genome has earned so far. It accumulates, decays, and a small part of it is inherited.

per image        trust <- trust * (1 - decay) + score, image after image (the published code). Over N images:
                 trust * (1 - decay)**N + sum_i score_i * (1 - decay)**(N - 1 - i)
per generation   trust <- trust * (1 - decay) + sum_i score_i (the GENREG README)
inheritance      child's trust = inheritance * (trust of parent 1 + trust of parent 2), or of the one parent
bounds           stored trust is within +-1e300, so that sums of it, for fitness of any size, stay finite

Source: GENREG README, "Trust Dynamics", and the published training loop.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

DECAY_PERIODS = ("image", "generation")
LARGEST = float(np.finfo(np.float64).max)
MOST_KEPT = 1e300


def image_weights(count: int, decay: float, period: str) -> NDArray[np.float64]:
    """Return the weight of each of `count` images at the end of its generation, (N,) float64.

    Powers are computed by repeated multiplication: the same bits on every machine.
    """
    if period == "generation" or count == 0:
        return np.ones(count)
    return _powers(count, decay)[:count][::-1].copy()


def accumulate(
    trust: NDArray[np.float64], fitness: NDArray[np.float64], count: int, decay: float, period: str
) -> NDArray[np.float64]:
    """Return trust after a generation of `count` images, (P,) float64.

    Parameters
    ----------
    trust : (P,) float64
        Trust before the generation.
    fitness : (P,) float64
        Sum of the scores, weighted by `image_weights`; finite.
    """
    kept = 1.0 - decay if period == "generation" else float(_powers(count, decay)[count])
    with np.errstate(over="ignore"):  # bounded in the same line
        after: NDArray[np.float64] = np.clip(trust * kept + fitness, -LARGEST, LARGEST)
    return after


def bounded(trust: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return trust (n,) clipped to bounds that leave room for sums over a population."""
    return np.clip(trust, -MOST_KEPT, MOST_KEPT)


def inherit(
    trust: NDArray[np.float64], parents: NDArray[np.integer], inheritance: float, elites: int, one_parent: bool
) -> NDArray[np.float64]:
    """Return the initial trust of genomes, (P,) float64.

    Parameters
    ----------
    trust : (S,) float64
        Trust of the survivors.
    parents : (P, 2) int
        Rows of the survivors; the first `elites` genomes are copies of their first parent and keep its trust.
    one_parent : bool
        Whether children have one parent (no crossover).
    """
    first, second = trust[parents[:, 0]], trust[parents[:, 1]]
    begin: NDArray[np.float64] = inheritance * (first if one_parent else first + second)
    begin[:elites] = first[:elites]
    return begin


@functools.lru_cache(maxsize=8)
def _powers(count: int, decay: float) -> NDArray[np.float64]:
    """Return (1 - decay)**0 .. (1 - decay)**count, read-only."""
    powers: NDArray[np.float64] = np.cumprod(np.concatenate([[1.0], np.full(count, 1.0 - decay)]))
    powers.flags.writeable = False
    return powers
