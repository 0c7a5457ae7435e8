"""A run on a custom fitness: generations scored by a function, with a target in the function's own units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from genreg_np.backends.threads import single_threaded_blas
from genreg_np.engines.fitness import FitnessPool
from genreg_np.errors import UsageError
from genreg_np.fitness import mean_score
from genreg_np.model import Model
from genreg_np.settings import is_number, whole_number

if TYPE_CHECKING:
    from genreg_np.runs.generations import Generations

SHARE = 0.5  # calls for scoring again, on average, relative to a generation's own


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
        How often a candidate for the best ever is scored again.
    episodes : int
        How often each genome is scored in a generation.
    patience : int, optional
        The run ends after this many generations without a better best ever.
    budget : float, optional
        The run ends after this many seconds from now.

    Raises
    ------
    UsageError
        For an invalid target or number.
    """

    def __init__(
        self,
        evolution: Generations,
        pool: FitnessPool,
        target: float | None = None,
        rescore: int = 0,
        episodes: int = 1,
        patience: int | None = None,
        budget: float | None = None,
    ) -> None:
        self._evolution, self._pool = evolution, pool
        self._target = None if target is None else _checked_target(target)
        self._rescore = whole_number(rescore, "rescore", least=0)
        self._episodes = whole_number(episodes, "episodes", least=1)
        self._patience = None if patience is None else whole_number(patience, "patience", least=1)
        self._budget = math.inf if budget is None else _checked_budget(budget)
        self._started = self._ended = evolution.clock()
        self._last = 0.0  # seconds of the last generation
        self._is_warm = False  # true after the first generation, in which processes start

    def step(self) -> dict[str, Any]:
        """Score one generation and return its record."""
        evolution, started, used = self._evolution, self._evolution.clock(), self._pool.used
        models = evolution.ask()
        with single_threaded_blas():  # as in the workers, for equal numbers and no contention
            numbers = self._pool.map(models, self._seeds(evolution.generation, 0, self._episodes))
        evolution.seconds += evolution.clock() - started
        told = [scores[0] if len(scores) == 1 else mean_score(scores) for scores in numbers]
        judge = self._scored_again if self._is_due(len(told)) or math.inf in told else _not_now
        record = evolution.tell(told, confirm=judge if self._rescore else None)
        self._ended = evolution.clock()
        self._last = self._ended - started if self._is_warm else 0.0
        self._is_warm = True
        return record | ({"workers": used} if self._pool.workers else {})

    def _is_due(self, size: int) -> bool:
        """Return whether to score this generation's best again, rarely enough to cost no more than SHARE."""
        state = self._evolution.state
        candidates = 1 if self._evolution.centre(state) is None else 2
        every = math.ceil(candidates * self._rescore / (SHARE * size * self._episodes))
        return self._evolution.generation % max(1, every) == 0

    def _scored_again(self, model: Model) -> float:
        with single_threaded_blas():
            return mean_score(self._pool.repeat(model, self._seeds(0, 1, self._rescore)))

    def _seeds(self, generation: int, which: int, count: int) -> list[int]:
        """Return `count` seeds: those for all genomes of a generation, or those for scoring again.

        The latter are the same in all generations, so that no genome is the best ever because its seeds were easier.
        """
        return self._evolution.stream.seeds(generation, which, count)

    def ended(self) -> str:
        """Return why the run is to end now, or "" if it is to continue."""
        best, generation = self._evolution.best_ever, self._evolution.generation
        if self._target is not None and best is not None and best.fitness >= self._target:
            return "target"
        if self._patience is not None and generation - (best.generation if best else 0) >= self._patience:
            return "patience"
        return "budget" if self._ended - self._started + self._last > self._budget else ""

    def facts(self) -> dict[str, int]:
        """Return what determines the run besides its settings."""
        return {"rescore": self._rescore, "episodes": self._episodes}


def _not_now(model: Model) -> float:
    """Reject candidates for the best ever in a generation whose best is not scored again."""
    return -math.inf


def _checked_target(target: float) -> float:
    if not is_number(target) or math.isnan(target) or target == -math.inf:
        raise UsageError(
            f"target = {target!r} must be a number in the fitness's own units, or inf for a perfect genome"
        )
    return float(target)


def _checked_budget(budget: float) -> float:
    if not is_number(budget) or not budget > 0:
        raise UsageError(f"budget = {budget!r:.40} must be a number of seconds above 0")
    return float(budget)
