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
    """

    def __init__(self, evolution: Generations, judge: Judge) -> None:
        self._evolution, self._judge = evolution, judge

    def step(self) -> dict[str, Any]:
        """Judge one generation and return its record."""
        evolution, started = self._evolution, self._evolution.clock()
        numbers = []
        with single_threaded_blas():
            for answers in evolution.answers(MOST_BYTES):
                numbers.append(self._judge(answers))
        evolution.seconds += evolution.clock() - started
        return evolution.tell(np.concatenate(numbers))
