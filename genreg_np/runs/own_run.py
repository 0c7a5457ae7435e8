"""A run on a fitness of one's own: generations scored by a function, until a target in the function's own units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from genreg_np.backends.threads import single_threaded_blas
from genreg_np.engines.fitness import FitnessPool
from genreg_np.errors import UsageError
from genreg_np.fitness import mean_score
from genreg_np.model import Model
from genreg_np.settings import whole_number

if TYPE_CHECKING:
    from genreg_np.runs.generations import Generations


class OwnRun:
    """Scores the generations of an evolution.

    Parameters
    ----------
    evolution : Generations
    pool : FitnessPool
        Calls the function.
    target : float, optional
        The fitness that ends the run; +inf for a perfect genome.
    rescore : int
        How often a genome that would be the best ever is scored again.

    Raises
    ------
    UsageError
        For a target or a number of scores that cannot be.
    """

    def __init__(self, evolution: Generations, pool: FitnessPool, target: float | None, rescore: int) -> None:
        self._evolution, self._pool = evolution, pool
        self._target = None if target is None else _checked_target(target)
        self.rescore = whole_number(rescore, "rescore", least=0)

    def step(self) -> dict[str, Any]:
        """Score one generation and return its record."""
        evolution, started = self._evolution, self._evolution.clock()
        models = evolution.ask()
        with single_threaded_blas():  # as in the workers: the same numbers, and no contention
            numbers = self._pool.map(models)
        evolution.seconds += evolution.clock() - started
        return evolution.tell(numbers, confirm=self._scored_again if self.rescore else None)

    def _scored_again(self, model: Model) -> float:
        with single_threaded_blas():
            return mean_score(self._pool.repeat(model, self.rescore))

    def at_target(self) -> bool:
        """Whether the best ever has reached the target."""
        best = self._evolution.best_ever
        return self._target is not None and best is not None and best.fitness >= self._target


def _checked_target(target: float) -> float:
    is_number = isinstance(target, int | float | np.integer | np.floating) and not isinstance(target, bool)
    if not is_number or math.isnan(target) or target == -math.inf:
        raise UsageError(
            f"target = {target!r} must be a number in the fitness's own units, or inf for a perfect genome"
        )
    return float(target)
