"""What a worker does with a pipeline: fit it to some folds and judge it on the rest of each.

A lesson is a pure function of what it is told; scores of folds from the rung below come with it. What scikit-learn
takes to be imported is taken when a worker learns of its first lesson, before the time that the lesson may take begins.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.compose
import sklearn.ensemble
import sklearn.feature_selection
import sklearn.neighbors
import sklearn.svm  # noqa: F401
from sklearn.dummy import DummyClassifier, DummyRegressor
from threadpoolctl import threadpool_limits

from genreg_np.engines.base import FAILED, OK
from genreg_np.search.lessons.base import Learned
from genreg_np.search.tabular.building import Layout, pipeline_of
from genreg_np.search.tabular.folds import Fold
from genreg_np.search.tabular.rows import Column, Shared
from genreg_np.search.tabular.scoring import Scoring
from genreg_np.search.tabular.space import NETWORK, Traits

ERROR = "error"  # the standard error of the mean over folds, beside that, which is called as the metric is
FOLD = "fold {}"
MOST_SAID = 300  # characters of what a library says of its error


@dataclass(frozen=True)
class Task:
    """What all lessons of a table share.

    Parameters
    ----------
    shared : Shared
        Its arrays.
    columns : tuple of Column
    layout : Layout
    traits : Traits
    class_names : tuple of str
    label : str
    metric : str
        A scorer of scikit-learn by its name.
    """

    shared: Shared
    columns: tuple[Column, ...]
    layout: Layout
    traits: Traits
    class_names: tuple[str, ...]
    label: str
    metric: str

    def estimator(self, genome: Mapping[str, Any], seed: int, last: bool = False) -> Any:
        """Return what a genome stands for, not fitted; `last`: as it is in the end."""
        scoring = Scoring.of(self.metric, self.traits.classes)
        if genome["model"] != NETWORK:
            return pipeline_of(genome, self.layout, self.traits, scoring.by_probabilities).made()
        from genreg_np.search.tabular.network import NetworkClassifier, NetworkRegressor

        kind = NetworkClassifier if self.traits.classes else NetworkRegressor
        return kind(genome, self.columns, self.class_names, self.label, seed, last)


@dataclass(frozen=True)
class PipelineLesson:
    """A pipeline, and the folds that it is to be judged on.

    Parameters
    ----------
    task : Task
    genome : mapping
    folds : tuple of Fold
        Of the rows of the table.
    before : tuple of float
        Its scores on folds before these.
    seed : int
    last : bool
        Whether it is fitted as it is in the end.
    """

    task: Task
    genome: Mapping[str, Any]
    folds: tuple[Fold, ...]
    before: tuple[float, ...] = ()
    seed: int = 0
    last: bool = False

    def prepare(self) -> None:
        """Load the library."""
        self.task.estimator(self.genome, self.seed, self.last)

    def learn(self) -> Learned:
        """Fit and judge, fold by fold."""
        started = time.perf_counter()
        inputs, labels = self.task.shared.read()
        scorer = Scoring.of(self.task.metric, self.task.traits.classes).scorer
        scores = list(self.before)
        with in_peace():
            try:
                for fitted, judged in self.folds:
                    estimator = self.task.estimator(self.genome, self.seed, self.last)
                    estimator.fit(inputs[fitted], labels[fitted])
                    scores.append(float(scorer(estimator, inputs[judged], labels[judged])))
            except MemoryError:
                raise
            except Exception as error:  # of a library, on a combination that it cannot do
                return Learned(FAILED, reason(error), seconds=time.perf_counter() - started)
        seconds = time.perf_counter() - started
        if not np.isfinite(scores).all():
            return Learned(FAILED, "its score is no number", seconds=seconds)
        measures = {self.task.metric: float(np.mean(scores)), ERROR: error_of(scores)}
        measures |= {FOLD.format(place + 1): score for place, score in enumerate(scores)}
        return Learned(OK, "", {"search": measures}, seconds, seconds / max(1, len(self.folds)))


@contextlib.contextmanager
def in_peace() -> Iterator[None]:
    """Fit with one thread, and without the warnings of libraries: what matters of them is in the score."""
    with threadpool_limits(1), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def dummy_scores(task: Task, folds: Sequence[Fold]) -> tuple[float, ...]:
    """Return what who learns nothing scores on folds: the most frequent class, or the mean."""
    inputs, labels = task.shared.read()
    scorer = Scoring.of(task.metric, task.traits.classes).scorer
    found = []
    with in_peace():
        for fitted, judged in folds:
            model = DummyClassifier(strategy="prior") if task.traits.classes else DummyRegressor()
            try:
                score = float(scorer(model.fit(inputs[fitted], labels[fitted]), inputs[judged], labels[judged]))
            except ValueError:  # a class that is not on both sides, and a metric that needs it
                score = float("nan")
            found.append(score)
    return tuple(found)


def reason(error: Exception) -> str:
    """Return what a library says of its error, as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:MOST_SAID]


def error_of(scores: Any) -> float:
    """Return the standard error of a mean of scores; 0 of a single one, of which it cannot be told."""
    return float(np.std(scores, ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0


def scores_of(measures: Mapping[str, float]) -> tuple[float, ...]:
    """Return the scores fold by fold that `learn` wrote."""
    count = sum(name.startswith("fold ") for name in measures)
    return tuple(measures[FOLD.format(place + 1)] for place in range(count))
