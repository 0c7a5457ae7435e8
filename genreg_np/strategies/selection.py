"""Selection of survivors and parents.

Truncation: the top `survival_cutoff` of the population by trust survive. Roulette among them: two parents for each
child, drawn with replacement in proportion to a weight,

published   w = trust - min(trust) + 1      (the published code; its constant factor 0.7 and its stability term, always
                                             zero for newborn genomes, cancel)
rank        w = S - r                       for the survivor of rank r = 0 .. S-1, for fitness of any scale

Genomes of infinite fitness come before all others, whatever their trust. Ties in trust go to the lower genome number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.streams import Purpose, Stream

PARENT_WEIGHTS = ("auto", "published", "rank")


def survivor_count(population_size: int, survival_cutoff: float) -> int:
    """Return S = max(1, floor(population * cutoff))."""
    return max(1, int(population_size * survival_cutoff))


def survivors(trust: NDArray[np.float64], count: int, perfect: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Return the numbers of the `count` most trusted genomes, best first, (S,) int64.

    Parameters
    ----------
    trust : (P,) float64
    count : int
        S.
    perfect : (P,) bool, optional
        Genomes whose fitness is infinite: they come first, the most trusted of them ahead.
    """
    others = np.zeros(len(trust), np.bool_) if perfect is None else ~perfect
    return np.lexsort((-trust, others))[:count]  # a stable sort by the last key, then the first


def parent_weights(trust: NDArray[np.float64], scheme: str) -> NDArray[np.float64]:
    """Return each survivor's weight in the draw of parents, (S,) float64; trust (S,) is sorted, best first."""
    if scheme == "rank":
        return np.arange(len(trust), 0, -1, dtype=np.float64)
    # deviation: parent weights
    shifted: NDArray[np.float64] = trust - trust.min() + 1.0
    return shifted


def draw_parents(
    weights: NDArray[np.float64], population_size: int, elites: int, stream: Stream, generation: int
) -> NDArray[np.int32]:
    """Draw two parents for each child by roulette, with replacement; elites are their own parents.

    Parameters
    ----------
    weights : (S,) float64, positive
    population_size : int
        P.
    elites : int
        The first `elites` genomes are survivors 0, 1, ... themselves.

    Returns
    -------
    (P, 2) int32
        Rows of the survivors.
    """
    wheel = np.cumsum(weights)
    draws = stream.uniform(Purpose.PARENTS, generation, 0, 2 * population_size) * wheel[-1]
    rows = np.minimum(np.searchsorted(wheel, draws, side="right"), len(weights) - 1)
    parents: NDArray[np.int32] = rows.astype(np.int32).reshape(population_size, 2)
    parents[:elites] = np.arange(elites, dtype=np.int32)[:, None]
    return parents
