"""Scikit-learn estimators that train a network by evolution, on any score.

    GenregClassifier().fit(X, y).predict(new)
    GenregClassifier(fitness="f1_macro").fit(X, y)

Shapes: N samples, I columns, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.extmath import softmax

from genreg_np.estimators.checked import Classes, OfClasses, OfNumbers
from genreg_np.estimators.judging import Fitness
from genreg_np.estimators.training import NetworkEstimator


class GenregClassifier(OfClasses, NetworkEstimator):
    """A network classifier, trained by evolution, optionally on the metric itself.

    Parameters
    ----------
    preset : str, optional
        Name of a preset, as for `genreg-np train --preset`; by default `tables` for rows, which is node perturbation -
        evolution that considers units and single samples -, and `nodes-small` for images.
    strategy : str, optional
        How to evolve, in place of `preset`: any that learns from arrays, which are node-perturbation (the default),
        evolution-strategy, genreg, cma-es, mixed, random-search and, for comparison, gradient; for images also
        detector-bank and genreg-2.
    fitness : str or callable, optional
        The metric to maximise: the name of a scikit-learn scorer for classes, such as "f1_macro"; a scorer of
        make_scorer, which gets the classes themselves, as in GridSearchCV; or a function fitness(y, scores) -> float,
        higher is better, of the indices (N,) of the true classes in `classes_` and the probabilities (N, K), both
        read-only, for example a cost matrix, or a score that allows abstention. The network first learns as without
        it, and is then evolved on this alone. A scorer or function is called twenty thousand times; names of scorers
        based on the confusion matrix, and neg_log_loss, are computed for whole populations. The names f1, precision,
        recall and jaccard mean the second of two classes, `classes_[1]`; make_scorer(f1_score, pos_label=...) any
        other. `score` remains the accuracy: pass `scoring` to GridSearchCV to choose by another metric.
    hidden_layer_sizes : sequence of int, or int, optional
        Units of each hidden layer; by default the preset's, which is 32 for rows and 64 for images.
    max_iter : int, optional
        Generations of learning; by default the preset's, which is 6000 for rows and 4000 for images.
    fitness_iter : int
        Generations of evolution on `fitness`.
    time_budget : float, optional
        Seconds in place of max_iter; with `fitness`, learning takes half of them, followed by as many generations on
        `fitness` as there is time for, at most fitness_iter.
    settings : mapping, optional
        Other settings of the strategy by name, as for `genreg-np train --set`.
    class_weight : mapping, "balanced" or None
        Weights of the classes during learning; `fitness` does not use them.
    early_stopping : bool
        Whether to hold out a part of the samples to choose the length of learning, and then learn again from all
        samples for that long.
    validation_fraction : float
        The fraction of each class to hold out.
    warm_start : bool
        Whether `fit` continues from the existing model, with the same classes, columns and words; nothing is held out
        then, and with `fitness` the first phase of learning is skipped.
    backend : str
        auto, cpu, numpy, numba or cupy.
    n_jobs : int, optional
        Threads; -1 for all. One by default, which suits fitting many estimators at a time; the result does not depend
        on it.
    random_state : int, RandomState or None
    verbose : bool
        Whether to print progress.
    run_folder : path, optional
        A new folder for the record of learning, for `genreg-np report`. Not for `cross_val_score` and the like, which
        fit many times.

    Attributes
    ----------
    model_ : Model
        The network, which can be saved, exported and run without scikit-learn. It takes raw rows; its `predict` returns
        indices in `classes_`.
    classes_ : (K,) ndarray
    n_iter_ : int
        Number of generations.
    loss_curve_ : list of float
        Loss of learning by generation, lower is better.
    fitness_curve_ : list of float
        Mean of `fitness` over the mutants of each generation.
    validation_scores_ : list of float
        Accuracies on the samples held out, one for each validation; empty if none were held out.
    n_features_in_ : int
    feature_names_in_ : (I,) ndarray of str
        Column names of a DataFrame.

    Notes
    -----
    `fit` takes no sample_weight; `class_weight` weighs whole classes.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from genreg_np import GenregClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> found = GenregClassifier(fitness="f1_macro", max_iter=500, random_state=0).fit(X, y)
    >>> found.predict(X[:3])
    array([0, 0, 0])
    """

    def __init__(
        self,
        preset: str | None = None,
        *,
        strategy: str | None = None,
        fitness: Fitness | None = None,
        hidden_layer_sizes: Sequence[int] | int | None = None,
        max_iter: int | None = None,
        fitness_iter: int = 200,
        time_budget: float | None = None,
        settings: Mapping[str, Any] | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.15,
        warm_start: bool = False,
        backend: str = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
        run_folder: Any = None,
    ) -> None:
        super().__init__(
            preset, strategy=strategy, fitness=fitness, hidden_layer_sizes=hidden_layer_sizes, max_iter=max_iter,
            fitness_iter=fitness_iter, time_budget=time_budget, settings=settings, early_stopping=early_stopping,
            validation_fraction=validation_fraction, warm_start=warm_start, backend=backend, n_jobs=n_jobs,
            random_state=random_state, verbose=verbose, run_folder=run_folder,
        )  # fmt: skip
        self.class_weight = class_weight

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each sample of X, (N, K)."""
        found: NDArray[np.float64] = softmax(self._answers(X))
        return found

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the logits of each class, (N, K); or, for two classes, the second minus the first, (N,)."""
        logits = self._answers(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of each sample of X, (N,)."""
        places = self._answers(X).argmax(axis=1)
        found: NDArray[Any] = self.classes_[places]
        return found

    def _weights(self, classes: Classes | None, labels: NDArray[Any]) -> NDArray[np.float64] | None:
        if self.class_weight is None:
            return None
        assert classes is not None
        return np.asarray(compute_sample_weight(self.class_weight, classes[labels]), np.float64)


class GenregRegressor(OfNumbers, NetworkEstimator):
    """A network that predicts numbers, trained by evolution, optionally on the metric itself.

    Parameters
    ----------
    preset : str, optional
        Name of a preset, as for `genreg-np train --preset`; by default `tables` for rows, `nodes-small` for images.
    strategy : str, optional
        How to evolve, in place of `preset`: any that predicts numbers, which are those of `GenregClassifier` without
        genreg-2.
    fitness : str or callable, optional
        The metric to maximise: the name of any scikit-learn scorer, such as "neg_median_absolute_error", a scorer of
        make_scorer, or a function fitness(y, predicted) -> float, higher is better, of two read-only arrays of numbers
        (N, K).
        Answers that a scorer refuses, such as negative ones of a deviance, rank last. The network first learns as
        without it, and is then evolved on this alone. A function is called thousands of times.
    hidden_layer_sizes : sequence of int, or int, optional
        Units of each hidden layer; by default the preset's, which is 32 for rows and 64 for images.
    max_iter : int, optional
        Generations of learning; by default the preset's, which is 6000 for rows and 4000 for images.
    fitness_iter : int
        Generations of evolution on `fitness`.
    time_budget : float, optional
        Seconds in place of max_iter; with `fitness`, learning takes half of them, followed by as many generations on
        `fitness` as there is time for, at most fitness_iter.
    settings : mapping, optional
        Other settings of the strategy by name, as for `genreg-np train --set`.
    early_stopping : bool
        Whether to hold out a part of the samples to choose the length of learning, and then learn again from all
        samples for that long.
    validation_fraction : float
        The fraction to hold out.
    warm_start : bool
        Whether `fit` continues from the existing model, with the same columns and words; nothing is held out then, and
        with `fitness` the first phase of learning is skipped.
    backend : str
        auto, cpu, numpy, numba or cupy.
    n_jobs : int, optional
        Threads; -1 for all. One by default, which suits fitting many estimators at a time; the result does not depend
        on it.
    random_state : int, RandomState or None
    verbose : bool
        Whether to print progress.
    run_folder : path, optional
        A new folder for the record of learning, for `genreg-np report`. Not for `cross_val_score` and the like, which
        fit many times.

    Attributes
    ----------
    model_ : Model
        The network, which can be saved, exported and run without scikit-learn. It takes raw rows.
    n_iter_ : int
        Number of generations.
    loss_curve_ : list of float
        Loss of learning by generation, lower is better.
    fitness_curve_ : list of float
        Mean of `fitness` over the mutants of each generation.
    validation_scores_ : list of float
        R2 on the samples held out, one for each validation; empty if none were held out.
    n_features_in_ : int
    feature_names_in_ : (I,) ndarray of str
        Column names of a DataFrame.

    Notes
    -----
    `fit` takes no sample_weight.
    """

    _of_several = True

    def __sklearn_tags__(self) -> Any:
        """Return the estimator's tags."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return a number for each sample of X, (N,); or several, (N, K)."""
        found = self._answers(X)
        return found[:, 0] if found.shape[1] == 1 else found
