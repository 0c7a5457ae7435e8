"""What is recorded at a look at the validation split beside accuracy, for the page that `genreg-np report` makes.

    class_accuracy       fraction of each class that the first champion predicts right, of at most a hundred; those of
                         others have their name before it, as in consensus_class_accuracy
    mean_weight          mean of |w| over the first champion's genes
    largest_weight       the largest
    survivor_distance    of strategies that keep survivors: the root mean square distance of two of them, by genes
    trust_deviation      and the standard deviation of their trust

A line of metrics.jsonl grows by 100 bytes, and nine for each class and champion, only where there was a look.

Shapes: S survivors, D genes, N images, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.base import Array, Float32, on_host

MOST_CLASSES = 100
MOST_GENES = 4096  # that a distance is measured by: evenly spread, and scaled to all
DIGITS = 4  # of what is recorded


def class_facts(right: NDArray[np.bool_], labels: NDArray[np.int64], classes: int, whose: str = "") -> dict[str, Any]:
    """Return how much of each of K classes a champion predicts right; nothing of more than a hundred.

    Parameters
    ----------
    right : (N,) bool
        Which images it predicts right.
    labels : (N,) int64
    classes : int
        K.
    whose : str
        What comes before the name: the champion's, of all but the first.
    """
    if classes > MOST_CLASSES:
        return {}
    count, hits = (np.bincount(which, minlength=classes) for which in (labels, labels[right]))
    shares = [round(float(hit / all_), DIGITS) if all_ else None for hit, all_ in zip(hits, count, strict=True)]
    return {f"{whose}class_accuracy": shares}


def weight_facts(genes: Float32) -> dict[str, Any]:
    """Return how large the genes (D,) of a champion are."""
    sizes = np.abs(genes)
    return {"mean_weight": _rounded(sizes.mean(dtype=np.float64)), "largest_weight": _rounded(sizes.max())}


def kin_facts(survivors: Array | None, trust: NDArray[np.float64] | None) -> dict[str, Any]:
    """Return what there is to record of S survivors (S, D), where a strategy has any, and of their trust (S,)."""
    found: dict[str, Any] = {}
    if survivors is not None and len(survivors) > 1:
        found["survivor_distance"] = distance_of(survivors)
    if trust is not None and len(trust) > 1:
        found["trust_deviation"] = _rounded(trust.std())
    return found


def distance_of(survivors: Array) -> float | None:
    """Return the root mean square distance of two of S survivors (S, D), two or more; None where it is no number.

    The mean square of the distance of two of S points is twice their variance, summed over genes, by S / (S - 1).
    """
    genes = survivors.shape[1]
    some = survivors[:, :: -(-genes // MOST_GENES)]
    variances = some.var(axis=0, ddof=1, dtype=np.float64).sum(axis=0, keepdims=True)
    return _rounded(np.sqrt(2 * on_host(variances)[0] * genes / some.shape[1]))


def _rounded(value: Any) -> float | None:
    """Return a number with a few significant digits, as JSON has it; None for one that is not finite."""
    return float(f"{float(value):.{DIGITS}g}") if np.isfinite(value) else None
