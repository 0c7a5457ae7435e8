"""One split of a dataset, and which labels are classes.

Shapes: inputs (N, *input_shape), labels (N,) int64 in 0 .. K-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.quantities import quantity
from genreg_np.errors import DataError

MOST_CLASSES = 4096  # whoever is taken for whom is counted in a square of them: 128 MiB
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Inputs with one label each; `len` is how many.

    Parameters
    ----------
    inputs : (N, *input_shape) ndarray
        Whole numbers such as uint8 pixels, or float32 features.
    labels : (N,) int64 ndarray
        The class of each, 0 .. K-1.
    """

    inputs: NDArray[np.generic]
    labels: NDArray[np.int64]

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


def check_classes(name: str, class_names: Sequence[str], counts: NDArray[np.int64]) -> None:
    """Refuse labels that are a quantity, or more classes than can be told apart.

    Parameters
    ----------
    name : str
        What the error calls the dataset.
    class_names : sequence of str
        K names.
    counts : (K,) int64
        Samples of each class.

    Raises
    ------
    DataError
        For such labels.
    """
    if found := quantity(class_names, counts):
        raise DataError(
            f"{name}: the labels look like a quantity, not like classes ({found}): predicting numbers is not supported "
            "yet; name the column of classes with --label, or make them classes by writing words (low, high)"
        )
    if len(class_names) > MOST_CLASSES:
        raise DataError(f"{name}: {len(class_names):,} classes; no more than {MOST_CLASSES:,} are told apart")
