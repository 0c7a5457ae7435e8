"""Decide whether other processes are worthwhile: whether distributing work takes less time than it saves.

A generation whose function takes s seconds in all takes s in this process, and in W processes

    s / W + overhead

where the overhead - packing, sending, waiting for the last - is the measured time of a generation there, less s / W.
The smallest overhead seen is used, since other work of the machine only adds to it.
"""

from __future__ import annotations

import math

CLEARLY = 1.2  # factor by which the other place must be better, to avoid switching back and forth


class Pace:
    """Decides where to compute the next generation, from the times of earlier ones.

    Parameters
    ----------
    workers : int
        W, the number of processes that work at once.

    Attributes
    ----------
    here : bool
        Whether this process is faster, as far as is known.
    """

    def __init__(self, workers: int) -> None:
        self._workers, self._overhead, self._seen = workers, math.inf, 0
        self.here = False

    def told(self, spent: float, took: float, used: int) -> None:
        """Take note of a generation.

        Parameters
        ----------
        spent : float
            Seconds in the function, summed over all calls.
        took : float
            Seconds until all results were there.
        used : int
            Number of processes used; 0 for this one.
        """
        if used:
            self._seen += 1
            if self._seen == 1:  # the processes had yet to start
                return
            self._overhead = min(self._overhead, max(0.0, took - spent / self._workers))
        if self._overhead < math.inf:
            saved = spent - spent / self._workers
            self.here = saved < self._overhead * (CLEARLY if self.here else 1 / CLEARLY)
