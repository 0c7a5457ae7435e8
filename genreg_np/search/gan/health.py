"""The fitness of a pair: how realistic its images are, how healthy training is, and how stable both remain.

    cost      log fcd + tvd / 2 + (1 - coverage) / 2 + (1 - confident) / 2        at a checkpoint
    fitness   the median of the last three checkpoints' costs, plus by how much one is above an earlier one at most (0
              if each is better than the one before), plus 100 for each broken rule below: infeasible pairs rank after
              all others, ordered by the number of rules they break

The losses of the two networks are neither recorded nor rewarded: they say nothing about the images.

    rules      all classes occur, or before 50,000 samples nine in ten; coverage is at least .3, or proportionally less
               before 50,000 samples; the discriminator does not win by being right about more than 98 % of unseen
               images at all of the last three checkpoints; less than 5 % of images are duplicates; images are not
               copies of training images
    removal    at a checkpoint, without waiting for the end: all images are alike; at most two classes after a third of
               the samples; a discriminator that is never wrong, twice in a row; non-finite numbers
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

METRICS = (  # that can drive selection: for the others neither more nor less is better
    "fitness", "fcd", "coverage", "tvd", "modes", "confident", "variety", "copies", "duplicates", "violations",
)  # fmt: skip
PENALTY = 100.0
MOST_COST = 99.0  # of a pair that breaks no rule, so that pairs that break one rank lower
LAST = 3  # checkpoints
ENOUGH = 50_000  # samples after which all classes and the full coverage are required
LEAST_COVERAGE, MOST_CRITIC, MOST_DUPLICATES, LEAST_COPYING = 0.3, 0.98, 0.05, 0.5
MOST_COPIES = 0.05
ALIKE = 0.1  # the least deviation of pixels, as a share of that of real images
FEW_MODES, NEVER_WRONG = 2, 0.999
THIRD = 1 / 3
LEAST_DISTANCE = 1e-6  # a lower bound of fcd, which keeps its logarithm finite

Measures = Mapping[str, float]


def cost(measures: Measures) -> float:
    """Return the cost of generated images at a checkpoint."""
    likeness = math.log(max(measures["fcd"], LEAST_DISTANCE))
    return likeness + (measures["tvd"] + (1 - measures["coverage"]) + (1 - measures["confident"])) / 2


def worsening(costs: Sequence[float]) -> float:
    """Return by how much a cost is above an earlier one at most; 0 for a pair that never gets worse."""
    return max(after - min(costs[: place + 1]) for place, after in enumerate(costs))


def at_the_end(measures: Measures) -> float:
    """Return the fitness of a state alone, from its measures and the number of rules that it breaks."""
    return min(MOST_COST, cost(measures)) + PENALTY * measures["violations"]


def broken(checkpoints: Sequence[Measures], classes: int, samples: int = ENOUGH) -> list[str]:
    """Return the rules that are broken at the last checkpoint, after `samples` samples, each in a few words."""
    return list(faults(checkpoints, classes, samples).values())


def faults(checkpoints: Sequence[Measures], classes: int, samples: int = ENOUGH) -> dict[str, str]:
    """Return what `broken` returns, by the measure of each rule."""
    last, found = checkpoints[-1], {}
    if last["modes"] < classes - (samples < ENOUGH) * (classes // 10):
        found["modes"] = f"{last['modes']:.0f} of {classes} classes"
    if last["coverage"] < LEAST_COVERAGE * min(1.0, samples / ENOUGH):
        found["coverage"] = f"coverage {last['coverage']:.2f}"
    if min(one["critic"] for one in checkpoints[-LAST:]) > MOST_CRITIC:
        found["critic"] = f"the discriminator wins ({100 * last['critic']:.1f} % right)"
    if last["duplicates"] >= MOST_DUPLICATES:
        found["duplicates"] = f"{100 * last['duplicates']:.0f} % of images are duplicates of others"
    if last["copying"] < LEAST_COPYING or last["copies"] >= MOST_COPIES:
        share, distance = 100 * last["copies"], last["copying"]
        found["copies"] = f"copies of training images ({share:.0f} %, distance {distance:.2f} of that of real images)"
    return found


def fitness(checkpoints: Sequence[Measures], classes: int, samples: int = ENOUGH) -> dict[str, float]:
    """Return the measures of the last checkpoint, with the fitness and the number of broken rules.

    `excused` counts the rules that it breaks, but does not have to keep yet after so few samples.
    """
    costs = [cost(measures) for measures in checkpoints[-LAST:]]
    violations = len(broken(checkpoints, classes, samples))
    excused = len(broken(checkpoints, classes)) - violations
    found = min(MOST_COST, float(np.median(costs)) + worsening(costs)) + PENALTY * violations
    return {"fitness": found, **checkpoints[-1], "violations": float(violations), "excused": float(excused)}


def removed(checkpoints: Sequence[Measures], deviation: float, done: float, classes: int) -> str:
    """Return why a pair is removed at a checkpoint; "" if it is not.

    Parameters
    ----------
    checkpoints : sequence of mappings
        This checkpoint and those before it.
    deviation : float
        The standard deviation of a pixel over generated images, averaged over pixels, as a share of that of real ones.
    done : float
        The share of the rung's samples that are done.
    classes : int
        The number of classes.
    """
    last = checkpoints[-1]
    if deviation < ALIKE:
        return f"collapsed: all images are alike (pixels vary by {100 * deviation:.1f} % of what real ones do)"
    if last["modes"] <= min(FEW_MODES, classes - 1) and done >= THIRD:
        return f"collapsed: {last['modes']:.0f} of {classes} classes"
    if len(checkpoints) > 1 and min(one["critic"] for one in checkpoints[-2:]) >= NEVER_WRONG:
        return "the discriminator won: it was never wrong at two checkpoints"
    return ""
