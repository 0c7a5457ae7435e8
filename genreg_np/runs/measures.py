"""What predictions of classes are measured by, beside accuracy.

    accuracy             fraction predicted right
    balanced-accuracy    mean of the classes' recall
    precision            of what is predicted as a class, the fraction that is; mean of the classes
    recall               of what is a class, the fraction predicted as it; mean of the classes
    f1                   2 p r / (p + r) of both; mean of the classes
    log-loss             mean of -log p(right class)
    roc-auc              how probably one of a class has a higher p of it than one of another; mean of the classes
    majority             accuracy of whoever always says the most frequent class

The mean over classes is that of those which occur, or are predicted; of roc-auc those which occur, but are not all.

Shapes: N inputs, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.runs.evaluation import Evaluation

Z = 1.959964  # standard deviations to each side that 95 % of a normal distribution lie within
LEAST = -35.0  # log p, so that one certain error does not decide everything


def interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of so many (Wilson 1927): what it may be, and not be chance alone."""
    middle, spread = share + Z**2 / (2 * count), Z * math.sqrt(share * (1 - share) / count + (Z / (2 * count)) ** 2)
    return max(0.0, (middle - spread) / (1 + Z**2 / count)), min(1.0, (middle + spread) / (1 + Z**2 / count))


def of_each_class(confusion: NDArray[np.integer]) -> dict[str, NDArray[np.float64]]:
    """Return precision, recall and f1 of each class, (K,), 0 where there is nothing to divide by."""
    counts = confusion.astype(np.float64)
    right, true, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return {
        "precision": right / np.maximum(1, predicted),
        "recall": right / np.maximum(1, true),
        "f1": 2 * right / np.maximum(1, true + predicted),
    }


def measures_of(
    log_probabilities: NDArray[np.floating], labels: NDArray[np.int64], class_names: Sequence[str], also: str = ""
) -> dict[str, float]:
    """Return all measures but roc-auc and majority of log p (N, K) and labels (N,); `also` one of a single class."""
    confusion = Evaluation.of(log_probabilities.argmax(axis=1), labels, len(class_names)).confusion
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    classes = of_each_class(confusion)
    occurs = true + predicted > 0
    own = np.maximum(log_probabilities[np.arange(len(labels)), labels].astype(np.float64), LEAST)
    found = {
        "accuracy": float(confusion.trace() / len(labels)),
        "balanced-accuracy": float(classes["recall"][true > 0].mean()),
        **{name: float(values[occurs].mean()) for name, values in classes.items()},
        "log-loss": float(-own.mean()),
    }
    name, colon, class_name = also.partition(":")
    if colon:
        found[also] = float(classes[name][list(class_names).index(class_name)])
    return found


def roc_auc(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float | None:
    """Return the mean over classes of the area under each one's curve against all others, None where there is none.

    By ranks (Mann & Whitney 1947), equal ones sharing theirs; of two classes both areas are the same.
    """
    areas = []
    for k in range(probabilities.shape[1]):
        of_class = labels == k
        count, others = int(of_class.sum()), int((~of_class).sum())
        if not count or not others:
            continue
        _, places, equal = np.unique(probabilities[:, k], return_inverse=True, return_counts=True)
        ranks = (np.cumsum(equal) - (equal - 1) / 2)[places]
        areas.append((ranks[of_class].sum() - count * (count + 1) / 2) / (count * others))
    return float(np.mean(areas)) if areas else None


def majority(labels: NDArray[np.int64]) -> float:
    """Return the accuracy of whoever always says the most frequent class."""
    return float(np.bincount(labels).max() / len(labels))
