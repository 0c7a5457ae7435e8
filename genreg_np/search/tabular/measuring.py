"""Measures the winner on the held-out rows: its predictions, and the importance of columns.

    confusion    how many rows of each class are predicted as each class
    wanted, predicted    numbers, for evenly spaced rows
    importance   how much the score falls when a column's values are shuffled among the rows: the mean of several times,
                 and its standard error. A column that others can replace looks less important than it is (Breiman,
                 Random Forests, 2001)

Importance takes many predictions: if they are slow it is measured fewer times, or not at all.

Shapes: n rows held out.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.engines.base import FAILED, OK
from genreg_np.search.lessons.base import Learned
from genreg_np.search.tabular.lesson import PipelineLesson, error_of, in_peace, reason
from genreg_np.search.tabular.scoring import Scoring

TIMES = 5  # how many times each column is shuffled
MOST_DOTS = 1000  # rows whose numbers are recorded
CONFUSION, WANTED, PREDICTED, IMPORTANCE, SPREAD = (
    "confusion", "wanted", "predicted", "importance", "spread of importance",
)  # fmt: skip
Measures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Measuring:
    """What is measured of a pipeline.

    Parameters
    ----------
    lesson : PipelineLesson
        A lesson whose only fold is the last one.
    seconds : float
        About how long measuring importance may take; 0 to measure predictions instead.
    """

    lesson: PipelineLesson
    seconds: float = 0.0

    def prepare(self) -> None:
        """Load the libraries."""
        self.lesson.prepare()

    def learn(self) -> Learned:
        """Fit again, and measure."""
        started = time.perf_counter()
        task, ((fitted, held),) = self.lesson.task, self.lesson.folds
        inputs, labels = task.shared.read()
        with in_peace():
            try:
                estimator = task.estimator(self.lesson.genome, self.lesson.seed, self.lesson.last)
                estimator.fit(inputs[fitted], labels[fitted])
                if self.seconds:
                    found = self._importance(estimator, inputs[held], labels[held])
                else:
                    found = self._answers(estimator.predict(inputs[held]), labels[held], held)
            except MemoryError:
                raise
            except Exception as error:  # of a library, for a combination that it does not support
                return Learned(FAILED, reason(error), seconds=time.perf_counter() - started)
        return Learned(OK, "", found, time.perf_counter() - started)

    def _answers(self, predicted: NDArray[Any], wanted: NDArray[Any], held: NDArray[np.int64]) -> Measures:
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

    def _importance(self, estimator: Any, inputs: NDArray[Any], labels: NDArray[Any]) -> Measures:
        """Return how much the score falls when each column is shuffled; all parts of a date are shuffled together."""
        task = self.lesson.task
        places: dict[str, list[int]] = defaultdict(list)
        for place, column in enumerate(task.columns):
            places[column.source["name"]].append(place)
        scorer, rng = Scoring.of(task.metric, task.traits.classes).scorer, np.random.default_rng(self.lesson.seed)
        began = time.perf_counter()
        whole = float(scorer(estimator, inputs, labels))
        each = len(places) * (time.perf_counter() - began)
        losses: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(min(TIMES, int(self.seconds / max(each, 1e-9)))):
            for name, own in places.items():
                dealt = np.array(inputs)
                dealt[:, own] = inputs[rng.permutation(len(inputs))][:, own]
                losses[name].append(whole - float(scorer(estimator, dealt, labels)))
        if not all(some and np.isfinite(some).all() for some in losses.values()):
            return {}
        means = {name: float(np.mean(some)) for name, some in losses.items()}
        return {IMPORTANCE: means, SPREAD: {name: error_of(some) for name, some in losses.items()}}


def checked(measured: Any, classes: int) -> Measures:
    """Return measures read from a file, validated.

    Parameters
    ----------
    measured : object
        From search.json.
    classes : int

    Raises
    ------
    ValueError
        If they are not valid.
    """
    if not isinstance(measured, Mapping):
        raise ValueError("is not a mapping")
    found: Measures = {}
    for name, values in measured.items():
        if not isinstance(values, Mapping) or any(type(value) not in (int, float) for value in values.values()):
            raise ValueError(f"{name} does not consist of numbers")
        found[name] = {str(key): float(value) for key, value in values.items()}
        if not np.isfinite(list(found[name].values())).all():
            raise ValueError(f"{name} has non-finite numbers")
        if name in (CONFUSION, SPREAD) and any(value < 0 for value in found[name].values()):
            raise ValueError(f"{name} is negative")
    for pair in found.get(CONFUSION, {}):
        places = [int(place) for place in pair.split()]
        if len(places) != 2 or not all(0 <= place < classes for place in places):
            raise ValueError(f"{pair} is not a pair of classes")
    if found.get(WANTED, {}).keys() != found.get(PREDICTED, {}).keys():
        raise ValueError("predictions are for other rows")
    if found.get(IMPORTANCE, {}).keys() != found.get(SPREAD, {}).keys():
        raise ValueError("importance is for other columns")
    return found
