"""What a worker finds out about the winner by the rows that were held out: who is taken for whom, and what it goes by.

    confusion    how many rows of each class are taken for each
    wanted, predicted    numbers, of rows evenly spread
    importance   how much worse the score is where a column's values are dealt out anew among the rows: the mean of
                 several times, and its standard error. A column that others stand in for looks less important than it
                 is (Breiman, Random Forests, 2001)

Shapes: n rows held out.
"""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from genreg_np.engines.base import FAILED, OK
from genreg_np.search.lessons.base import Learned
from genreg_np.search.tabular.lesson import PipelineLesson, error_of, reason
from genreg_np.search.tabular.scoring import Scoring

MOST_COLUMNS, FEW_COLUMNS = 200, 40  # that are measured, and up to which more than twice
TIMES, TIMES_OF_MANY = 5, 2
MOST_DOTS = 1000  # rows whose numbers are told
CONFUSION, WANTED, PREDICTED, IMPORTANCE, SPREAD = (
    "confusion", "wanted", "predicted", "importance", "spread of importance",
)  # fmt: skip


@dataclass(frozen=True)
class Measuring:
    """What is measured of a pipeline.

    Parameters
    ----------
    lesson : PipelineLesson
        Of the last fold alone.
    """

    lesson: PipelineLesson

    def learn(self) -> Learned:
        """Fit once more, and measure."""
        started = time.perf_counter()
        task, ((fitted, held),) = self.lesson.task, self.lesson.folds
        inputs, labels = task.shared.read()
        with threadpool_limits(1), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                estimator = task.estimator(self.lesson.genome, self.lesson.seed, self.lesson.last)
                estimator.fit(inputs[fitted], labels[fitted])
                measures = self._answers(estimator.predict(inputs[held]), labels[held], held)
                measures |= self._importance(estimator, inputs[held], labels[held])
            except MemoryError:
                raise
            except Exception as error:  # of a library, on a combination that it cannot do
                return Learned(FAILED, reason(error), seconds=time.perf_counter() - started)
        return Learned(OK, "", measures, time.perf_counter() - started)

    def _answers(
        self, predicted: NDArray[Any], wanted: NDArray[Any], held: NDArray[np.int64]
    ) -> dict[str, dict[str, float]]:
        if self.lesson.task.class_names:
            counts: dict[str, float] = defaultdict(float)
            for pair in zip(wanted.tolist(), predicted.tolist(), strict=True):
                counts["{} {}".format(*pair)] += 1
            return {CONFUSION: dict(counts)}
        some = slice(None, None, -(-len(held) // MOST_DOTS))
        return {
            name: {str(row): float(value) for row, value in zip(held[some].tolist(), values[some], strict=True)}
            for name, values in ((WANTED, wanted), (PREDICTED, predicted))
        }

    def _importance(self, estimator: Any, inputs: NDArray[Any], labels: NDArray[Any]) -> dict[str, dict[str, float]]:
        """Return how much worse it is without each column of the table; of a date all parts are dealt out together."""
        task = self.lesson.task
        places: dict[str, list[int]] = defaultdict(list)
        for place, column in enumerate(task.columns):
            places[column.source["name"]].append(place)
        if len(places) > MOST_COLUMNS:
            return {}
        scorer = Scoring.of(task.metric, task.traits.classes).scorer
        whole, rng = float(scorer(estimator, inputs, labels)), np.random.default_rng(self.lesson.seed)
        means, spreads = {}, {}
        for name, own in places.items():
            losses = []
            for _ in range(TIMES if len(places) <= FEW_COLUMNS else TIMES_OF_MANY):
                dealt = np.array(inputs)
                dealt[:, own] = inputs[rng.permutation(len(inputs))][:, own]
                losses.append(whole - float(scorer(estimator, dealt, labels)))
            means[name], spreads[name] = float(np.mean(losses)), error_of(losses)
        finite = all(np.isfinite(value) for value in (*means.values(), *spreads.values()))
        return {IMPORTANCE: means, SPREAD: spreads} if finite else {}
