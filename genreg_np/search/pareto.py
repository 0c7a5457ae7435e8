"""Two objectives: a high score and a low cost.

An individual dominates another if it is no worse in either objective and better in one. Individuals that none dominates
are the front, level 0; without them, the next front is level 1, and so on. Within a level, individuals in less crowded
places rank higher, which keeps the front wide (Deb et al. 2002, "A Fast and Elitist Multiobjective Genetic Algorithm:
NSGA-II").
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.search.trials import Trial, leaders_of

SECOND = ("parameters", "macs")  # costs that can be a second objective
OF_GENES = ("code",)  # genes that can be one, in kinds that have them
AT_THE_ENDS = 1e6  # crowding distance of an individual without a neighbour on one side
Floats = NDArray[np.float64]


def levels(scores: Floats, costs: Floats) -> NDArray[np.int64]:
    """Return the level of each of n individuals (n,)."""
    found = np.full(len(scores), -1, np.int64)
    better = (scores[:, None] >= scores) & (costs[:, None] <= costs)
    dominates = better & ~better.T
    level = 0
    while (left := found < 0).any():
        front = left & ~dominates[left].any(axis=0)
        found[front] = level
        level += 1
    return found


def crowding(scores: Floats, costs: Floats) -> Floats:
    """Return the crowding distance of each individual of a level (n,); inf at the ends."""
    found = np.zeros(len(scores))
    for values in (scores, np.log(np.maximum(costs, 1.0))):
        order = np.argsort(values, kind="stable")
        found[order[[0, -1]]] = math.inf
        if (reach := float(np.ptp(values))) > 0:
            found[order[1:-1]] += (values[order[2:]] - values[order[:-2]]) / reach
    return found


def by_levels(second: str) -> Callable[[Sequence[Trial]], list[Trial]]:
    """Return a function that scores trials by their levels, so that comparing them uses both objectives."""

    def levelled(trials: Sequence[Trial]) -> list[Trial]:
        able = [trial for trial in trials if trial.is_ok]
        scores, costs = _objectives(able, second)
        found = levels(scores, costs)
        room = np.zeros(len(able))
        for level in np.unique(found):
            own = scores[found == level]
            free = crowding(own, costs[found == level])
            ends = np.isinf(free)  # among them a higher score ranks higher
            free[ends] = AT_THE_ENDS + own[ends].argsort().argsort()
            room[found == level] = free
        known = {
            trial.number: dataclasses.replace(trial, score=-float(level), tie=float(space))
            for trial, level, space in zip(able, found, room, strict=True)
        }
        return [known.get(trial.number, trial) for trial in trials]

    return levelled


def front_of(trials: Sequence[Trial], second: str) -> list[Trial]:
    """Return the individuals that none dominates, each at the highest rung it reached, the cheapest first."""
    own = leaders_of(trials)
    found = levels(*_objectives(own, second))
    best = [trial for trial, level in zip(own, found, strict=True) if level == 0]
    return sorted(best, key=lambda trial: (cost_of(trial, second), -trial.score, trial.number))


def rows_of(front: Sequence[Trial], second: str, metric: str) -> list[tuple[str, str, str]]:
    """Return the front as text: individual, cost and metric of each."""
    return [
        (f"{trial.child}", f"{cost_of(trial, second):,}", f"{trial.metrics.get(metric, math.nan):.4f}")
        for trial in front
    ]


def _objectives(trials: Sequence[Trial], second: str) -> tuple[Floats, Floats]:
    scores = np.array([trial.score for trial in trials], np.float64)
    return scores, np.array([cost_of(trial, second) for trial in trials], np.float64)


def cost_of(trial: Trial, second: str) -> int:
    """Return the cost of a trial's individual."""
    cost: int = trial.genome[second] if second in OF_GENES else getattr(trial, second)
    return cost
