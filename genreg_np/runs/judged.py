"""Generations judged by what they answer: whole populations answer all samples at once, and each genome earns a number.

    judge(answers (G, N, K)) -> numbers (G,)       logits of classes, or numbers to predict; higher is better

Any metric of answers can be that: F1, a cost matrix, the right to say nothing. No derivative is taken, and no model is
made of a genome.

Shapes: G genomes at a time of P, N samples of the training split, K classes or numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.threads import single_threaded_blas
from genreg_np.fitness import as_numbers
from genreg_np.model import Float32

if TYPE_CHECKING:
    from genreg_np.runs.generations import Generations

MOST_BYTES = 64 << 20  # of answers at a time
Judge = Callable[[Float32], NDArray[np.float64]]


class JudgedRun:
    """Judges the generations of an evolution on a dataset.

    Parameters
    ----------
    evolution : Generations
    judge : callable
    tie : callable, optional
        What puts those in order who earn the same; more is ahead.
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
        return evolution.tell(apart(numbers, np.concatenate(ties)) if ties else numbers)


def apart(numbers: NDArray[np.float64], ties: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers (P,) in which equals are put in order by ties (P,); none passes one that was above it."""
    finite = np.unique(numbers[np.isfinite(numbers)])
    gap = float(np.diff(finite).min()) if len(finite) > 1 else 1.0
    places = np.argsort(np.argsort(ties, kind="stable"), kind="stable") / len(ties)  # 0 .. 1, and never 1
    found: NDArray[np.float64] = numbers + gap / 2 * places
    return found
