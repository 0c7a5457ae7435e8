"""How far shares of so many inputs may be apart by chance.

standard error of a share of n     sqrt(q (1 - q) / n),  q = (right + 1) / (n + 2), so that all is no certainty
difference of two                  sqrt(e1^2 + e2^2) of unlike inputs; of the same ones sqrt(b + c - (b - c)^2 / n) / n,
                                   where b inputs are right for one alone and c for the other alone (McNemar 1947)

What is more than two of them counts as more than chance: one time in twenty chance does that, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ERRORS = 2  # standard errors that are more than chance
LEAST = 20  # inputs of which anything is said beyond their numbers


@dataclass(frozen=True)
class Share:
    """How many of so many inputs are right."""

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
        """How far it may be from that of any number of such inputs."""
        return ERRORS * self.error

    def __str__(self) -> str:
        """Return it in per cent, and how far it may be off."""
        return f"{100 * self.value:.1f} % ± {100 * self.either_way:.1f}"


def either_way(one: Share, other: Share) -> float:
    """Return by how much two shares of unlike inputs may differ by chance."""
    return ERRORS * math.hypot(one.error, other.error)


def paired_either_way(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return by how much two shares of the same inputs (N,) may differ by chance; two at least are taken to differ."""
    alone, other_alone = int((one & ~other).sum()), int((other & ~one).sum())
    variance = max(2.0, alone + other_alone - (alone - other_alone) ** 2 / len(one))
    return ERRORS * math.sqrt(variance) / len(one)


def rises(values: Sequence[float], chance: float = math.inf) -> float:
    """Return by how much the last quarter of values lies above the quarter before it, or 0 if that may be chance.

    Parameters
    ----------
    values : sequence of float
        Of looks, in their order.
    chance : float
        What may be chance of a single look. The scatter of eight and more looks tells that of their means as well, and
        the smaller one counts.
    """
    size = len(values) // 4 or len(values) // 2
    if not size:
        return 0.0
    before, late = np.asarray(values[-2 * size : -size]), np.asarray(values[-size:])
    if size > 1:
        chance = min(chance, ERRORS * math.sqrt(float(before.var(ddof=1) + late.var(ddof=1)) / size))
    gain = float(late.mean() - before.mean())
    return gain if gain > max(chance, 1e-9) else 0.0
