"""Evaluation of a model's predictions: accuracy, in all and per class, and confusions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import MOST_CLASSES
from genreg_np.errors import DataError, UsageError
from genreg_np.runs.numbers import NumberEvaluation, r_squared

if TYPE_CHECKING:
    from genreg_np.backends.base import Backend
    from genreg_np.data.dataset import Dataset
    from genreg_np.model import Network


@dataclass(frozen=True)
class Evaluation:
    """Counts of predictions on one split, for K classes."""

    confusion: NDArray[np.int64]  # (K, K), rows true classes, columns predicted ones

    @classmethod
    def of(cls, predicted: NDArray[np.integer], labels: NDArray[np.integer], classes: int) -> Evaluation:
        """Count predictions (N,) against labels (N,).

        Raises
        ------
        DataError
            For more than 4,096 classes, whose confusion matrix would take too much memory.
        """
        if classes > MOST_CLASSES:
            raise DataError(f"{classes:,} classes: a confusion matrix is computed for {MOST_CLASSES:,} at most")
        pairs = np.bincount(labels * classes + predicted, minlength=classes * classes)
        return cls(pairs.reshape(classes, classes))

    @property
    def n(self) -> int:
        """Number of inputs."""
        return int(self.confusion.sum())

    @property
    def score(self) -> float:
        """The accuracy, by which runs are judged."""
        return self.accuracy

    @property
    def accuracy(self) -> float:
        """Fraction predicted correctly; NaN without inputs."""
        return float(self.confusion.trace() / self.n) if self.n else float("nan")

    @property
    def per_class(self) -> list[float | None]:
        """Fraction of each class predicted correctly; None for a class without inputs."""
        totals = self.confusion.sum(axis=1)
        return [
            float(right / total) if total else None
            for right, total in zip(self.confusion.diagonal(), totals, strict=True)
        ]


@dataclass(frozen=True)
class Look:
    """The result of predicting a split."""

    score: float  # accuracy, or mean R2 for numbers
    right: NDArray[np.bool_] | None = None  # (N,) which inputs are predicted correctly; None for numbers


class Looks:
    """Evaluates genomes of a network on the splits of a dataset; a split's features are computed once.

    Parameters
    ----------
    dataset : Dataset or None
    network : Network
    backend : Backend
    """

    def __init__(self, dataset: Dataset | None, network: Network, backend: Backend) -> None:
        self._dataset, self._network, self._backend = dataset, network, backend
        self._features: dict[str, Any] = {}  # of each split used so far, as the backend's arrays

    def predict(self, genes: NDArray[np.float32], split: str) -> NDArray[Any]:
        """Return a genome's (D,) predictions, equal for any number of threads: classes (N,), or numbers (N, K)."""
        logits = self._backend.logits(self._network, genes, self.features(split))
        if self._known().of_numbers:
            return self._known().targets.unscaled(logits)
        classes: NDArray[np.int64] = logits.argmax(axis=1)
        return classes

    def features(self, split: str) -> Any:
        """Return the inputs of the first learning layer for a split, (N, I), on the backend's device."""
        if split not in self._features:
            dataset = self._known()
            features = self._backend.features(self._network, dataset.split(split).inputs, dataset.input_range)
            self._features[split] = self._backend.to_device(features)
        return self._features[split]

    def look(self, genes: NDArray[np.float32], split: str) -> Look:
        """Return the result of predicting a split with a genome (D,)."""
        labels, predicted = self._known().split(split).labels, self.predict(genes, split)
        if self._known().of_numbers:
            return Look(float(r_squared(predicted, labels).mean()))
        right = predicted == labels
        return Look(float(np.mean(right)), right)

    def evaluation(self, genes: NDArray[np.float32], split: str) -> Evaluation | NumberEvaluation:
        """Return the full evaluation of a genome (D,) on a split."""
        dataset = self._known()
        predicted, labels = self.predict(genes, split), dataset.split(split).labels
        if dataset.of_numbers:
            return NumberEvaluation.of(predicted, labels, dataset.value_names, dataset.train.labels.mean(axis=0))
        return Evaluation.of(predicted, labels, len(dataset.class_names))

    def _known(self) -> Dataset:
        if self._dataset is None:
            raise UsageError("this evolution has no dataset to predict")
        return self._dataset
