"""One split of a dataset, and checks of its labels.

Shapes: inputs (N, *input_shape), labels (N,) int64 in 0 .. K-1, or (N, K) float64 numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import DataError

MOST_CLASSES = 4096  # their confusion matrix takes 128 MiB
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Inputs with one label each; `len` is the number of samples.

    Parameters
    ----------
    inputs : (N, *input_shape) ndarray
        Whole numbers such as uint8 pixels, or float32 features; NaN where a value of a table is missing.
    labels : (N,) int64 or (N, K) float64 ndarray
        The class of each sample, 0 .. K-1; or K numbers to predict.
    weights : (N,) float64 ndarray, optional
        How much each sample counts in training; by default all count the same.
    """

    inputs: NDArray[np.generic]
    labels: NDArray[Any]
    weights: NDArray[np.float64] | None = None

    def of(self, some: NDArray[np.integer]) -> Split:
        """Return some of the samples, by their indices (N,)."""
        return Split(self.inputs[some], self.labels[some], None if self.weights is None else self.weights[some])

    def with_(self, more: Split) -> Split:
        """Return these samples followed by others of their kind; if only some have weights, the others count 1."""
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
        With the range of the labels.
    """
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        raise DataError(
            f"{where}: labels run from {labels.min()} to {labels.max()}, but there are {classes} classes "
            f"(labels 0 to {classes - 1})"
        )


def check_classes(name: str, class_names: Sequence[str]) -> None:
    """Refuse more than MOST_CLASSES classes.

    Raises
    ------
    DataError
        With the number of classes.
    """
    if len(class_names) > MOST_CLASSES:
        raise DataError(f"{name}: {len(class_names):,} classes; no more than {MOST_CLASSES:,} are supported")
