"""The engine that runs tasks in this process, one after another, in order of submission."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from genreg_np.engines.base import CANCELLED, OK, Engine, Limits, Outcome


class SerialEngine(Engine):
    """Calls the function in this process, without limits; its exceptions are passed on.

    Parameters
    ----------
    function : callable
        function(argument) -> object.
    workers : int
        Ignored; there is only this process.
    prepare : callable, optional
        Ignored; without limits nothing needs to be done before.
    """

    def __init__(
        self, function: Callable[[Any], Any], workers: int = 1, prepare: Callable[[Any], None] | None = None
    ) -> None:
        self._function = function
        self._waiting: dict[Hashable, Any] = {}
        self._cancelled: list[Hashable] = []

    def submit(self, name: Hashable, argument: Any, limits: Limits = Limits()) -> None:  # noqa: B008
        """Submit a task; it is run when its outcome is requested."""
        if name in self._waiting:
            raise ValueError(f"task {name!r} is already pending")
        self._waiting[name] = argument

    def completed(self) -> Iterator[Outcome]:
        """Run the waiting tasks, and yield the outcome of each."""
        while self._waiting or self._cancelled:
            if self._cancelled:
                yield Outcome(self._cancelled.pop(0), CANCELLED)
                continue
            name = next(iter(self._waiting))
            yield Outcome(name, OK, self._function(self._waiting.pop(name)))

    def cancel(self, name: Hashable) -> None:
        """Drop a waiting task."""
        if name in self._waiting:
            del self._waiting[name]
            self._cancelled.append(name)

    withdraw = cancel  # waiting tasks have not begun

    def close(self) -> None:
        """Drop all waiting tasks."""
        self._waiting.clear()
        self._cancelled.clear()
