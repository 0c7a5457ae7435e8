"""A user's fitness function over a population, here or in processes of its own, results always in order."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from genreg_np.errors import FitnessError, UsageError
from genreg_np.fitness import as_number
from genreg_np.settings import whole_number


class FitnessPool:
    """Calls `fitness` on many models.

    Processes are spawned, never forked: a forked copy of a process with running threads may hang.

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
        workers = whole_number(workers, "workers", least=0)
        self._fitness = fitness
        self._pool = None
        if workers:
            _leave_if_still_importing()
            _check_importable(fitness)
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(workers, context, _begin, (fitness,))
        self._workers = max(1, workers)

    def __enter__(self) -> FitnessPool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

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
        if self._pool is None:
            return _numbers((_number(self._fitness(model)) for model in models), which)
        chunk = -(-len(models) // (4 * self._workers))
        try:
            return _numbers(self._pool.map(_call, models, chunksize=chunk), which)
        except BrokenProcessPool:
            raise FitnessError(
                "a worker process died: it crashed or ran out of memory (workers=0 shows where), or the script that "
                "started it does not do its work under if __name__ == '__main__':, which workers need"
            ) from None


_fitness_here: Callable[[Any], float] | None = None  # set once in each worker process


def _begin(fitness: Callable[[Any], float]) -> None:
    """Set up a worker: its function, and one BLAS thread, since the workers share the processors."""
    global _fitness_here
    _fitness_here = fitness
    try:
        import threadpoolctl
    except ImportError:
        return
    threadpoolctl.threadpool_limits(1)


def _call(model: Any) -> tuple[float, str]:
    assert _fitness_here is not None
    try:
        return _number(_fitness_here(model))
    except Exception as error:  # whatever the user's function raises is the user's to read
        return float("nan"), f"{type(error).__name__}: {error}"


def _number(value: Any) -> tuple[float, str]:
    """Return what a fitness function gave as a number, or what is wrong with it."""
    try:
        return as_number(value), ""
    except TypeError as error:
        return float("nan"), f"it returned {error}"


def _numbers(results: Iterable[tuple[float, str]], which: str) -> list[float]:
    numbers = []
    for index, (number, problem) in enumerate(results):
        if problem:
            raise FitnessError(f"the fitness function failed on {which.format(index)}: {problem}")
        numbers.append(number)
    return numbers


def _leave_if_still_importing() -> None:
    """End this process where it is a worker that imports the script which started it, and would start workers itself.

    That script has no main guard. The process that started it says so, once; Python would print the whole story for
    every worker.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # what multiprocessing itself goes by
        raise SystemExit(1)


def _check_importable(fitness: Callable[[Any], float]) -> None:
    name = getattr(fitness, "__qualname__", "")
    if "<lambda>" in name or "<locals>" in name:
        raise UsageError(
            f"fitness {name} cannot be sent to worker processes: define it at the top level of a module, "
            "or use workers=0"
        )
    try:
        pickle.dumps(fitness)
    except Exception as error:
        raise UsageError(
            f"fitness cannot be sent to worker processes ({' '.join(str(error).split())}): "
            "make it a function at the top level of a module, or use workers=0"
        ) from None
    main = __import__("__main__")
    if getattr(fitness, "__module__", "") == "__main__" and not os.path.exists(getattr(main, "__file__", "") or ""):
        raise UsageError(
            "fitness was defined interactively and cannot be sent to worker processes: move it to a file, "
            "or use workers=0"
        )
