"""Evaluation of predicted numbers: R2, root mean squared and mean absolute error, with a baseline's errors.

    R2 = 1 - sum (t - p)^2 / sum (t - mean t)^2

for N targets t and predictions p, with the mean of the same targets. If all targets are equal, R2 is 1 if they are
predicted exactly, otherwise 0, as in scikit-learn. The baseline always predicts the training split's mean.

Shapes: N samples, K numbers of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.fitness import explained

Float64 = NDArray[np.float64]


def r_squared(predicted: NDArray[Any], targets: Float64) -> Float64:
    """Return R2 of each number, (K,), from predictions and targets (N, K); -1e6 if it is less, or NaN."""
    with np.errstate(all="ignore"):
        errors = np.square(targets - predicted).sum(axis=0)
        spread = np.square(targets - targets.mean(axis=0)).sum(axis=0)
        share = np.where(spread > 0, errors / np.where(spread > 0, spread, 1.0), np.where(errors == 0, 0.0, 1.0))
    return explained(share)


@dataclass(frozen=True)
class NumberEvaluation:
    """Errors of predictions on one split, for K numbers."""

    names: tuple[str, ...]
    n: int
    r2: Float64  # (K,)
    rmse: Float64  # (K,) in the units of each
    mae: Float64  # (K,)
    mean_rmse: Float64  # (K,) of the baseline
    mean_mae: Float64  # (K,)

    @classmethod
    def of(cls, predicted: NDArray[Any], targets: Float64, names: tuple[str, ...], mean: Float64) -> NumberEvaluation:
        """Compare predictions (N, K), and the training split's mean (K,), with targets (N, K)."""
        with np.errstate(all="ignore"):
            errors, plain = targets - predicted, targets - mean
            rmse, mean_rmse = (np.sqrt(np.square(one).mean(axis=0)) for one in (errors, plain))
            mae, mean_mae = (np.abs(one).mean(axis=0) for one in (errors, plain))
        return cls(names, len(targets), r_squared(predicted, targets), rmse, mae, mean_rmse, mean_mae)

    @property
    def score(self) -> float:
        """The mean of all R2, by which runs are judged."""
        return float(self.r2.mean())

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; errors that are not finite become None."""
        each = {
            name: {
                "r2": float(self.r2[k]),
                **{kind: _finite(getattr(self, kind)[k]) for kind in ("rmse", "mae", "mean_rmse", "mean_mae")},
            }
            for k, name in enumerate(self.names)
        }
        return {"r2": self.score, "n": self.n, "values": each}


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
