"""A user's fitness function over a population, on an engine; results always in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np.engines import create
from genreg_np.engines.base import CRASH, OK
from genreg_np.engines.processes import check_importable, line_of
from genreg_np.errors import FitnessError
from genreg_np.fitness import as_number
from genreg_np.settings import whole_number

CHUNKS = 4  # tasks a process: few enough to be long, enough for none to wait long for another


class FitnessPool:
    """Calls `fitness` on many models.

    Parameters
    ----------
    fitness : callable
        fitness(model) -> number, or an array of one.
    workers : int
        Processes; 0 calls it in this one.

    Raises
    ------
    UsageError
        If the function cannot be sent to another process.
    """

    def __init__(self, fitness: Callable[[Any], float], workers: int = 0) -> None:
        self._workers = whole_number(workers, "workers", least=0)
        if self._workers:
            check_importable(fitness, "fitness", ", or use workers=0")
        scores, engine = _Scores(fitness, here=not self._workers), "processes" if self._workers else "serial"
        self._engine = create(engine, scores, self._workers)

    def __enter__(self) -> FitnessPool:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def map(self, models: Sequence[Any]) -> list[float]:
        """Return fitness(model) for each model, in their order.

        Raises
        ------
        FitnessError
            If the function returns no number, or raises in a worker; the message names the genome and the error. What
            it raises in this process passes through.
        """
        return self._scored(models, "genome {}")

    def repeat(self, model: Any, times: int) -> list[float]:
        """Return so many scores of one model, the best of its generation; raises as `map`."""
        return self._scored([model] * times, "the generation's best genome, scored again")

    def _scored(self, models: Sequence[Any], which: str) -> list[float]:
        # Here each model is a task of its own, so that the first failure ends it.
        size = max(1, -(-len(models) // (CHUNKS * self._workers))) if self._workers else 1
        numbers: list[float] = []
        for outcome in self._engine.map([models[first : first + size] for first in range(0, len(models), size)]):
            if outcome.status == CRASH:
                raise FitnessError(
                    "a worker process died: it crashed or ran out of memory (workers=0 shows where), or the script "
                    "that started it does not do its work under if __name__ == '__main__':, which workers need"
                )
            if outcome.status != OK:
                raise FitnessError(f"the fitness function failed on {which.format(len(numbers))}: {outcome.why}")
            for number, problem in outcome.value:
                if problem:
                    raise FitnessError(f"the fitness function failed on {which.format(len(numbers))}: {problem}")
                numbers.append(number)
        return numbers


@dataclass(frozen=True)
class _Scores:
    """The function that an engine runs: the fitness of some models, or what is wrong with each."""

    fitness: Callable[[Any], float]
    here: bool  # what it raises in the user's own process is an error of the user's, with its traceback

    def __call__(self, models: Sequence[Any]) -> list[tuple[float, str]]:
        found: list[tuple[float, str]] = []
        for model in models:
            found.append(self._score(model))
            if found[-1][1]:  # the rest would be in vain
                break
        return found

    def _score(self, model: Any) -> tuple[float, str]:
        try:
            value = self.fitness(model)
        except Exception as error:
            if self.here:
                raise
            return float("nan"), line_of(error)
        try:
            return as_number(value), ""
        except TypeError as error:
            return float("nan"), f"it returned {error}"
        except Exception as error:  # what it returned has a float() of its own
            return float("nan"), f"it returned {type(value).__name__}, not a number ({line_of(error)})"
