"""One split of a dataset, and which labels are classes.

Shapes: inputs (N, *input_shape), labels (N,) int64 in 0 .. K-1, or (N, K) float64 numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import DataError

MOST_CLASSES = 4096  # whoever is taken for whom is counted in a square of them: 128 MiB
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Inputs with one label each; `len` is how many.

    Parameters
    ----------
    inputs : (N, *input_shape) ndarray
        Whole numbers such as uint8 pixels, or float32 features; of a table NaN where a value is missing.
    labels : (N,) int64 or (N, K) float64 ndarray
        The class of each, 0 .. K-1; or K numbers to predict.
    weights : (N,) float64 ndarray, optional
        How much each counts in training; by default all alike.
    """

    inputs: NDArray[np.generic]
    labels: NDArray[Any]
    weights: NDArray[np.float64] | None = None

    def of(self, some: NDArray[np.integer]) -> Split:
        """Return some of the samples, by their numbers (N,)."""
        return Split(self.inputs[some], self.labels[some], None if self.weights is None else self.weights[some])

    def with_(self, more: Split) -> Split:
        """Return these samples and more of their kind; where only some have weights, the others count 1."""
        both = (self, more)
        weights = None
        if self.weights is not None or more.weights is not None:
            weights = np.concatenate([np.ones(len(one)) if one.weights is None else one.weights for one in both])
        inputs, labels = (np.concatenate([getattr(one, name) for one in both]) for name in ("inputs", "labels"))
        return Split(inputs, labels, weights)

    def __repr__(self) -> str:
        return f"Split(inputs {self.inputs.shape} {self.inputs.dtype}, labels {self.labels.shape})"

    def __len__(self) -> int:
        return len(self.labels)


def check_labels(where: str, labels: NDArray[np.int64], classes: int) -> None:
    """Refuse labels (N,) that are not 0 .. classes - 1.

    Raises
    ------
    DataError
        With what they run from and to.
    """
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise DataError(
            f"{where}: labels run from {labels.min()} to {labels.max()}, but there are {classes} classes "
            f"(labels 0 to {classes - 1})"
        )


def check_classes(name: str, class_names: Sequence[str]) -> None:
    """Refuse more classes than can be told apart.

    Raises
    ------
    DataError
        With how many there are.
    """
    if len(class_names) > MOST_CLASSES:
        raise DataError(f"{name}: {len(class_names):,} classes; no more than {MOST_CLASSES:,} are told apart")
