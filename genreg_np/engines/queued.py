"""Base class of engines that send tasks elsewhere: queues of waiting, running and finished tasks, and limits."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from genreg_np.engines.base import CANCELLED, FAILED, TIMEOUT, Engine, Limits, Outcome
from genreg_np.engines.worker import line_of

TRIES = 2  # of a task whose process dies, as the task may not be the cause
BEGUN = "begun"  # message of a process before it calls the function


@dataclass
class Task:
    """A submitted task, packed for sending."""

    name: Hashable
    packed: bytes  # the argument and its memory limit
    limits: Limits
    crashes: int = 0  # how often its process has died
    moves: int = 0  # how often its machine was lost


class Job(Protocol):
    """A running task."""

    @property
    def task(self) -> Task | None:
        """The task; None for a free process."""

    @property
    def begun(self) -> float | None:
        """When the function was called, by the engine's clock; None before."""


class QueuedEngine(Engine):
    """An engine that runs `size` tasks at once; subclasses define how tasks are sent, received and ended."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self.size, self._clock = size, clock
        self._waiting: deque[Task] = deque()
        self._ended: deque[Outcome] = deque()

    @abstractmethod
    def _pack(self, value: Any) -> bytes:
        """Return a value as bytes, for sending."""

    @abstractmethod
    def _at_work(self) -> Sequence[Job]:
        """Return all jobs that have a task."""

    @abstractmethod
    def _hand_out(self) -> None:
        """Send waiting tasks, as long as there is room."""

    @abstractmethod
    def _hear(self, seconds: float | None) -> None:
        """Wait for messages of jobs, for at most `seconds`, and take them."""

    @abstractmethod
    def _lose(self, job: Any) -> None:
        """End a job immediately, and forget it."""

    def submit(self, name: Hashable, argument: Any, limits: Limits = Limits()) -> None:  # noqa: B008
        """Submit a task; it is sent immediately if there is room."""
        if any(task.name == name for task in (*self._waiting, *self._tasks_at_work())):
            raise ValueError(f"task {name!r} is already pending")
        try:
            packed = self._pack((argument, limits.bytes))
        except Exception as error:
            self._ended.append(Outcome(name, FAILED, why=f"its argument cannot be sent: {line_of(error)}"))
            return
        self._waiting.append(Task(name, packed, limits))
        self._hand_out()

    def completed(self) -> Iterator[Outcome]:
        """Yield the outcome of each task as it ends."""
        while self._ended or self._waiting or self._at_work():
            if self._ended:
                yield self._ended.popleft()
                continue
            self._hand_out()
            self._hear(self._patience())
            self._end_late()

    def cancel(self, name: Hashable) -> None:
        """End a task; the process running it is killed."""
        self.withdraw(name)
        for job in [job for job in self._at_work() if job.task and job.task.name == name]:
            self._lose(job)
            self._ended.append(Outcome(name, CANCELLED))

    def withdraw(self, name: Hashable) -> None:
        """Cancel a task that has not been sent."""
        for task in [task for task in self._waiting if task.name == name]:
            self._waiting.remove(task)
            self._ended.append(Outcome(name, CANCELLED))

    def _tasks_at_work(self) -> list[Task]:
        return [job.task for job in self._at_work() if job.task]

    def _patience(self) -> float | None:
        """Return the seconds until the first limit, or None if there is none."""
        ends = [job.begun + job.task.limits.seconds for job in self._at_work() if job.task and job.begun is not None]
        first = min(ends, default=math.inf)
        return None if first == math.inf else max(0.0, first - self._clock())

    def _end_late(self) -> None:
        """End jobs that are past their limit."""
        for job in list(self._at_work()):
            if job.task and job.begun is not None and self._clock() - job.begun >= job.task.limits.seconds:
                why = f"took longer than {job.task.limits.seconds:g} s"
                self._ended.append(Outcome(job.task.name, TIMEOUT, why=why))
                self._lose(job)
