"""Call a user's fitness function for a whole population on an engine; results are always in order."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np.engines import REGISTRY, check_address, create
from genreg_np.engines.base import CRASH, OK, Engine, Limits
from genreg_np.engines.pace import Pace
from genreg_np.engines.processes import check_importable
from genreg_np.engines.worker import line_of, told_with_place
from genreg_np.errors import FitnessError, UsageError, did_you_mean
from genreg_np.fitness import as_number
from genreg_np.settings import is_number, usable_processors, whole_number

CHUNKS = 4  # tasks per process: few enough to be long, enough for none to wait long for another
FASTER, HERE, ELSEWHERE = "faster", "serial", "processes"  # where calls are made: `faster` is one of the other two
MAIN_GUARD = "the script that started it lacks the guard if __name__ == '__main__':, which workers need"
CRASHED = "it crashed or ran out of memory (use this process, with workers=0 or --threads 1, to see where)"
DIED = f"a worker process died: {CRASHED}"
NEVER_BEGAN = f"a worker process died: {MAIN_GUARD}; or {CRASHED}"  # before it returned anything
Call = tuple[Any, int]  # a model, and the seed of a noisy score


class FitnessPool:
    """Calls `fitness` on many models.

    Parameters
    ----------
    fitness : callable
        fitness(model) -> number, or an array of one; fitness(model, seed) if it has a parameter of that name.
    workers : int
        Number of processes; 0 calls the function in this one, unless the engine says otherwise.
    engine : str
        `serial`, in this process; `processes`, in `workers` others, by default one for each processor; `faster`, in
        `workers` others while that is faster, otherwise in this one; `ray`, on a Ray cluster, by default as many calls
        at once as it has processors.
    limit : float, optional
        Seconds that a call may take; calls are then made in another process, which is killed at the limit.
    address : str
        Address of a Ray cluster, for that engine.
    clock : callable
        The time in seconds, for the decisions of `faster`.

    Raises
    ------
    UsageError
        If the function cannot be sent to another process, or for invalid arguments.
    """

    def __init__(
        self,
        fitness: Callable[..., float],
        workers: int = 0,
        engine: str = FASTER,
        limit: float | None = None,
        address: str = "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        asked, self._clock = _workers(workers, engine, limit), clock
        self._limits = Limits() if limit is None else Limits(seconds=limit)
        check_address(engine, address)
        if not callable(fitness):
            raise UsageError(f"fitness must be a function of a model, not {type(fitness).__name__}")
        seeded = takes_seed(fitness)
        self._here: Engine = create(HERE, _Scores(fitness, seeded, here=True))
        self._there: Engine | None = None
        if asked is not None:
            elsewhere = ELSEWHERE if engine == FASTER else engine
            if elsewhere == ELSEWHERE:
                check_importable(fitness, "fitness", ", or use workers=0")
            self._there = create(elsewhere, _Scores(fitness, seeded, here=False), asked, address=address)
        self.workers = 0 if self._there is None else self._there.size
        is_open = self.workers > 0 and engine == FASTER and limit is None
        self._pace = Pace(min(self.workers, usable_processors())) if is_open else None
        self._spent = math.inf  # seconds of the calls of the last generation

    def __enter__(self) -> FitnessPool:
        return self

    def __exit__(self, *_: object) -> None:
        self._here.close()
        if self._there is not None:
            self._there.close()

    @property
    def used(self) -> int:
        """The number of processes for the next calls; 0 for this one."""
        return 0 if self._pace is not None and self._pace.here else self.workers

    def map(self, models: Sequence[Any], seeds: Sequence[int] = (0,)) -> list[list[float]]:
        """Return fitness(model) for each model in order, once with each seed.

        Raises
        ------
        FitnessError
            If the function does not return a number, takes too long, or raises an exception in a worker; the message
            names the genome and the error. Exceptions in this process are passed on.
        """
        started, used = self._clock(), self.used
        calls = [(model, seed) for model in models for seed in seeds]
        numbers, self._spent = self._scored(calls, len(seeds), "genome {}")
        if self._pace is not None:
            self._pace.told(self._spent, self._clock() - started, used)
        return [numbers[first : first + len(seeds)] for first in range(0, len(numbers), len(seeds))]

    def repeat(self, model: Any, seeds: Sequence[int]) -> list[float]:
        """Return a score of one model, the best of its generation, with each seed; raises as `map` does."""
        which = "the generation's best genome, scored again"
        return self._scored([(model, seed) for seed in seeds], len(seeds), which)[0]

    def _scored(self, calls: list[Call], each: int, which: str) -> tuple[list[float], float]:
        """Return a number for each call, `each` calls per genome, and the total seconds in the function."""
        numbers: list[float] = []
        spent = 0.0
        engine = self._there if self.used else self._here
        assert engine is not None
        # In this process, and with a limit, each call is a task of its own; in this process the first failure ends it.
        pieces = len(calls)
        if engine is self._there and self._limits.seconds == math.inf:
            enough = self._spent / max(engine.least_seconds, 1e-9)
            pieces = int(min(CHUNKS * self.workers, max(self.workers, enough)))
        for outcome in engine.map(_shared(calls, pieces), self._limits):
            if outcome.status == CRASH:
                raise FitnessError(NEVER_BEGAN if not numbers else DIED)
            found, seconds = outcome.value if outcome.status == OK else ([(math.nan, outcome.why)], 0.0)
            spent += seconds
            for number, problem in found:
                if problem:
                    genome = which.format(len(numbers) // each)
                    raise FitnessError(f"the fitness function failed on {genome}: {problem}")
                numbers.append(number)
        return numbers, spent


def takes_seed(fitness: Callable[..., float]) -> bool:
    """Return whether a function takes a seed besides the model: it has a parameter `seed` that is not set yet."""
    try:
        found = inspect.signature(fitness).parameters.get("seed")
    except (TypeError, ValueError):  # some functions written in C have no signature
        return False
    is_set = isinstance(fitness, functools.partial) and "seed" in fitness.keywords
    return found is not None and not is_set and found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY)


def _workers(workers: int, engine: str, limit: float | None) -> int | None:
    """Return the number of concurrent calls in other processes, 0 for as many as possible; None for this process."""
    count = whole_number(workers, "workers", least=0)
    if not isinstance(engine, str) or (engine != FASTER and engine not in REGISTRY):
        raise UsageError(f"unknown engine {engine!r:.40}" + did_you_mean(str(engine), [FASTER, *REGISTRY]))
    if limit is not None and not (is_number(limit) and limit > 0):
        raise UsageError(f"limit = {limit!r:.40} must be the seconds that a score may take, above 0")
    if engine == HERE:
        if count or limit is not None:
            raise UsageError("engine = serial uses only this process, without limits: leave out workers and limit")
        return None
    if engine == FASTER:
        return count or (None if limit is None else 1)
    return count or (usable_processors() if engine == ELSEWHERE else 0)


def _shared(calls: list[Call], pieces: int) -> list[list[Call]]:
    """Split calls into `pieces` of nearly equal length, or fewer if there are fewer calls."""
    pieces = max(1, min(pieces, len(calls)))
    least, longer = divmod(len(calls), pieces)
    ends = [number * least + min(number, longer) for number in range(pieces + 1)]
    return [calls[first:last] for first, last in itertools.pairwise(ends)]


@dataclass(frozen=True)
class _Scores:
    """The function that an engine runs: returns the fitness of some models, or the problem, and the seconds taken."""

    fitness: Callable[..., float]
    seeded: bool  # whether it takes a seed
    here: bool  # exceptions in the user's own process are passed on, with their traceback

    def __call__(self, calls: Sequence[Call]) -> tuple[list[tuple[float, str]], float]:
        started = time.perf_counter()
        found: list[tuple[float, str]] = []
        for model, seed in calls:
            found.append(self._score(model, seed))
            if found[-1][1]:  # the rest would be wasted
                break
        return found, time.perf_counter() - started

    def _score(self, model: Any, seed: int) -> tuple[float, str]:
        try:
            value = self.fitness(model, seed=seed) if self.seeded else self.fitness(model)
        except Exception as error:
            if self.here:
                raise
            return float("nan"), told_with_place(error)
        try:
            return as_number(value), ""
        except TypeError as error:
            return float("nan"), f"it returned {error}"
        except Exception as error:  # the returned object's own __float__ failed
            return float("nan"), f"it returned {type(value).__name__}, not a number ({line_of(error)})"
