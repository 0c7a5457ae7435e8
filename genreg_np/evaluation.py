"""How well a model predicts: accuracy, per class, and who is taken for whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import MOST_CLASSES
from genreg_np.errors import DataError


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
