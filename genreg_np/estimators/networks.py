"""Estimators of scikit-learn that train a network by evolution, on any score.

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
from genreg_np.estimators.training import NetworkEstimator


class GenregClassifier(OfClasses, NetworkEstimator):
    """A network that tells classes."""

    def __init__(
        self,
        preset: str | None = None,
        *,
        strategy: str | None = None,
        hidden_layer_sizes: Sequence[int] | int | None = None,
        max_iter: int | None = None,
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
            preset, strategy=strategy, hidden_layer_sizes=hidden_layer_sizes, max_iter=max_iter,
            time_budget=time_budget, settings=settings, early_stopping=early_stopping,
            validation_fraction=validation_fraction, warm_start=warm_start, backend=backend, n_jobs=n_jobs,
            random_state=random_state, verbose=verbose, run_folder=run_folder,
        )  # fmt: skip
        self.class_weight = class_weight

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class for each sample of X, (N, K)."""
        found: NDArray[np.float64] = softmax(self._answers(X))
        return found

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return how much speaks for each class, (N, K): logits; or for the second of two, (N,)."""
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
    """A network that predicts numbers."""

    _of_several = True

    def __sklearn_tags__(self) -> Any:
        """Return what it can do."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return a number for each sample of X, (N,); or several, (N, K)."""
        found = self._answers(X)
        return found[:, 0] if found.shape[1] == 1 else found
