"""The task of a worker with a pipeline: fit it to all folds but one, score it on that one, for each fold.

A lesson is a pure function of its fields, which include the scores of folds from the rung below. scikit-learn is
imported when a worker prepares its first lesson, before the lesson's time limit starts.
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

ERROR = "error"  # the standard error of the mean over folds; the mean itself is stored under the metric's name
FOLD = "fold {}"
MOST_SAID = 300  # characters of a library's error message


@dataclass(frozen=True)
class Task:
    """The data that all lessons of a table share.

    Parameters
    ----------
    shared : Shared
        The table's arrays.
    columns : tuple of Column
    layout : Layout
    traits : Traits
    class_names : tuple of str
    label : str
    metric : str
        The name of a scikit-learn scorer.
    """

    shared: Shared
    columns: tuple[Column, ...]
    layout: Layout
    traits: Traits
    class_names: tuple[str, ...]
    label: str
    metric: str

    def estimator(self, genome: Mapping[str, Any], seed: int, last: bool = False) -> Any:
        """Return the unfitted estimator of a genome; `last` for the final fit."""
        scoring = Scoring.of(self.metric, self.traits.classes)
        if genome["model"] != NETWORK:
            return pipeline_of(genome, self.layout, self.traits, scoring.by_probabilities).made()
        from genreg_np.search.tabular.network import NetworkClassifier, NetworkRegressor

        kind = NetworkClassifier if self.traits.classes else NetworkRegressor
        return kind(genome, self.columns, self.class_names, self.label, seed, last)


@dataclass(frozen=True)
class PipelineLesson:
    """A pipeline, and the folds that it is scored on.

    Parameters
    ----------
    task : Task
    genome : mapping
    folds : tuple of Fold
        Folds of the table's rows.
    before : tuple of float
        Its scores on earlier folds.
    seed : int
    last : bool
        Whether this is the final fit.
    """

    task: Task
    genome: Mapping[str, Any]
    folds: tuple[Fold, ...]
    before: tuple[float, ...] = ()
    seed: int = 0
    last: bool = False

    def prepare(self) -> None:
        """Load the libraries."""
        self.task.estimator(self.genome, self.seed, self.last)

    def learn(self) -> Learned:
        """Fit and score, fold by fold."""
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
            except Exception as error:  # of a library, for a combination that it does not support
                return Learned(FAILED, reason(error), seconds=time.perf_counter() - started)
        seconds = time.perf_counter() - started
        if not np.isfinite(scores).all():
            return Learned(FAILED, "its score is not finite", seconds=seconds)
        measures = {self.task.metric: float(np.mean(scores)), ERROR: error_of(scores)}
        measures |= {FOLD.format(place + 1): score for place, score in enumerate(scores)}
        return Learned(OK, "", {"search": measures}, seconds, seconds / max(1, len(self.folds)))


@contextlib.contextmanager
def in_peace() -> Iterator[None]:
    """Fit with one thread and without the libraries' warnings: what matters about them shows in the score."""
    with threadpool_limits(1), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def dummy_scores(task: Task, folds: Sequence[Fold]) -> tuple[float, ...]:
    """Return the scores on folds of a model that always predicts the most frequent class, or the mean."""
    inputs, labels = task.shared.read()
    scorer = Scoring.of(task.metric, task.traits.classes).scorer
    found = []
    with in_peace():
        for fitted, judged in folds:
            model = DummyClassifier(strategy="prior") if task.traits.classes else DummyRegressor()
            try:
                score = float(scorer(model.fit(inputs[fitted], labels[fitted]), inputs[judged], labels[judged]))
            except ValueError:  # a class is missing on one side, and the metric needs it
                score = float("nan")
            found.append(score)
    return tuple(found)


def reason(error: Exception) -> str:
    """Return a library's error as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:MOST_SAID]


def error_of(scores: Any) -> float:
    """Return the standard error of the mean of scores; 0 for a single one, for which it is unknown."""
    return float(np.std(scores, ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0


def scores_of(measures: Mapping[str, float]) -> tuple[float, ...]:
    """Return the scores per fold that `learn` recorded."""
    count = sum(name.startswith("fold ") for name in measures)
    return tuple(measures[FOLD.format(place + 1)] for place in range(count))
