"""The best genome ever seen under a fitness of one's own, kept beside the best of the last generation.

Whoever is told a higher fitness takes its place; equal ones leave it, so the earliest stays, and a perfect one (+inf)
stays for good. Where fitness is noisy, the luckiest score of many generations says little: then whoever would take its
place is scored again, and the mean of the fresh scores is what counts.

Shapes: P genomes, D genes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import FitnessError
from genreg_np.fitness import as_number, finite_or_none


@dataclass(frozen=True)
class BestEver:
    """A genome and what it reached."""

    genes: NDArray[np.float32]  # (D,)
    fitness: float  # as told, or the mean of its fresh scores; finite or +inf
    generation: int  # the generation it was told in, 1 for the first

    @classmethod
    def of(cls, genes: Any, facts: Any, count: int | None = None) -> BestEver:
        """Put together what a file holds: genes (D,), of `count` where that is known, and what `facts` returned.

        Raises
        ------
        KeyError, TypeError, ValueError
            For anything that no best ever can be.
        """
        fitness, generation = facts["fitness"], facts["generation"]
        if not isinstance(genes, np.ndarray) or (genes.dtype, genes.ndim) != (np.float32, 1):
            raise ValueError("no genes")
        if count not in (None, genes.size):
            raise ValueError("other genes")
        if type(generation) is not int or generation < 1 or not np.isfinite(genes).all():
            raise ValueError("an impossible generation, or genes that are not finite")
        if fitness is not None and (type(fitness) not in (int, float) or not math.isfinite(fitness)):
            raise ValueError("an impossible fitness")
        return cls(genes, math.inf if fitness is None else float(fitness), generation)

    def facts(self) -> dict[str, Any]:
        """Return what it reached as plain JSON values; a fitness of None stands for +inf."""
        return {"fitness": finite_or_none(self.fitness), "generation": self.generation}

    def metrics(self) -> dict[str, Any]:
        """Return `facts` by the names they have in a record."""
        return {f"best_ever_{name}": value for name, value in self.facts().items()}


def best_of(
    before: BestEver | None,
    fitness: NDArray[np.float64],
    generation: int,
    genes_of: Callable[[int], NDArray[np.float32]],
    confirm: Callable[[NDArray[np.float32]], float] | None = None,
    centre: NDArray[np.float32] | None = None,
) -> BestEver | None:
    """Return the best ever after one more generation.

    Parameters
    ----------
    before : BestEver or None
    fitness : (P,) float64
        As told, infinities and NaN included.
    generation : int
    genes_of : callable
        genes_of(number) -> (D,) of one of the generation's genomes.
    confirm : callable, optional
        confirm(genes) -> the fitness that counts for a genome that would be the best ever.
    centre : (D,) float32, optional
        The genome around which the next generation is drawn, if there is one. It is no luckiest of many, and so is
        confirmed beside a genome that would be the best ever: the better of both is.

    Raises
    ------
    FitnessError
        If `confirm` gives no number.
    """
    least = -np.inf if before is None else before.fitness
    number = int(np.where(np.isnan(fitness), -np.inf, fitness).argmax())
    reached = float(fitness[number])
    if not reached > least:
        return before
    genes = genes_of(number)
    if confirm is not None:
        reached = _confirmed(confirm, genes)
        if centre is not None and (found := _confirmed(confirm, centre)) > reached:
            genes, reached = centre.copy(), found
    return BestEver(genes, reached, generation) if reached > least else before


def _confirmed(confirm: Callable[[NDArray[np.float32]], float], genes: NDArray[np.float32]) -> float:
    try:
        return as_number(confirm(genes))
    except TypeError as error:
        raise FitnessError(f"confirm gave {error}") from None
