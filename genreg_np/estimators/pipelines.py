"""Scikit-learn estimators whose `fit` searches for a pipeline.

    PipelineSearchClassifier(time_budget=60).fit(X, y).predict(new)

The pipeline is fitted to all rows in the end; `best_score_` is its score on folds that were not used to choose it. For
a score on unseen rows, hold some out, or use cross_val_score, as with any other estimator.

Shapes: N rows, I columns, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if

from genreg_np.data.labels import listed
from genreg_np.errors import UsageError
from genreg_np.estimators.checked import Classes, OfClasses, OfNumbers
from genreg_np.estimators.searching import PipelineEstimator, has_method
from genreg_np.search.choosing import FOLDS
from genreg_np.search.tabular.rows import Rows


class PipelineSearchClassifier(OfClasses, PipelineEstimator):
    """Finds a pipeline for classes: the preparation of columns, a model, and its settings.

    Parameters
    ----------
    metric : str, optional
        Name of any scikit-learn scorer; by default accuracy. f1, precision, recall, jaccard and average_precision are
        those of `positive`; scikit-learn's own are those of class 1.
    positive : object, optional
        Of two classes, the one that such metrics refer to; by default the second, `classes_[1]`.
    time_budget : float
        Seconds that a fit takes, approximately; ignored if `generations` is given.
    generations : int, optional
        Breed this many populations instead: the result is reproducible, for any number of jobs.
    models : str or sequence of str, optional
        Some of linear, svm, boosting, forest, neighbours, network; by default all.
    folds : int
        Folds of cross-validation.
    selection : str
        steady, crossover, elitist, differential or random.
    population : int
        Number of individuals.
    two_populations : bool
        Whether to breed column preparation and models separately.
    max_seconds : float, optional
        Longest time for one evaluation; by default a tenth of the budget. Enforced only with two or more jobs.
    n_jobs : int, optional
        Processes; -1 for one per core. One (the default) is this process, in which a fit cannot be killed. More are
        spawned, so a script needs `if __name__ == "__main__":`.
    random_state : int, RandomState or None
    folder : path, optional
        A folder for the record, for `genreg-np search explain` and `report`; an existing search of the same data and
        settings is continued. Not for `cross_val_score` and the like, which fit to other rows each time.

    Attributes
    ----------
    pipeline_ : Pipeline of scikit-learn
        Fitted to all rows. If `fit` had an array, it takes the same kind of array; for a DataFrame, the converted
        columns. It returns indices into `classes_`; with `positive`, 1 for that class and 0 for the other. For a
        network, an estimator with a `model_`.
    model_ : Model or None
        The model if the winner is a network of this package; it can be saved and exported.
    genome_ : dict
    best_score_, best_score_error_ : float
        Score on folds that were used only to choose among the best five and what is usual, and its standard error,
        corrected for folds that share rows. If there was no time for these (`new_folds_` is 0), score on the search's
        own folds, which is optimistic.
    beside_ : dict of str to float
        The same scores of the usual models, of these together, and of no model at all.
    trials_ : list of dict
        Each with genome, score and how it ended.
    ended_ : str
        generations, budget, or crashes if too many evaluations in a row crashed.
    classes_ : (K,) ndarray
    n_features_in_ : int
    feature_names_in_ : (I,) ndarray of str
        Column names of a DataFrame.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from genreg_np import PipelineSearchClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> found = PipelineSearchClassifier(generations=1, population=4, models="linear,svm", random_state=0).fit(X, y)
    >>> found.predict(X[:3])
    array([0, 0, 0])
    """

    def __init__(
        self,
        *,
        metric: str | None = None,
        positive: Any = None,
        time_budget: float | None = 60.0,
        generations: int | None = None,
        models: Sequence[str] | str | None = None,
        folds: int = FOLDS,
        selection: str = "steady",
        population: int = 24,
        two_populations: bool = False,
        max_seconds: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        folder: Any = None,
    ) -> None:
        super().__init__(
            metric=metric, time_budget=time_budget, generations=generations, models=models, folds=folds,
            selection=selection, population=population, two_populations=two_populations, max_seconds=max_seconds,
            n_jobs=n_jobs, random_state=random_state, folder=folder,
        )  # fmt: skip
        self.positive = positive

    score = PipelineEstimator.score  # by the metric, not the mixin's

    def _turned_rows(self, rows: Rows, classes: Classes | None) -> tuple[Rows, bool]:
        if self.positive is None:
            return rows, False
        assert classes is not None
        if len(classes) != 2 or self.positive not in classes.tolist():
            raise UsageError(
                f"positive = {self.positive!r} must be one of two classes, but y has {listed(rows.class_names)}"
            )
        place = classes.tolist().index(self.positive)
        return rows.with_positive(rows.class_names[place]), place == 0

    @available_if(has_method("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each row of X, (N, K).

        A support vector machine has none, unless the search's metric uses probabilities, such as neg_log_loss.
        """
        found = np.asarray(self.pipeline_.predict_proba(self._inputs(X)), np.float64)
        return found[:, ::-1] if self._turned else found

    @available_if(has_method("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the decision function of each class, (N, K), or of the second of two, (N,), if the pipeline has it."""
        found = np.asarray(self.pipeline_.decision_function(self._inputs(X)), np.float64)
        return found if not self._turned else -found if found.ndim == 1 else found[:, ::-1]

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of each row of X, (N,)."""
        places = super().predict(X)
        places = 1 - places if self._turned else places
        found: NDArray[Any] = self.classes_[places]
        return found


class PipelineSearchRegressor(OfNumbers, PipelineEstimator):
    """Finds a pipeline that predicts numbers: the preparation of columns, a model, and its settings.

    Parameters
    ----------
    metric : str, optional
        Name of any scikit-learn scorer; by default r2.
    time_budget : float
        Seconds that a fit takes, approximately; ignored if `generations` is given.
    generations : int, optional
        Breed this many populations instead: the result is reproducible, for any number of jobs.
    models : str or sequence of str, optional
        Some of linear, svm, boosting, forest, neighbours, network; by default all.
    folds : int
        Folds of cross-validation.
    selection : str
        steady, crossover, elitist, differential or random.
    population : int
        Number of individuals.
    two_populations : bool
        Whether to breed column preparation and models separately.
    max_seconds : float, optional
        Longest time for one evaluation; by default a tenth of the budget. Enforced only with two or more jobs.
    n_jobs : int, optional
        Processes; -1 for one per core. One (the default) is this process, in which a fit cannot be killed. More are
        spawned, so a script needs `if __name__ == "__main__":`.
    random_state : int, RandomState or None
    folder : path, optional
        A folder for the record, for `genreg-np search explain` and `report`; an existing search of the same data and
        settings is continued. Not for `cross_val_score` and the like, which fit to other rows each time.

    Attributes
    ----------
    pipeline_ : Pipeline of scikit-learn
        Fitted to all rows. If `fit` had an array, it takes the same kind of array; for a DataFrame, the converted
        columns. For a network, an estimator with a `model_`.
    model_ : Model or None
        The model if the winner is a network of this package; it can be saved and exported.
    genome_ : dict
    best_score_, best_score_error_ : float
        As for `PipelineSearchClassifier`.
    beside_ : dict of str to float
        The same scores of the usual models, of these together, and of no model at all.
    trials_ : list of dict
        Each with genome, score and how it ended.
    ended_ : str
        generations, budget, or crashes if too many evaluations in a row crashed.
    n_features_in_ : int
    feature_names_in_ : (I,) ndarray of str
        Column names of a DataFrame.
    """

    score = PipelineEstimator.score
