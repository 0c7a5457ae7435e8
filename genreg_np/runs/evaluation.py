"""How well a model predicts: accuracy, per class, and who is taken for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import MOST_CLASSES
from genreg_np.errors import DataError, UsageError

if TYPE_CHECKING:
    from genreg_np.backends.base import Backend
    from genreg_np.data.dataset import Dataset
    from genreg_np.model import Network


@dataclass(frozen=True)
class Evaluation:
    """Counts of predictions on one split; K classes."""

    confusion: NDArray[np.int64]  # (K, K), rows true classes, columns predicted ones

    @classmethod
    def of(cls, predicted: NDArray[np.integer], labels: NDArray[np.integer], classes: int) -> Evaluation:
        """Count predictions (N,) against labels (N,).

        Raises
        ------
        DataError
            For more than 4,096 classes, whose square takes too much memory.
        """
        if classes > MOST_CLASSES:
            raise DataError(f"{classes:,} classes: who is taken for whom is counted for {MOST_CLASSES:,} at most")
        pairs = np.bincount(labels * classes + predicted, minlength=classes * classes)
        return cls(pairs.reshape(classes, classes))

    @property
    def n(self) -> int:
        """Number of inputs."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Fraction predicted right; NaN of no inputs."""
        return float(self.confusion.trace() / self.n) if self.n else float("nan")

    @property
    def per_class(self) -> list[float | None]:
        """Fraction of each class predicted right; None for a class without inputs."""
        totals = self.confusion.sum(axis=1)
        return [
            float(right / total) if total else None
            for right, total in zip(self.confusion.diagonal(), totals, strict=True)
        ]


class Looks:
    """Looks at the splits of a dataset through a network; a split's features are made once.

    Parameters
    ----------
    dataset : Dataset or None
    network : Network
    backend : Backend
    """

    def __init__(self, dataset: Dataset | None, network: Network, backend: Backend) -> None:
        self._dataset, self._network, self._backend = dataset, network, backend
        self._features: dict[str, Any] = {}  # of each split looked at, the backend's

    def predict(self, genes: NDArray[np.float32], split: str) -> NDArray[np.int64]:
        """Return the predicted classes (N,) of a genome (D,), the same for any number of threads."""
        classes: NDArray[np.int64] = self._backend.logits(self._network, genes, self.features(split)).argmax(axis=1)
        return classes

    def features(self, split: str) -> Any:
        """Return what the first learning layer sees of a split, (N, I), where the backend computes."""
        if split not in self._features:
            dataset = self._known()
            features = self._backend.features(self._network, dataset.split(split).inputs, dataset.input_range)
            self._features[split] = self._backend.to_device(features)
        return self._features[split]

    def right(self, genes: NDArray[np.float32], split: str) -> NDArray[np.bool_]:
        """Return which inputs (N,) a genome (D,) predicts right."""
        found: NDArray[np.bool_] = self.predict(genes, split) == self._known().split(split).labels
        return found

    def accuracy(self, genes: NDArray[np.float32], split: str) -> float:
        """Return the fraction that a genome (D,) predicts right."""
        return float(np.mean(self.right(genes, split)))

    def _known(self) -> Dataset:
        if self._dataset is None:
            raise UsageError("this evolution has no dataset to predict")
        return self._dataset
