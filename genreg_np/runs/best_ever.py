"""The best genome ever seen under a user's fitness, kept beside the best of the last generation.

A genome with a higher fitness replaces it; of equal ones the earliest stays, and a perfect one (+inf) stays for good.
If fitness is noisy, the luckiest score of many generations says little: a candidate is then scored again, and the mean
of its fresh scores counts.

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
    """A genome and its fitness."""

    genes: NDArray[np.float32]  # (D,)
    fitness: float  # as given, or the mean of its fresh scores; finite or +inf
    generation: int  # the generation it was scored in, 1 for the first

    @classmethod
    def of(cls, genes: Any, facts: Any, count: int | None = None) -> BestEver:
        """Rebuild from a file's genes (D,), of length `count` if that is known, and from what `facts` returned.

        Raises
        ------
        KeyError, TypeError, ValueError
            For invalid values.
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
        """Return fitness and generation as plain JSON values; a fitness of None stands for +inf."""
        return {"fitness": finite_or_none(self.fitness), "generation": self.generation}

    def metrics(self) -> dict[str, Any]:
        """Return `facts` under the names used in records."""
        return {f"best_ever_{name}": value for name, value in self.facts().items()}


def best_of(
    before: BestEver | None,
    fitness: NDArray[np.float64],
    generation: int,
    genes_of: Callable[[int], NDArray[np.float32]],
    confirm: Callable[[NDArray[np.float32]], float] | None = None,
    centre: NDArray[np.float32] | None = None,
) -> BestEver | None:
    """Return the best ever after another generation.

    Parameters
    ----------
    before : BestEver or None
    fitness : (P,) float64
        As given, including infinities and NaN.
    generation : int
    genes_of : callable
        genes_of(number) -> (D,) of one of the generation's genomes.
    confirm : callable, optional
        confirm(genes) -> the fitness that counts for a candidate.
    centre : (D,) float32, optional
        The genome around which the next generation is drawn, if there is one. It was not selected as the luckiest of
        many, so it is confirmed beside a candidate: the better of both becomes the best ever.

    Raises
    ------
    FitnessError
        If `confirm` does not return a number.
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
        raise FitnessError(f"confirm returned {error}") from None
