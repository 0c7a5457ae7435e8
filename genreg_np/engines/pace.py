"""Whether other processes are worth it: whether handing work out takes less time than it saves.

A generation whose function takes s seconds in all takes s here, and in W processes

    s / W + overhead

where the overhead - packing, sending, waiting for the last - is what a generation there took beyond its share. The
least seen is taken: whatever else the machine did only added to it.
"""

from __future__ import annotations

import math

CLEARLY = 1.2  # times better the other place must be than the one in use: no going to and fro


class Pace:
    """Where the next generation goes, learned from the ones before.

    Parameters
    ----------
    workers : int
        W, processes that work at once.

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
            Seconds in the function, of all calls together.
        took : float
            Seconds until all were there.
        used : int
            In how many processes; 0 for this one.
        """
        if used:
            self._seen += 1
            if self._seen == 1:  # the processes had yet to start
                return
            self._overhead = min(self._overhead, max(0.0, took - spent / self._workers))
        if self._overhead < math.inf:
            saved = spent - spent / self._workers
            self.here = saved < self._overhead * (CLEARLY if self.here else 1 / CLEARLY)
