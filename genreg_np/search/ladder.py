"""The ladder: how many samples an individual learns from before it is judged, rung by rung.

Of every `eta` individuals of a rung, the best moves up to the next: its training continues from its weights and the
state of its optimiser, until it has learned from that rung's number of samples (successive halving: Jamieson &
Talwalkar 2016; asynchronous: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning").

Fidelity is counted in samples, never in seconds, so it is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

ETA = 3
RUNGS = (8_000, 24_000, 50_000, 150_000)


@dataclass(frozen=True)
class Ladder:
    """The rungs of a search.

    Parameters
    ----------
    samples : tuple of int
        The total number of samples learned from at each rung; increasing.
    eta : int
        One of every `eta` individuals is promoted.
    """

    samples: tuple[int, ...] = RUNGS
    eta: int = ETA

    @classmethod
    def for_data(cls, images: int, max_epochs: float | None = None, rungs: tuple[int, ...] = RUNGS) -> Ladder:
        """Return the ladder for a number of training images; no individual sees them more than `max_epochs` times."""
        if max_epochs is None:
            return cls(rungs)
        most = min(rungs[-1], max(1, int(max_epochs * images)))
        return cls((*(samples for samples in rungs if samples < most), most))

    def number(self, rung: int, item: int) -> int:
        """Return the number of a trial: children in order, each followed by the promotions that it makes possible."""
        child: int = (item + 1) * self.eta**rung - 1
        before: int = sum(child // self.eta**above for above in range(1, len(self.samples)))
        return child + before + rung
