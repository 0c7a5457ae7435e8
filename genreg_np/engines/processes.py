"""The engine of several processes, each of which runs one task at a time and is killed at the task's limits.

Processes are spawned, never forked: a forked copy of a process with running threads may hang. Each has one BLAS thread,
since they share the processors, and leaves Ctrl-C to the process that started it. It ends with that process, even
during a task.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any

from genreg_np.engines.base import CRASH, FAILED, OK, Outcome
from genreg_np.engines.queued import BEGUN, TRIES, QueuedEngine, Task
from genreg_np.engines.worker import attempted, given, held, keep_freed_memory, line_of, one_blas_thread
from genreg_np.errors import UsageError
from genreg_np.settings import whole_number

GRACE_SECONDS = 2.0  # for a process to end by itself when there is nothing left to do
DIED = (
    "its process died: it crashed or ran out of memory, or the script that started it lacks the guard "
    "if __name__ == '__main__':"
)


@dataclass
class _Worker:
    """A process and its current task."""

    process: Any
    pipe: connection.Connection
    task: Task | None = None
    begun: float | None = None  # when the function was called; None while the process still starts

    def end(self, grace: float = 0.0) -> None:
        """Give it `grace` seconds to end by itself, then kill it."""
        self.pipe.close()
        if grace:
            self.process.join(grace)
        self.process.kill()
        self.process.join()


class ProcessEngine(QueuedEngine):
    """Calls the function in other processes.

    Parameters
    ----------
    function : callable
        function(argument) -> object; it must be importable, and arguments and results must be picklable.
    workers : int
        Number of processes, 1 or more.
    clock : callable
        The time in seconds, for the limits.
    prepare : callable, optional
        prepare(argument), called before the function; limits apply after it.

    Raises
    ------
    UsageError
        If the function cannot be sent to another process, or for an invalid number of processes.
    """

    least_seconds = 0.005

    def __init__(
        self,
        function: Callable[[Any], Any],
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
        prepare: Callable[[Any], None] | None = None,
    ) -> None:
        leave_if_still_importing()
        check_importable(function)
        super().__init__(whole_number(workers, "workers", least=1), clock)
        self._function, self._prepare = function, prepare
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []

    def close(self) -> None:
        """End all processes, busy ones immediately, and forget all tasks."""
        for worker in self._workers:
            if worker.task:
                worker.end()
            else:
                worker.pipe.close()  # close all of them first, so that they end in parallel
        for worker in self._workers:
            worker.end(GRACE_SECONDS)
        self._workers.clear()
        self._waiting.clear()
        self._ended.clear()

    def _pack(self, value: Any) -> bytes:
        return pickle.dumps(value)

    def _at_work(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.task]

    def _hand_out(self) -> None:
        """Give waiting tasks to free processes; start new processes if needed."""
        while self._waiting:
            free = next((worker for worker in self._workers if worker.task is None), None)
            if free is None and len(self._workers) == self.size:
                return
            worker = free or self._start()
            task = self._waiting.popleft()
            worker.task, worker.begun = task, None
            try:
                worker.pipe.send_bytes(task.packed)
            except (BrokenPipeError, ConnectionResetError):
                self._died(worker)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._function, self._prepare), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _hear(self, seconds: float | None) -> None:
        busy = self._at_work()
        ready = connection.wait([worker.pipe for worker in busy], seconds)
        for worker in busy:
            if worker.pipe in ready:
                self._take(worker)

    def _take(self, worker: _Worker) -> None:
        """Take a message of a process."""
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            self._died(worker)
            return
        except Exception as error:  # it cannot be unpacked here
            said = FAILED, None, f"its result cannot be received: {line_of(error)}"
        if said == BEGUN:
            worker.begun = self._clock()
            return
        assert worker.task is not None
        self._ended.append(Outcome(worker.task.name, *said))
        worker.task = None

    def _died(self, worker: _Worker) -> None:
        """Run the task of a dead process again, or give it up."""
        task = worker.task
        self._lose(worker)
        assert task is not None
        task.crashes += 1
        if task.crashes < TRIES:
            self._waiting.appendleft(task)
        else:
            self._ended.append(Outcome(task.name, CRASH, why=DIED))

    def _lose(self, worker: _Worker) -> None:
        worker.end()
        self._workers.remove(worker)


def _serve(pipe: connection.Connection, function: Callable[[Any], Any], prepare: Callable[[Any], None] | None) -> None:
    """Call the function on incoming arguments, until the pipe is closed or the parent process has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    one_blas_thread()
    keep_freed_memory()
    while True:
        try:
            packed = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        try:
            answer = attempted(given, packed, prepare)
            if answer[0] == OK:
                pipe.send(BEGUN)
                answer = attempted(held, function, *answer[1])
            pipe.send(answer)
        except (BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:
            pipe.send((FAILED, None, f"its result cannot be sent: {line_of(error)}"))


def _end_with_parent() -> None:
    """Wait until the parent process has ended, then end this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def leave_if_still_importing() -> None:
    """End this process if it is a worker still importing the main script, and would start workers itself.

    That script has no main guard. The parent process reports this once; Python would print a long error message for
    every worker.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # multiprocessing's own criterion
        raise SystemExit(1)


def check_importable(function: Callable[..., Any], what: str = "the function", otherwise: str = "") -> None:
    """Refuse a function that another process could not import.

    Parameters
    ----------
    function : callable
    what : str
        Its name in the message.
    otherwise : str
        An alternative, for the end of the message.

    Raises
    ------
    UsageError
        The message says what to do.
    """
    name = getattr(function, "__qualname__", "")
    if "<lambda>" in name or "<locals>" in name:
        raise UsageError(
            f"{what} {name} cannot be sent to worker processes: define it at the top level of a module{otherwise}"
        )
    try:
        pickle.dumps(function)
    except Exception as error:
        raise UsageError(
            f"{what} cannot be sent to worker processes ({line_of(error)}): "
            f"make it a function at the top level of a module{otherwise}"
        ) from None
    main = __import__("__main__")
    if getattr(function, "__module__", "") == "__main__" and not os.path.exists(getattr(main, "__file__", "") or ""):
        raise UsageError(
            f"{what} was defined interactively and cannot be sent to worker processes: move it to a file{otherwise}"
        )
