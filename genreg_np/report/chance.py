"""How far accuracies on a number of inputs may differ by chance.

standard error of a share of n     sqrt(q (1 - q) / n),  q = (right + 1) / (n + 2), which is never 0
difference of two                  sqrt(e1^2 + e2^2) on different inputs; on the same ones
                                   sqrt(b + c - (b - c)^2 / n) / n, where b inputs are right only for one and c only
                                   for the other (McNemar 1947)

More than two standard errors count as more than chance, though chance alone exceeds them one time in twenty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ERRORS = 2  # standard errors beyond which a difference is more than chance
LEAST = 20  # inputs: with fewer, nothing is said beyond their counts


@dataclass(frozen=True)
class Share:
    """The number of right answers among a number of inputs."""

    right: int
    count: int  # 1 or more

    @classmethod
    def of(cls, right: NDArray[np.bool_]) -> Share:
        """Count which inputs (N,) are right."""
        return cls(int(right.sum()), len(right))

    @property
    def value(self) -> float:
        """The share, 0 .. 1."""
        return self.right / self.count

    @property
    def error(self) -> float:
        """Its standard error."""
        likely = (self.right + 1) / (self.count + 2)
        return math.sqrt(likely * (1 - likely) / self.count)

    @property
    def either_way(self) -> float:
        """How far it may be off the share of all such inputs."""
        return ERRORS * self.error

    def __str__(self) -> str:
        """Return the share in per cent with its possible error."""
        return f"{100 * self.value:.1f} % ± {100 * self.either_way:.1f}"


def either_way(one: Share, other: Share) -> float:
    """Return by how much two shares of different inputs may differ by chance."""
    return ERRORS * math.hypot(one.error, other.error)


def paired_either_way(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return by how much two shares of the same inputs (N,) may differ by chance; at least two answers do."""
    alone, other_alone = int((one & ~other).sum()), int((other & ~one).sum())
    variance = max(2.0, alone + other_alone - (alone - other_alone) ** 2 / len(one))
    return ERRORS * math.sqrt(variance) / len(one)


def rises(values: Sequence[float], chance: float = math.inf) -> float:
    """Return by how much the mean of the last quarter of values exceeds that of the quarter before, or 0 if by chance.

    Parameters
    ----------
    values : sequence of float
        Values of evaluations, in order.
    chance : float
        Chance variation of a single value. With eight or more values, their scatter gives that of the means as well,
        and the smaller one is used.
    """
    size = len(values) // 4 or len(values) // 2
    if not size:
        return 0.0
    before, late = np.asarray(values[-2 * size : -size]), np.asarray(values[-size:])
    if size > 1:
        chance = min(chance, ERRORS * math.sqrt(float(before.var(ddof=1) + late.var(ddof=1)) / size))
    gain = float(late.mean() - before.mean())
    return gain if gain > max(chance, 1e-9) else 0.0
