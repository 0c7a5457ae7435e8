"""The engine of several processes: spawned, one task each at a time, killed past a task's limits.

Processes are spawned, never forked: a forked copy of a process with running threads may hang. Each has one BLAS thread,
since they share the processors, and leaves Ctrl-C to the process that started it; it ends with it, too.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any

from genreg_np.engines.base import CANCELLED, CRASH, FAILED, OK, TIMEOUT, Engine, Limits, Outcome
from genreg_np.errors import UsageError

TRIES = 2  # of a task whose process dies: what kills it may have had nothing to do with it


@dataclass
class _Task:
    name: Hashable
    argument: Any
    limits: Limits
    tries: int = 0


@dataclass
class _Worker:
    """A process, and the task it works on."""

    process: Any
    pipe: connection.Connection
    task: _Task | None = None
    begun: float = field(default=0.0)

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class ProcessEngine(Engine):
    """Calls the function in other processes.

    Parameters
    ----------
    function : callable
        function(argument) -> object; importable, as arguments and results must be: they are sent by pickle.
    workers : int
        Processes at once, 1 or more.
    clock : callable
        The time in seconds by which limits are held.

    Raises
    ------
    UsageError
        If the function cannot be sent to another process.
    """

    def __init__(
        self, function: Callable[[Any], Any], workers: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        _leave_if_still_importing()
        check_importable(function)
        self._function, self._most, self._clock = function, workers, clock
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._waiting: deque[_Task] = deque()
        self._ended: deque[Outcome] = deque()

    def submit(self, name: Hashable, argument: Any, limits: Limits = Limits()) -> None:  # noqa: B008
        """Take a task on; it begins at once where a process is free."""
        if any(task.name == name for task in self._under_way()):
            raise ValueError(f"task {name!r} is under way")
        self._waiting.append(_Task(name, argument, limits))
        self._hand_out()

    def completed(self) -> Iterator[Outcome]:
        """Yield the outcome of each task, as they end."""
        while self._ended or self._waiting or any(worker.task for worker in self._workers):
            if self._ended:
                yield self._ended.popleft()
                continue
            self._hand_out()
            self._wait()

    def cancel(self, name: Hashable) -> None:
        """End a task: its process is killed if it has begun."""
        for task in [task for task in self._waiting if task.name == name]:
            self._waiting.remove(task)
            self._ended.append(Outcome(name, CANCELLED))
        for worker in [worker for worker in self._workers if worker.task and worker.task.name == name]:
            self._lose(worker)
            self._ended.append(Outcome(name, CANCELLED))

    def close(self) -> None:
        """Kill all processes, and forget all tasks."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._waiting.clear()
        self._ended.clear()

    def _under_way(self) -> list[_Task]:
        return [*self._waiting, *(worker.task for worker in self._workers if worker.task)]

    def _hand_out(self) -> None:
        """Give waiting tasks to free processes; start those that are missing."""
        while self._waiting:
            free = next((worker for worker in self._workers if worker.task is None), None)
            if free is None and len(self._workers) == self._most:
                return
            worker = free or self._start()
            task = self._waiting.popleft()
            worker.task, worker.begun, task.tries = task, self._clock(), task.tries + 1
            try:
                worker.pipe.send(task.argument)
            except (BrokenPipeError, ConnectionResetError):
                self._died(worker)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._function), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _wait(self) -> None:
        """Take what processes have to say, and kill those that are past their limits."""
        busy = [worker for worker in self._workers if worker.task]
        ready = connection.wait([worker.pipe for worker in busy], self._patience(busy))
        for worker in busy:
            assert worker.task is not None
            if worker.pipe in ready:
                try:
                    status, value, why = worker.pipe.recv()
                except (EOFError, OSError):
                    self._died(worker)
                    continue
                self._ended.append(Outcome(worker.task.name, status, value, why))
                worker.task = None
            elif (limit := worker.task.limits.seconds) is not None and self._clock() - worker.begun >= limit:
                self._ended.append(Outcome(worker.task.name, TIMEOUT, why=f"took longer than {limit:g} s"))
                self._lose(worker)

    def _patience(self, busy: list[_Worker]) -> float | None:
        """Return how long to wait until the first limit; None where there is none."""
        ends = [
            worker.begun + worker.task.limits.seconds
            for worker in busy
            if worker.task and worker.task.limits.seconds is not None
        ]
        return max(0.0, min(ends) - self._clock()) if ends else None

    def _died(self, worker: _Worker) -> None:
        """Have the task of a process that is no more run again, or give it up."""
        task = worker.task
        self._lose(worker)
        assert task is not None
        if task.tries < TRIES:
            self._waiting.appendleft(task)
        else:
            self._ended.append(Outcome(task.name, CRASH, why="its process died: it crashed or ran out of memory"))

    def _lose(self, worker: _Worker) -> None:
        worker.end()
        self._workers.remove(worker)


def _serve(pipe: connection.Connection, function: Callable[[Any], Any]) -> None:
    """Call the function on what comes, until nothing comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ImportError):
        import threadpoolctl

        threadpoolctl.threadpool_limits(1)
    while True:
        try:
            argument = pipe.recv()
        except EOFError:
            return
        try:
            answer = OK, function(argument), ""
        except Exception as error:  # whatever the user's function raises is the user's to read
            answer = FAILED, None, f"{type(error).__name__}: {' '.join(str(error).split())}"
        try:
            pipe.send(answer)
        except (BrokenPipeError, ConnectionResetError):
            return


def _leave_if_still_importing() -> None:
    """End this process where it is a worker that imports the script which started it, and would start workers itself.

    That script has no main guard. The process that started it says so, once; Python would print the whole story for
    every worker.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # what multiprocessing itself goes by
        raise SystemExit(1)


def check_importable(function: Callable[..., Any]) -> None:
    """Refuse a function that another process could not import.

    Raises
    ------
    UsageError
        With what to do.
    """
    name = getattr(function, "__qualname__", "")
    if "<lambda>" in name or "<locals>" in name:
        raise UsageError(
            f"fitness {name} cannot be sent to worker processes: define it at the top level of a module, "
            "or use workers=0"
        )
    try:
        pickle.dumps(function)
    except Exception as error:
        raise UsageError(
            f"fitness cannot be sent to worker processes ({' '.join(str(error).split())}): "
            "make it a function at the top level of a module, or use workers=0"
        ) from None
    main = __import__("__main__")
    if getattr(function, "__module__", "") == "__main__" and not os.path.exists(getattr(main, "__file__", "") or ""):
        raise UsageError(
            "fitness was defined interactively and cannot be sent to worker processes: move it to a file, "
            "or use workers=0"
        )
