"""Schedules of a rate over a run: a fraction of the highest rate, a pure function of the step t = 0, 1, ... of T.

constant     1
linear       1 - t / T
cosine       (1 + cos(pi t / T)) / 2                                                      (Loshchilov & Hutter 2017)
one-cycle    up from 1/25 to 1 over the first 3/10 of the run, down to 0 over the rest, each half a cosine
             (Smith & Topin 2018)
"""

from __future__ import annotations

import math
from collections.abc import Callable

WARMING, COLD = 0.3, 1 / 25  # of one-cycle: the fraction of the run with a rising rate, and the first rate


def constant(step: int, total: int) -> float:
    """Return 1."""
    return 1.0


def linear(step: int, total: int) -> float:
    """Return a rate that falls linearly, 0 from the end on."""
    return 1 - _done(step, total)


def cosine(step: int, total: int) -> float:
    """Return a rate that falls slowly, fast, and slowly again."""
    return _half_cosine(_done(step, total))


def one_cycle(step: int, total: int) -> float:
    """Return a rate that rises, and then falls for longer."""
    done = _done(step, total)
    if done < WARMING:
        return 1 - (1 - COLD) * _half_cosine(done / WARMING)
    return _half_cosine((done - WARMING) / (1 - WARMING))


def _done(step: int, total: int) -> float:
    """Return the fraction of a run that is done, 0 .. 1."""
    return min(1.0, step / max(1, total))


def _half_cosine(part: float) -> float:
    """Return half a cosine, from 1 at 0 to 0 at 1."""
    return (1 + math.cos(math.pi * part)) / 2


SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "one-cycle": one_cycle,
}
