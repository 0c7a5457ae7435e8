"""What a trial will take: so that long ones begin first, and a search ends when it was to end.

    seconds = samples (a + b macs + c values) + look

with macs the multiply-adds for an image and values what its layers give, fitted to the trials that have been done, each
weighted by its own length. Nothing that is found depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PRIOR = (2e-6, 1.2e-10, 1.5e-9)  # seconds for a sample, for each of its multiply-adds, for each value, on one core
WEIGHT = 3.0  # trials that the prior is worth
ROUNDS, ORDINARY = 4, 0.25  # of reweighing, and the relative error beyond which one counts less (Huber 1964)
MOST = 200  # trials that are fitted: the last ones


@dataclass
class Cost:
    """Learns from trials what trials take."""

    _rows: list[tuple[float, ...]] = field(default_factory=list)
    _seconds: list[float] = field(default_factory=list)

    def took(self, work: Sequence[float], seconds: float) -> None:
        """Take note of a trial."""
        self._rows.append(tuple(work))
        self._seconds.append(seconds)

    def seconds(self, work: Sequence[float]) -> float:
        """Return what a trial will take."""
        return float(np.dot(self._weights(), work))

    def _weights(self) -> NDArray[np.float64]:
        prior = np.array(PRIOR)
        if not self._rows:
            return prior
        rows, seconds = np.array(self._rows[-MOST:]), np.array(self._seconds[-MOST:])
        scale = float(np.median(seconds / np.maximum(rows @ prior, 1e-9)))  # this machine beside the one of the prior
        share = rows * prior / seconds[:, None]  # of each term, by the prior: relative errors are what is fitted
        pull = np.eye(len(prior)) * WEIGHT * np.maximum(share.mean(axis=0), 1e-6)
        left = np.concatenate([share, pull])
        right = np.concatenate([np.ones(len(share)), pull.sum(axis=1) * scale])
        found = np.full(len(prior), scale)
        for _ in range(ROUNDS):  # large errors count less: a trial that was held up says nothing of others
            errors = np.abs(left @ found - right)
            weights = 1 / np.maximum(1.0, errors / ORDINARY)
            weights[len(share) :] = 1
            found, *_ = np.linalg.lstsq(left * weights[:, None] ** 0.5, right * weights**0.5, rcond=None)
        fitted: NDArray[np.float64] = np.clip(found, 0.1 * scale, 10 * scale) * prior
        return fitted


def work_of(samples: int, macs: int, values: int) -> tuple[float, float, float]:
    """Return what a trial is made of: samples, their multiply-adds and values."""
    return float(samples), float(samples) * macs, float(samples) * values
