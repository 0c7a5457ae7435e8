"""Whether breeding beats chance in a search: its bred individuals against its own random ones, at the lowest rung.

They are compared by what was selected by: the score, or, if a cost is minimised as well, the level of the front that
an individual is on (pareto.py).

    share = P(bred better) + P(equal) / 2      of all pairs of a bred and a random individual

which is 1/2 if breeding is no better than drawing anew. Its variance is that of the area under a ROC curve (DeLong et
al. 1988): with a_i the share of random ones that bred individual i beats, and b_j the share of bred ones that beat
random individual j,

    var = var(a) / B + var(b) / R,      interval = share +- 1.96 sqrt(var)

Individuals that failed rank below all others. Hand-made ones count for neither side, nor do those of which one half is
random and the other was selected (paired.py), and mutants that were made because nothing else fits the limits. Bred
individuals have ancestors in common, so the interval is rather too narrow than too wide.

Shapes: B bred, R random individuals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.search.pareto import by_levels
from genreg_np.search.selections.base import RANDOM, UNSELECTED
from genreg_np.search.trials import Trial

FEWEST = 8  # individuals of each side: with fewer, nothing is said
Z = 1.959964  # 95 % of a normal distribution lie within this many standard deviations of the mean
BETTER, NOT_BETTER, WORSE, TOO_FEW = "better", "not better", "worse", "too few to say"


@dataclass(frozen=True)
class Chance:
    """Bred individuals compared with random ones.

    Parameters
    ----------
    bred, random : int
        How many there are of each.
    share : float or None
        The share of pairs in which the bred one is better; None if there are too few.
    low, high : float
        Its 95 % interval.
    second : str
        The cost that is minimised as well; "" if individuals are compared by their scores alone.
    """

    bred: int
    random: int
    share: float | None = None
    low: float = 0.0
    high: float = 1.0
    second: str = ""

    @property
    def verdict(self) -> str:
        """Whether bred individuals are better: better, not better, worse, or too few to say."""
        if self.share is None:
            return TOO_FEW
        return BETTER if self.low > 0.5 else WORSE if self.high < 0.5 else NOT_BETTER

    @property
    def words(self) -> str:
        """The comparison in a line."""
        counts = f"{self.bred:,} bred, {self.random:,} random"
        if self.share is None:
            return f"against random search: too few to say ({counts} individuals at the first rung)"
        by = f", by the Pareto front of score and {self.second}" if self.second else ""
        about = f"95 % interval {100 * self.low:.0f} .. {100 * self.high:.0f}; {counts}"
        verdict = {BETTER: "better than", NOT_BETTER: "not better than", WORSE: "worse than"}[self.verdict]
        return (
            f"against random search: {verdict} it, as a bred individual beats a random one {100 * self.share:.0f} % of "
            f"the time at the first rung{by} ({about})"
        )

    def plain(self) -> dict[str, Any]:
        """Return the comparison as JSON stores it."""
        return {
            "bred": self.bred, "random": self.random, "share": self.share, "verdict": self.verdict,
            "interval": None if self.share is None else [self.low, self.high],
        }  # fmt: skip


def is_random(trial: Trial) -> bool:
    """Return whether all of an individual was drawn at random; one of two populations is, without a partner."""
    return not trial.parents and trial.how.rpartition(": ")[2] == RANDOM


def is_bred(trial: Trial) -> bool:
    """Return whether an individual was bred from parents that were selected."""
    return bool(trial.parents) and not trial.how.startswith(UNSELECTED)


def against_random(trials: Iterable[Trial], second: str = "") -> Chance:
    """Return how the bred individuals of a search compare with its random ones.

    Parameters
    ----------
    trials : iterable of Trial
    second : str
        The cost that is minimised as well, if any.
    """
    first = [trial for trial in trials if trial.rung == 0]
    first = by_levels(second)(first) if second else first
    merits = [trial.rank[:2] for trial in first]  # without the tie-breakers, which every score has
    places = {merit: place for place, merit in enumerate(sorted(set(merits)))}
    bred, random = (
        np.array([places[merit] for trial, merit in zip(first, merits, strict=True) if counts(trial)], np.int64)
        for counts in (is_bred, is_random)
    )
    if min(len(bred), len(random)) < FEWEST:
        return Chance(len(bred), len(random), second=second)
    beaten, beating = _beaten(bred, random), 1 - _beaten(random, bred)
    share = float(beaten.mean())
    off = Z * math.sqrt(beaten.var(ddof=1) / len(bred) + beating.var(ddof=1) / len(random))
    return Chance(len(bred), len(random), share, max(0.0, share - off), min(1.0, share + off), second)


def _beaten(ones: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return, for each of `ones`, the share of `others` that are lower, counting equal ones half."""
    ordered = np.sort(others)
    lower, not_higher = (np.searchsorted(ordered, ones, side) for side in ("left", "right"))
    shares: NDArray[np.float64] = (lower + not_higher) / (2 * len(ordered))
    return shares
