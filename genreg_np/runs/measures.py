"""Measures of class predictions.

    accuracy             fraction predicted correctly
    balanced-accuracy    mean recall of the classes
    precision            fraction of predictions of a class that are right; mean of the classes
    recall               fraction of inputs of a class that are predicted as it; mean of the classes
    f1                   2 p r / (p + r) of both; mean of the classes
    log-loss             mean of -log p(right class)
    roc-auc              probability that an input of a class has a higher p for it than another; mean of the classes
    majority             accuracy of always predicting the most frequent class

Means are over classes that occur or are predicted; for roc-auc, over classes that occur but do not make up all inputs.

Shapes: N inputs, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.runs.evaluation import Evaluation

Z = 1.959964  # 95 % of a normal distribution lie within this many standard deviations of the mean
LEAST = -35.0  # lower limit of log p, so that a single confident error does not decide everything


def interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share of `count` (Wilson 1927)."""
    middle, spread = share + Z**2 / (2 * count), Z * math.sqrt(share * (1 - share) / count + (Z / (2 * count)) ** 2)
    return max(0.0, (middle - spread) / (1 + Z**2 / count)), min(1.0, (middle + spread) / (1 + Z**2 / count))


def of_each_class(confusion: NDArray[np.integer]) -> dict[str, NDArray[np.float64]]:
    """Return precision, recall and f1 of each class, (K,), 0 where undefined."""
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
    """Return all measures except roc-auc and majority from log p (N, K) and labels (N,).

    `also` adds a measure of a single class, such as f1:CLASS.
    """
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
    """Return the mean over classes of the area under the one-vs-rest ROC curve, or None if it is undefined.

    Computed from ranks (Mann & Whitney 1947), averaged over ties; for two classes both areas are equal.
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
    """Return the accuracy of always predicting the most frequent class."""
    return float(np.bincount(labels).max() / len(labels))
