"""Scores of the answers of whole populations, for estimators that are trained on a metric.

A metric is the name of a scikit-learn scorer, a scorer (make_scorer), or a function (y (N,), scores (N, K)) -> number,
higher is better. Those based on the confusion matrix are computed for all genomes at once; others take a call for each
genome. A scorer meets the user's own classes, as in GridSearchCV; a name and a function their indices.

Shapes: G genomes, N samples, K classes or numbers.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from genreg_np.errors import FitnessError, UsageError
from genreg_np.fitness import as_number
from genreg_np.runs.judged import Judge
from genreg_np.search.tabular.scoring import Scoring

Floats = NDArray[np.float64]
Fitness = str | Callable[[NDArray[Any], Floats], float]
SECOND = 1  # of two classes, the positive one for f1, precision and recall


def judge_of(
    fitness: Fitness,
    labels: NDArray[Any],
    of_classes: bool,
    classes: int,
    own: NDArray[Any] | None = None,
    strict: bool = False,
) -> Judge:
    """Return the function that judges answers to samples.

    Parameters
    ----------
    fitness : str or callable
    labels : (N,) int64 indices of classes, or (N, K) numbers
    of_classes : bool
    classes : int
        The number of classes.
    own : (K,) ndarray, optional
        The user's classes; by default their indices.
    strict : bool
        Whether to raise the ValueError of a scorer that refuses some answers; otherwise they count as -inf.

    Raises
    ------
    UsageError
        For an unknown or unsuitable name, or anything that is neither a name nor a function.
    """
    if hasattr(fitness, "_score_func"):  # a scorer from make_scorer
        named = np.arange(classes) if own is None else own
        return functools.partial(_scored, fitness, labels, of_classes, named, strict)
    if callable(fitness):
        _check_takes(fitness)
        return functools.partial(_called, fitness, labels, of_classes)
    if not isinstance(fitness, str) or not fitness:
        raise UsageError(
            f"fitness = {fitness!r} must be the name of a scikit-learn scorer, such as 'f1_macro', or a function "
            "(y, scores) -> number"
        )
    scoring = Scoring.of(fitness, of_classes, classes)
    if of_classes and (counted := COUNTED.get(scoring.name)):
        return lambda answers: counted(confusion(answers, labels, classes))
    if scoring.name == "neg_log_loss":
        return functools.partial(log_likelihood, labels)
    return functools.partial(_scored, scoring.scorer, labels, of_classes, np.arange(classes), strict)


def _check_takes(fitness: Callable[..., Any]) -> None:
    """Refuse functions that are known not to take (y, scores)."""
    of = fitness.func if isinstance(fitness, functools.partial) else fitness
    name = getattr(of, "__name__", "fitness")
    if str(getattr(of, "__module__", "")).startswith("sklearn.metrics"):
        raise UsageError(
            f"fitness = {name}: scikit-learn's metrics take predictions, and a fitness takes scores: give "
            f"make_scorer({name}), or the name of a scorer, such as 'f1_macro'"
        )
    try:
        signature = inspect.signature(fitness)
    except (TypeError, ValueError):  # of compiled functions
        return
    try:
        signature.bind(None, None)
    except TypeError:
        raise UsageError(f"fitness = {name}: must be a function (y, scores) -> number, and does not take two") from None


def confusion(answers: NDArray[Any], labels: NDArray[np.int64], classes: int) -> Floats:
    """Return the confusion matrix of each genome, (G, K, K), true classes in rows."""
    genomes = len(answers)
    predicted = answers.argmax(axis=-1)
    places = (np.arange(genomes)[:, None] * classes + labels) * classes + predicted
    counts = np.bincount(places.ravel(), minlength=genomes * classes * classes).astype(np.float64)
    return counts.reshape(genomes, classes, classes)


def _share(part: Floats, whole: Floats) -> Floats:
    """Return quotients, 0 where the denominator is 0, as in scikit-learn."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _right(counts: Floats) -> Floats:
    found: Floats = np.trace(counts, axis1=-2, axis2=-1)
    return found


def _precision(counts: Floats) -> Floats:
    return _share(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-2))


def _recall(counts: Floats) -> Floats:
    return _share(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1))


def _f1(counts: Floats) -> Floats:
    return _share(2 * np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1) + counts.sum(axis=-2))


def _jaccard(counts: Floats) -> Floats:
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    return _share(right, counts.sum(axis=-1) + counts.sum(axis=-2) - right)


def _accuracy(counts: Floats) -> Floats:
    found: Floats = _right(counts) / counts.sum(axis=(-2, -1))
    return found


def _balanced(counts: Floats) -> Floats:
    """Return the mean recall of the classes that occur."""
    there = counts.sum(axis=-1) > 0
    found: Floats = (_recall(counts) * there).sum(axis=-1) / there.sum(axis=-1)
    return found


def _matthews(counts: Floats) -> Floats:
    """Return the correlation of true and predicted classes (Gorodkin 2004)."""
    total, right = counts.sum(axis=(-2, -1)), _right(counts)
    so, said = counts.sum(axis=-1), counts.sum(axis=-2)
    spread = np.sqrt((total**2 - (so**2).sum(axis=-1)) * (total**2 - (said**2).sum(axis=-1)))
    return _share(right * total - (so * said).sum(axis=-1), spread)


def _averages(name: str, of_each: Callable[[Floats], Floats]) -> dict[str, Callable[[Floats], Floats]]:
    """Return the scorers of a per-class measure by name: of the second class, and its averages."""

    def weighted(counts: Floats) -> Floats:
        so = counts.sum(axis=-1)
        found: Floats = (of_each(counts) * so).sum(axis=-1) / so.sum(axis=-1)
        return found

    def of_all(counts: Floats) -> Floats:
        right, total = _right(counts), counts.sum(axis=(-2, -1))
        found: Floats = right / (2 * total - right) if name == "jaccard" else right / total
        return found

    return {
        name: lambda counts: of_each(counts)[..., SECOND],
        f"{name}_micro": of_all,
        f"{name}_macro": lambda counts: of_each(counts).mean(axis=-1),
        f"{name}_weighted": weighted,
    }


COUNTED: dict[str, Callable[[Floats], Floats]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced,
    "matthews_corrcoef": _matthews,
    **_averages("precision", _precision),
    **_averages("recall", _recall),
    **_averages("f1", _f1),
    **_averages("jaccard", _jaccard),
}


def log_likelihood(labels: NDArray[np.int64], answers: NDArray[Any]) -> Floats:
    """Return the mean log probability of the true classes, (G,)."""
    logs = log_softmax(answers.astype(np.float64), axis=-1)
    found: Floats = logs[:, np.arange(len(labels)), labels].mean(axis=-1)
    return found


def _called(
    fitness: Callable[[NDArray[Any], Floats], float], labels: NDArray[Any], of_classes: bool, answers: NDArray[Any]
) -> Floats:
    """Return the numbers of a user's function for each genome's probabilities, or numbers."""
    numbers, labels = np.empty(len(answers)), labels.view()
    labels.flags.writeable = False
    for genome, own in enumerate(answers.astype(np.float64)):
        scores = softmax(own, axis=-1) if of_classes else own
        scores.flags.writeable = False
        try:
            found = fitness(labels, scores)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise FitnessError(
                "the fitness function changes y or scores, which are read-only: let it change a copy (y.copy())"
            ) from None
        try:
            numbers[genome] = as_number(found)
        except TypeError as error:
            raise FitnessError(f"the fitness function returned {error}: it must return a number") from None
    return numbers


class _Answering(BaseEstimator):  # type: ignore[misc]
    """A stand-in for an estimator, for scorers: its predictions are its inputs."""

    def __sklearn_is_fitted__(self) -> bool:
        """Return True."""
        return True


class _Classes(ClassifierMixin, _Answering):  # type: ignore[misc]
    def __init__(self, classes: NDArray[Any]) -> None:
        self.classes = classes
        self.classes_ = classes

    def predict(self, answers: Floats) -> NDArray[Any]:
        found: NDArray[Any] = self.classes_[answers.argmax(axis=1)]
        return found

    def predict_proba(self, answers: Floats) -> Floats:
        found: Floats = softmax(answers, axis=1)
        return found

    def decision_function(self, answers: Floats) -> Floats:
        return answers[:, 1] - answers[:, 0] if len(self.classes_) == 2 else answers


class _Numbers(RegressorMixin, _Answering):  # type: ignore[misc]
    def predict(self, answers: Floats) -> NDArray[Any]:
        return answers[:, 0] if answers.shape[1] == 1 else answers


def _scored(
    scorer: Any, labels: NDArray[Any], of_classes: bool, classes: NDArray[Any], strict: bool, answers: NDArray[Any]
) -> Floats:
    """Return a scorer's number for each genome; -inf for those whose answers it refuses, unless `strict`."""
    stand_in = _Classes(classes) if of_classes else _Numbers()
    wanted = classes[labels] if of_classes else labels if labels.shape[1] > 1 else labels[:, 0]
    numbers = np.full(len(answers), -np.inf)
    for genome, own in enumerate(answers):
        try:
            numbers[genome] = float(scorer(stand_in, own.astype(np.float64), wanted))
        except ValueError:  # such as a deviance of numbers below 0
            if strict:
                raise
    return numbers
