"""The interface of engines, which run a function on many arguments, here or elsewhere, and report how each call ended.

    engine.submit(name, argument, limits)       start a task with a unique name
    for outcome in engine.completed(): ...      outcomes, as tasks end, until none is left
    engine.cancel(name); engine.withdraw(name); engine.close()
    engine.map(arguments)                       the outcomes of many tasks, in order

A task is a pure function of its argument, so a lost task is run again, and every engine gives the same results.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OK, FAILED, TIMEOUT, MEMORY, CRASH, CANCELLED = "ok", "failed", "timeout", "memory", "crash", "cancelled"


@dataclass(frozen=True)
class Limits:
    """Limits of a task."""

    seconds: float = math.inf  # from the call of the function
    bytes: int | None = None  # in addition to what its process already has, if the system can enforce that


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    name: Hashable
    status: str  # ok, failed (it raised an exception), timeout (killed at its limit), memory (it ran out of memory),
    # crash (its process died), cancelled
    value: Any = None  # what the function returned
    why: str = ""  # the exception in one line, or how it ended


@dataclass(frozen=True)
class Held:
    """A value shared by many tasks; see Engine.share."""

    value: Any


class Engine(ABC):
    """Runs one function; a context manager that closes itself.

    Attributes
    ----------
    size : int
        Number of tasks that run at once.
    least_seconds : float
        Tasks should take at least this long, for the overhead of sending them to be small.
    """

    size: int = 1
    least_seconds: float = 0.0

    @abstractmethod
    def submit(self, name: Hashable, argument: Any, limits: Limits = Limits()) -> None:
        """Submit a task.

        Parameters
        ----------
        name : hashable
            A name that no other pending task has, such as (seed, generation, genome numbers).
        argument : object
            The argument of the function.
        limits : Limits

        Raises
        ------
        ValueError
            If a pending task has the same name.
        """

    @abstractmethod
    def completed(self) -> Iterator[Outcome]:
        """Yield the outcome of each task as it ends, until none is pending."""

    @abstractmethod
    def cancel(self, name: Hashable) -> None:
        """End a pending task; its outcome is `cancelled`."""

    @abstractmethod
    def withdraw(self, name: Hashable) -> None:
        """Cancel a task that has not begun; its outcome is then `cancelled`."""

    @abstractmethod
    def close(self) -> None:
        """End everything; no process is left."""

    def check_seen(self, path: Path) -> None:  # noqa: B027
        """Check that every machine sees a folder that tasks read and write.

        Raises
        ------
        RunError
            If one does not, naming the machine.
        """

    def share(self, value: Any) -> Any:
        """Return an object for the arguments of tasks, in which its `value` is this value.

        The value is sent as rarely as possible, and is available until the next call.
        """
        return Held(value)

    def map(self, arguments: Sequence[Any], limits: Limits = Limits()) -> Iterator[Outcome]:
        """Yield the outcomes of the function for each argument, in order, each as soon as possible.

        No other task may be pending. Remaining tasks are cancelled when the caller stops iterating.
        """
        found: dict[Hashable, Outcome] = {}
        try:
            for number, argument in enumerate(arguments):
                self.submit(number, argument, limits)
            due = 0
            for outcome in self.completed():
                found[outcome.name] = outcome
                while due in found:
                    yield found[due]
                    due += 1
        finally:
            for number in range(len(arguments)):
                if number not in found:
                    self.cancel(number)
            for _ in self.completed():  # the cancelled tasks
                pass

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
