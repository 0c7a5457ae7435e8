"""Fitness computed from the answers of whole populations to all samples at once, one number per genome.

    judge(answers (G, N, K)) -> numbers (G,)       answers are logits of classes, or predicted numbers; higher is better

Any metric of answers will do: F1, a cost matrix, a score that allows abstention. It need not be differentiable, and
genomes are not turned into models.

Shapes: G genomes at a time of P, N samples of the training split, K classes or numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.threads import single_threaded_blas
from genreg_np.fitness import as_numbers, summary
from genreg_np.model import Float32

if TYPE_CHECKING:
    from genreg_np.runs.generations import Generations

MOST_BYTES = 64 << 20  # of a batch of answers
Judge = Callable[[Float32], NDArray[np.float64]]


class JudgedRun:
    """Judges the generations of an evolution on a dataset.

    Parameters
    ----------
    evolution : Generations
    judge : callable
    tie : callable, optional
        Orders genomes with equal numbers; higher is better.
    """

    def __init__(self, evolution: Generations, judge: Judge, tie: Judge | None = None) -> None:
        self._evolution, self._judge, self._tie = evolution, judge, tie

    def step(self) -> dict[str, Any]:
        """Judge one generation and return its record."""
        evolution, started = self._evolution, self._evolution.clock()
        earned, ties = list[NDArray[np.float64]](), list[NDArray[np.float64]]()
        with single_threaded_blas():
            for answers in evolution.answers(MOST_BYTES):
                earned.append(as_numbers(self._judge(answers), len(answers)))
                if self._tie is not None:
                    ties.append(as_numbers(self._tie(answers), len(answers)))
        numbers = np.concatenate(earned)
        evolution.seconds += evolution.clock() - started
        record = evolution.tell(apart(numbers, np.concatenate(ties)) if ties else numbers)
        return record | summary(numbers)  # without what sets equal ones apart


def apart(numbers: NDArray[np.float64], ties: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers (P,) in which equal ones are ordered by ties (P,), without changing the order of the others."""
    finite = np.unique(numbers[np.isfinite(numbers)])
    gap = float(np.diff(finite).min()) if len(finite) > 1 else 1.0
    places = np.argsort(np.argsort(ties, kind="stable"), kind="stable") / len(ties)  # 0 .. 1, and never 1
    found: NDArray[np.float64] = numbers + gap / 2 * places
    return found
