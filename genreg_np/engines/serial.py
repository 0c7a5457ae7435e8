"""The engine of this process: one task after the other, in the order in which they came."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

from genreg_np.engines.base import CANCELLED, OK, Engine, Limits, Outcome


class SerialEngine(Engine):
    """Calls the function here. What it raises passes through, and nothing ends it before it is done: no limits hold.

    Parameters
    ----------
    function : callable
        function(argument) -> object.
    workers : int
        Taken for the sake of one form: there is this process alone.
    prepare : callable, optional
        Also taken: here no limits hold, so that nothing is to be done before.
    """

    def __init__(
        self, function: Callable[[Any], Any], workers: int = 1, prepare: Callable[[Any], None] | None = None
    ) -> None:
        self._function = function
        self._waiting: dict[Hashable, Any] = {}
        self._cancelled: list[Hashable] = []

    def submit(self, name: Hashable, argument: Any, limits: Limits = Limits()) -> None:  # noqa: B008
        """Take a task on; it is run when its outcome is asked for."""
        if name in self._waiting:
            raise ValueError(f"task {name!r} is under way")
        self._waiting[name] = argument

    def completed(self) -> Iterator[Outcome]:
        """Run what waits, and yield the outcome of each."""
        while self._waiting or self._cancelled:
            if self._cancelled:
                yield Outcome(self._cancelled.pop(0), CANCELLED)
                continue
            name = next(iter(self._waiting))
            yield Outcome(name, OK, self._function(self._waiting.pop(name)))

    def cancel(self, name: Hashable) -> None:
        """Forget a task that waits."""
        if name in self._waiting:
            del self._waiting[name]
            self._cancelled.append(name)

    withdraw = cancel  # what waits has not begun

    def close(self) -> None:
        """Forget all that waits."""
        self._waiting.clear()
        self._cancelled.clear()
