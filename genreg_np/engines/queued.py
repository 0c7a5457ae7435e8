"""What engines share that send tasks elsewhere: tasks that wait, those at work, those that have ended, and limits."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from genreg_np.engines.base import CANCELLED, FAILED, TIMEOUT, Engine, Limits, Outcome
from genreg_np.engines.worker import line_of

TRIES = 2  # of a task whose process dies: what kills it may have had nothing to do with it
BEGUN = "begun"  # what a process says before it calls the function


@dataclass
class Task:
    """What was submitted, as it is sent."""

    name: Hashable
    packed: bytes  # the argument, and how much memory it may take
    limits: Limits
    crashes: int = 0  # how often its process has died
    moves: int = 0  # how often its machine was lost


class Job(Protocol):
    """A task at work."""

    @property
    def task(self) -> Task | None:
        """What is worked on; None of a process that is free."""

    @property
    def begun(self) -> float | None:
        """When the function was called, by the engine's clock; None before."""


class QueuedEngine(Engine):
    """An engine of so many tasks at once, by a clock in seconds; its kinds say how one is sent, heard of and ended."""

    def __init__(self, size: int, clock: Callable[[], float]) -> None:
        self.size, self._clock = size, clock
        self._waiting: deque[Task] = deque()
        self._ended: deque[Outcome] = deque()

    @abstractmethod
    def _pack(self, value: Any) -> bytes:
        """Return a value as it is sent."""

    @abstractmethod
    def _at_work(self) -> Sequence[Job]:
        """Return all jobs that have a task."""

    @abstractmethod
    def _hand_out(self) -> None:
        """Send tasks that wait, as long as there is room."""

    @abstractmethod
    def _hear(self, seconds: float | None) -> None:
        """Wait until a job has something to say, for so many seconds at most, and take what is said."""

    @abstractmethod
    def _lose(self, job: Any) -> None:
        """End a job at once, and forget it."""

    def submit(self, name: Hashable, argument: Any, limits: Limits = Limits()) -> None:  # noqa: B008
        """Take a task on; it is sent at once where there is room."""
        if any(task.name == name for task in (*self._waiting, *self._tasks_at_work())):
            raise ValueError(f"task {name!r} is under way")
        try:
            packed = self._pack((argument, limits.bytes))
        except Exception as error:
            self._ended.append(Outcome(name, FAILED, why=f"its argument cannot be sent: {line_of(error)}"))
            return
        self._waiting.append(Task(name, packed, limits))
        self._hand_out()

    def completed(self) -> Iterator[Outcome]:
        """Yield the outcome of each task, as they end."""
        while self._ended or self._waiting or self._at_work():
            if self._ended:
                yield self._ended.popleft()
                continue
            self._hand_out()
            self._hear(self._patience())
            self._end_late()

    def cancel(self, name: Hashable) -> None:
        """End a task: what works on it is killed."""
        self.withdraw(name)
        for job in [job for job in self._at_work() if job.task and job.task.name == name]:
            self._lose(job)
            self._ended.append(Outcome(name, CANCELLED))

    def withdraw(self, name: Hashable) -> None:
        """End a task that has not been sent."""
        for task in [task for task in self._waiting if task.name == name]:
            self._waiting.remove(task)
            self._ended.append(Outcome(name, CANCELLED))

    def _tasks_at_work(self) -> list[Task]:
        return [job.task for job in self._at_work() if job.task]

    def _patience(self) -> float | None:
        """Return how long to wait until the first limit; None where there is none."""
        ends = [job.begun + job.task.limits.seconds for job in self._at_work() if job.task and job.begun is not None]
        first = min(ends, default=math.inf)
        return None if first == math.inf else max(0.0, first - self._clock())

    def _end_late(self) -> None:
        """End what is past its limit."""
        for job in list(self._at_work()):
            if job.task and job.begun is not None and self._clock() - job.begun >= job.task.limits.seconds:
                why = f"took longer than {job.task.limits.seconds:g} s"
                self._ended.append(Outcome(job.task.name, TIMEOUT, why=why))
                self._lose(job)
