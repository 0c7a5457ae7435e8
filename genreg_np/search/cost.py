"""Predicts how long a trial takes, so that long trials start first and a search ends on time.

    seconds = samples (a + b macs + c values)

with macs the multiply-adds for an image and values the number of layer outputs. It is fitted to finished trials, each
weighted by its own length. The results of a search do not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PRIOR = (2e-6, 1.2e-10, 1.5e-9)  # seconds per sample, per multiply-add and per value, on one core
WEIGHT = 3.0  # the weight of the prior, in trials
ROUNDS, ORDINARY = 4, 0.25  # reweighting rounds; the relative error beyond which weights fall (Huber 1964)
MOST = 200  # the number of latest trials that are fitted


@dataclass
class Cost:
    """Learns from finished trials how long trials take."""

    _rows: list[tuple[float, ...]] = field(default_factory=list)
    _seconds: list[float] = field(default_factory=list)

    def took(self, work: Sequence[float], seconds: float) -> None:
        """Record a trial."""
        self._rows.append(tuple(work))
        self._seconds.append(seconds)

    def seconds(self, work: Sequence[float]) -> float:
        """Return the seconds that a trial is expected to take."""
        return float(np.dot(self._weights(), work))

    def _weights(self) -> NDArray[np.float64]:
        prior = np.array(PRIOR)
        if not self._rows:
            return prior
        rows, seconds = np.array(self._rows[-MOST:]), np.array(self._seconds[-MOST:])
        scale = float(np.median(seconds / np.maximum(rows @ prior, 1e-9)))  # this machine relative to that of the prior
        share = rows * prior / seconds[:, None]  # of each term under the prior; the fit minimises relative errors
        pull = np.eye(len(prior)) * WEIGHT * np.maximum(share.mean(axis=0), 1e-6)
        left = np.concatenate([share, pull])
        right = np.concatenate([np.ones(len(share)), pull.sum(axis=1) * scale])
        found = np.full(len(prior), scale)
        for _ in range(ROUNDS):  # large errors count less: a delayed trial says nothing about others
            errors = np.abs(left @ found - right)
            weights = 1 / np.maximum(1.0, errors / ORDINARY)
            weights[len(share) :] = 1
            found, *_ = np.linalg.lstsq(left * weights[:, None] ** 0.5, right * weights**0.5, rcond=None)
        fitted: NDArray[np.float64] = np.clip(found, 0.1 * scale, 10 * scale) * prior
        return fitted


def work_of(samples: int, macs: int, values: int) -> tuple[float, float, float]:
    """Return the work of a trial: samples, and their multiply-adds and values."""
    return float(samples), float(samples) * macs, float(samples) * values
