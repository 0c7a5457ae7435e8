"""The ladder: how many samples an individual learns from before it is judged, rung by rung.

Of every `eta` individuals of a rung the best goes on to the next: its training continues, with its weights and what its
optimiser remembers, until it has learned from as many samples as that rung asks for (successive halving: Jamieson &
Talwalkar 2016; asynchronous: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning").

Fidelity is counted in samples, never in seconds: the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

ETA = 3
RUNGS = (8_000, 24_000, 50_000, 150_000)


@dataclass(frozen=True)
class Ladder:
    """The rungs.

    Parameters
    ----------
    samples : tuple of int
        Learned from in all when an individual is judged at each rung, rising.
    eta : int
        Of how many individuals one goes on.
    """

    samples: tuple[int, ...] = RUNGS
    eta: int = ETA

    @classmethod
    def for_data(cls, images: int, max_epochs: float | None = None, rungs: tuple[int, ...] = RUNGS) -> Ladder:
        """Return the ladder for so many training images; nobody sees them more often than `max_epochs`."""
        if max_epochs is None:
            return cls(rungs)
        most = min(rungs[-1], max(1, int(max_epochs * images)))
        return cls((*(samples for samples in rungs if samples < most), most))

    def items(self, children: int, rung: int) -> int:
        """Return how many individuals a rung has, of so many children."""
        each: int = self.eta**rung
        return children // each

    def number(self, rung: int, item: int) -> int:
        """Return the number of a trial: children in order, and after each the promotions that it makes possible."""
        child: int = (item + 1) * self.eta**rung - 1
        before: int = sum(child // self.eta**above for above in range(1, len(self.samples)))
        return child + before + rung
