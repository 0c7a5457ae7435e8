"""What an engine is: it runs one function on many arguments, here or elsewhere, and says how each call ended.

    engine.submit(name, argument, limits)       begin a task; its name says which it is, and is its own
    for outcome in engine.completed(): ...      what has ended, as it ends, until nothing is left
    engine.cancel(name); engine.withdraw(name); engine.close()
    engine.map(arguments)                       the outcomes of many, in their order

A task is a pure function of its argument, so a lost one is run again, and every engine gives the same results.
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
    """What a task may take at most."""

    seconds: float = math.inf  # from when the function is called
    bytes: int | None = None  # beyond what its process has then, where the system can hold it to that


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    name: Hashable
    status: str  # ok, failed (it raised), timeout (killed past its limit), memory (it had none left), crash (its
    # process died), cancelled
    value: Any = None  # what the function returned
    why: str = ""  # what it raised, in a line, or how it ended


@dataclass(frozen=True)
class Held:
    """A value that many tasks are to have, as it is handed on to them; see Engine.share."""

    value: Any


class Engine(ABC):
    """Runs one function; a context manager that closes itself.

    Attributes
    ----------
    size : int
        How many tasks run at once.
    least_seconds : float
        How long a task should be at least, for handing it out to cost little.
    """

    size: int = 1
    least_seconds: float = 0.0

    @abstractmethod
    def submit(self, name: Hashable, argument: Any, limits: Limits = Limits()) -> None:
        """Take a task on.

        Parameters
        ----------
        name : hashable
            Such as (seed, generation, genome numbers): no two tasks under way share one.
        argument : object
            What the function is called with.
        limits : Limits

        Raises
        ------
        ValueError
            If a task of that name is under way.
        """

    @abstractmethod
    def completed(self) -> Iterator[Outcome]:
        """Yield the outcome of each task, as they end, until none is under way."""

    @abstractmethod
    def cancel(self, name: Hashable) -> None:
        """End a task if it is under way; its outcome is `cancelled`."""

    @abstractmethod
    def withdraw(self, name: Hashable) -> None:
        """End a task if it has not begun; its outcome is `cancelled` then."""

    @abstractmethod
    def close(self) -> None:
        """End everything; no process is left."""

    def check_seen(self, path: Path) -> None:  # noqa: B027
        """Refuse a folder that tasks are to read and write, and that one who runs them does not see.

        Raises
        ------
        RunError
            With the machine.
        """

    def share(self, value: Any) -> Any:
        """Return something whose `value` is this one where a task has it among its arguments.

        It is sent no oftener than need be, and holds until the next one is made.
        """
        return Held(value)

    def map(self, arguments: Sequence[Any], limits: Limits = Limits()) -> Iterator[Outcome]:
        """Yield the outcomes of the function on each argument, in their order, each as soon as it can be.

        Nothing else may be under way. What is left when the caller takes no more is cancelled.
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
            for _ in self.completed():  # what was cancelled
                pass

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
