"""Estimates how long compiling still takes, from how long it has taken so far, and reports it meanwhile.

Kernels are compiled by processes side by side, each working through a queue. With w the seconds that a kernel takes on
the machine where it was measured (SECONDS), this machine's

    pace = (seconds taken by finished kernels) / (their w), initially 1;
           at least the same ratio with kernels in progress included, which is larger if they take longer than expected
    seconds left = maximum over the queues of  max(0, w pace - seconds since its start) of the kernel in progress
                                               + w pace of each waiting kernel

So it is never negative, and grows if a machine turns out to be slower or busier.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from genreg_np.backends.base import Told

EVERY_SECONDS = 0.5  # between two reports
SECONDS = {  # of warm.EXAMPLES, in that order, on one core of 2.5 GHz: bench/kernel_seconds.py
    "descend": 4.8,
    "detect": 2.8,
    "compare by score": 2.5,
    "compare by error": 2.3,
    "unfinish a tail": 2.2,
    "finish a tail": 1.9,
    "forward": 1.7,
    "total by score": 1.4,
    "add mutated inputs": 1.3,
    "mutate units": 1.3,
    "credit": 1.0,
    "judge": 0.9,
    "deskew": 0.8,
    "convolve": 0.8,
    "inherit": 0.7,
    "total by log": 0.7,
    "mutate": 0.7,
    "compare by log": 0.6,
    "unfinish": 0.6,
    "move images": 0.6,
    "judge errors": 0.5,
    "total by error": 0.5,
    "spread pairs": 0.5,
    "gather batches": 0.4,
    "first genes": 0.3,
    "transpose first": 0.3,
    "inherit units": 0.3,
    "sums of maps": 0.3,
    "lane sums": 0.3,
    "follow": 0.3,
    "activate": 0.2,
    "times derivative": 0.2,
    "add tiles": 0.2,
    "multiply": 0.2,
    "multiply turned": 0.2,
    "gather active": 0.2,
    "weigh": 0.2,
    "finish": 0.2,
    "renormalise": 0.2,
    "correlate": 0.2,
    "spread": 0.2,
    "pack": 0.2,
    "drop": 0.2,
    "draw words": 0.1,
    "standardise": 0.1,
}
GIGAHERTZ = 2.5  # of that core
STARTING = 0.7  # seconds for a process to start and import what it needs
USUAL = 1.0  # seconds of a kernel that was not measured


@dataclass
class _Queue:
    """What one process compiles; the first of the waiting kernels is in progress."""

    waiting: list[str]
    starting: float  # seconds, at pace 1, before the first is begun
    begun: float  # by the clock

    def seconds(self) -> list[float]:
        """Return the seconds of each waiting kernel at pace 1."""
        found = [SECONDS.get(name, USUAL) for name in self.waiting]
        return [found[0] + self.starting, *found[1:]] if found else []


class Pace:
    """Keeps track of what is compiled; safe to call from several threads.

    Parameters
    ----------
    here : sequence of str
        What this process compiles, in this order.
    elsewhere : sequence of str
        What another process, not started yet, compiles.
    clock : callable
        Returns the time in seconds, from any origin.

    Attributes
    ----------
    done, of : int
        Number of kernels compiled, and of all kernels.
    """

    def __init__(
        self, here: Sequence[str], elsewhere: Sequence[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.done, self.of = 0, len(here) + len(elsewhere)
        self._clock, self._lock = clock, threading.Lock()
        self._queues = [_Queue(list(here), 0.0, clock()), _Queue(list(elsewhere), STARTING, clock())]
        self._taken, self._foreseen = 0.0, 0.0  # seconds of all finished kernels: by the clock, and at pace 1

    def finish(self, name: str) -> None:
        """Record that a kernel is compiled; a name that is not in a queue, or no longer, is ignored."""
        with self._lock:
            for queue in self._queues:
                if name in queue.waiting:
                    now, place = self._clock(), queue.waiting.index(name)
                    self._taken += now - queue.begun
                    self._foreseen += queue.seconds()[place]
                    queue.waiting.pop(place)
                    queue.begun, queue.starting = now, 0.0
                    self.done += 1

    def alone(self) -> None:
        """Record that the other process has ended: this process compiles what it left."""
        with self._lock:
            left = [name for queue in self._queues for name in queue.waiting]
            self._queues = [_Queue(left, 0.0, self._clock())]

    def seconds_left(self) -> float:
        """Return the estimated seconds left, at least 0."""
        with self._lock:
            now = self._clock()
            queues = [(queue.seconds(), now - queue.begun) for queue in self._queues if queue.waiting]
            pace = self._taken / self._foreseen if self._foreseen else 1.0
            if queues:
                taken = self._taken + sum(spent for _, spent in queues)
                pace = max(pace, taken / (self._foreseen + sum(current for (current, *_), _ in queues)))
            left = [max(0.0, current * pace - spent) + sum(rest) * pace for (current, *rest), spent in queues]
            return max(left, default=0.0)


@contextlib.contextmanager
def telling(pace: Pace, told: Told | None) -> Iterator[None]:
    """Report progress at the beginning, regularly from a thread while the block runs, and at its end.

    An exception that `told` raises in that thread is raised when the block has ended; reporting stops.
    """
    if told is None:
        yield
        return
    over, failures = threading.Event(), list[BaseException]()

    def repeat() -> None:
        try:
            while not over.wait(EVERY_SECONDS):
                told(pace.done, pace.of, pace.seconds_left())
        except BaseException as failure:  # of any kind, KeyboardInterrupt too: for the caller to handle
            failures.append(failure)

    told(pace.done, pace.of, pace.seconds_left())
    thread = threading.Thread(target=repeat, name="genreg-np telling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failures:
        raise failures[0]
    told(pace.of, pace.of, 0.0)
