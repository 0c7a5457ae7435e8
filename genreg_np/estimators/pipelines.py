"""Estimators of scikit-learn that search for a pipeline when they are fitted.

    PipelineSearchClassifier(time_budget=60).fit(X, y).predict(new)

What they find is fitted to all rows in the end; how good it is, `best_score_` says by folds that it was not chosen by.
Whoever wants a score by rows that nothing has seen keeps some, or takes cross_val_score, as of any other estimator.

Shapes: N rows, I columns, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if

from genreg_np.estimators.checked import OfClasses, OfNumbers
from genreg_np.estimators.searching import PipelineEstimator, has_method


class PipelineSearchClassifier(OfClasses, PipelineEstimator):
    """Finds a pipeline that tells classes: how columns are made ready, a model, and its settings.

    Parameters
    ----------
    metric : str, optional
        Any scorer of scikit-learn by its name; by default accuracy.
    time_budget : float
        Seconds that a fit takes, about; of no account where `generations` is given.
    generations : int, optional
        Breed so many populations instead: the same result each time, and for any number of jobs.
    models : str or sequence of str, optional
        Of linear, svm, boosting, forest, neighbours, network; by default all of them.
    folds : int
        Of cross-validation.
    selection : str
        steady, crossover, elitist, differential or random.
    population : int
        Individuals.
    two_populations : bool
        Whether what is done with columns and models are bred apart.
    max_seconds : float, optional
        That one may take at a time; by default a tenth of the budget. Held to with two jobs and more.
    n_jobs : int, optional
        Processes; -1 for one a core. One (the default) is this process, which nobody can kill a fit in. More are
        spawned, so that a script needs `if __name__ == "__main__":`.
    random_state : int, RandomState or None
    folder : path, optional
        Where the record is kept, for `genreg-np search explain` and `report`; one of the same data and settings that
        is there goes on. Not for `cross_val_score` and the like, which fit to other rows each time.

    Attributes
    ----------
    pipeline_ : Pipeline of scikit-learn
        Fitted to all rows. Of an array it takes the same array, of a DataFrame what its columns become; it answers with
        the places of classes in `classes_`. Of a network an estimator that has a `model_`.
    model_ : Model or None
        Where the winner is a network of this project: it can be saved and exported.
    genome_ : dict
    best_score_, best_score_error_ : float
        By folds that the winner was not chosen by among all, but once among five; and its standard error. Where
        there was no time for any (`new_folds_` is 0), of the search's own folds, which flatters.
    beside_ : dict of str to float
        The same of what is usual, and of no model at all.
    trials_ : list of dict
        Each with genome, score and what ended it.
    ended_ : str
        generations or budget.
    classes_ : (K,) ndarray
    n_features_in_ : int
    feature_names_in_ : (I,) ndarray of str
        Of a DataFrame.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from genreg_np import PipelineSearchClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> found = PipelineSearchClassifier(generations=1, population=4, models="linear,svm", random_state=0).fit(X, y)
    >>> found.predict(X[:3])
    array([0, 0, 0])
    """

    score = PipelineEstimator.score  # by the metric, not the mixin's

    @available_if(has_method("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each row of X, (N, K).

        There is none of a support vector machine, unless it was searched by a metric that goes by probabilities, such
        as neg_log_loss.
        """
        return np.asarray(self.pipeline_.predict_proba(self._inputs(X)), np.float64)

    @available_if(has_method("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return how much speaks for each class, (N, K), or for the second of two, (N,), where the pipeline tells."""
        return np.asarray(self.pipeline_.decision_function(self._inputs(X)), np.float64)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of each row of X, (N,)."""
        places = super().predict(X)
        found: NDArray[Any] = self.classes_[places]
        return found


class PipelineSearchRegressor(OfNumbers, PipelineEstimator):
    """Finds a pipeline that predicts numbers: how columns are made ready, a model, and its settings.

    Parameters
    ----------
    metric : str, optional
        Any scorer of scikit-learn by its name; by default r2.
    time_budget : float
        Seconds that a fit takes, about; of no account where `generations` is given.
    generations : int, optional
        Breed so many populations instead: the same result each time, and for any number of jobs.
    models : str or sequence of str, optional
        Of linear, svm, boosting, forest, neighbours, network; by default all of them.
    folds : int
        Of cross-validation.
    selection : str
        steady, crossover, elitist, differential or random.
    population : int
        Individuals.
    two_populations : bool
        Whether what is done with columns and models are bred apart.
    max_seconds : float, optional
        That one may take at a time; by default a tenth of the budget. Held to with two jobs and more.
    n_jobs : int, optional
        Processes; -1 for one a core. One (the default) is this process, which nobody can kill a fit in. More are
        spawned, so that a script needs `if __name__ == "__main__":`.
    random_state : int, RandomState or None
    folder : path, optional
        Where the record is kept, for `genreg-np search explain` and `report`; one of the same data and settings that
        is there goes on. Not for `cross_val_score` and the like, which fit to other rows each time.

    Attributes are those of `PipelineSearchClassifier`, but for those of classes.
    """

    score = PipelineEstimator.score
