"""Further values recorded at each validation besides accuracy, for the page of `genreg-np report`.

    class_accuracy       fraction of each class that the first champion predicts correctly, for at most a hundred
                         classes; other champions have their name as a prefix, as in consensus_class_accuracy
    mean_weight          mean of |w| over the first champion's genes
    largest_weight       largest |w|
    survivor_distance    root mean square distance between the genes of two survivors, if the strategy keeps some
    trust_deviation      standard deviation of their trust

With a validation, a line of metrics.jsonl grows by 100 bytes, and by nine for each class and champion.

Shapes: S survivors, D genes, N images, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.base import Array, Float32, on_host

MOST_CLASSES = 100
MOST_GENES = 4096  # used to measure a distance: evenly spaced, and scaled up to all
DIGITS = 4  # of recorded values


def class_facts(right: NDArray[np.bool_], labels: NDArray[np.int64], classes: int, whose: str = "") -> dict[str, Any]:
    """Return the fraction of each of K classes that a champion predicts correctly; {} for more than a hundred classes.

    Parameters
    ----------
    right : (N,) bool
        Which images it predicts correctly.
    labels : (N,) int64
    classes : int
        K.
    whose : str
        Prefix of the name: the champion's name, or "" for the first.
    """
    if classes > MOST_CLASSES:
        return {}
    count, hits = (np.bincount(which, minlength=classes) for which in (labels, labels[right]))
    shares = [round(float(hit / all_), DIGITS) if all_ else None for hit, all_ in zip(hits, count, strict=True)]
    return {f"{whose}class_accuracy": shares}


def weight_facts(genes: Float32) -> dict[str, Any]:
    """Return the mean and the largest magnitude of a champion's genes (D,)."""
    sizes = np.abs(genes)
    return {"mean_weight": _rounded(sizes.mean(dtype=np.float64)), "largest_weight": _rounded(sizes.max())}


def kin_facts(survivors: Array | None, trust: NDArray[np.float64] | None) -> dict[str, Any]:
    """Return the entries for S survivors (S, D) and their trust (S,), if the strategy has them."""
    found: dict[str, Any] = {}
    if survivors is not None and len(survivors) > 1:
        found["survivor_distance"] = distance_of(survivors)
    if trust is not None and len(trust) > 1:
        found["trust_deviation"] = _rounded(trust.std())
    return found


def distance_of(survivors: Array) -> float | None:
    """Return the root mean square distance between two of S survivors (S, D), S >= 2; None if it is not finite.

    The mean square distance between two of S points is twice their variance, summed over genes, times S / (S - 1).
    """
    genes = survivors.shape[1]
    some = survivors[:, :: -(-genes // MOST_GENES)]
    variances = some.var(axis=0, ddof=1, dtype=np.float64).sum(axis=0, keepdims=True)
    return _rounded(np.sqrt(2 * on_host(variances)[0] * genes / some.shape[1]))


def _rounded(value: Any) -> float | None:
    """Return a number rounded to a few significant digits, or None if it is not finite."""
    return float(f"{float(value):.{DIGITS}g}") if np.isfinite(value) else None
