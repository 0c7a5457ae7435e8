"""Targets that are numbers, standardised for training to mean 0 and deviation 1 in the training split.

    scaled = (t - offset) / scale,        t = scale * scaled + offset

A saved model ends with a layer that computes the second, so that predictions have the units of the data.

Shapes: N samples, K targets per sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import DataError

Float64 = NDArray[np.float64]
BLURRED = 0.01  # largest step between float32 values of a target, as a fraction of its deviation


@dataclass(frozen=True)
class Targets:
    """Names of K targets, and how they are scaled."""

    names: tuple[str, ...]
    offset: Float64  # (K,)
    scale: Float64  # (K,) above 0; 1 if all training samples are equal

    @classmethod
    def of(cls, names: Sequence[str], values: Float64) -> Targets:
        """Return the scaling for the training split's targets (N, K)."""
        deviation = values.std(axis=0)
        return cls(tuple(names), values.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def scaled(self, values: Float64) -> NDArray[np.float32]:
        """Return targets (N, K) scaled for training."""
        return ((values - self.offset) / self.scale).astype(np.float32)

    def unscaled(self, values: NDArray[np.floating]) -> Float64:
        """Return the outputs of networks (N, K) in the units of the data."""
        return values.astype(np.float64) * self.scale + self.offset

    def header(self) -> dict[str, Any]:
        """Return the targets for a model's header, as plain JSON values."""
        return {"names": list(self.names), "scale": self.scale.tolist(), "offset": self.offset.tolist()}

    @classmethod
    def read(cls, header: Mapping[str, Any]) -> Targets | None:
        """Return the targets in a model's header; None if there are none, or they are invalid."""
        values = header.get("values")
        if header.get("task") != "values" or not isinstance(values, dict):
            return None
        names, scale, offset = (values.get(key) for key in ("names", "scale", "offset"))
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            return None
        numbers = [value for value in (scale, offset) if isinstance(value, list) and len(value) == len(names)]
        if len(numbers) != 2 or any(type(one) not in (int, float) for value in numbers for one in value):
            return None
        found = cls(tuple(names), *(np.array(value, np.float64) for value in (offset, scale)))
        return found if np.isfinite(found.offset).all() and (found.scale > 0).all() else None


def check_spread(where: str, targets: Float64, names: Sequence[str]) -> None:
    """Refuse training targets (N, K) whose differences are lost in float32, the type of a model's outputs.

    Raises
    ------
    DataError
        Saying what to subtract.
    """
    steps = np.spacing(np.abs(targets).max(axis=0).astype(np.float32)).astype(np.float64)
    blurred = (targets.std(axis=0) > 0) & (steps > BLURRED * targets.std(axis=0))
    if blurred.any():
        k = int(blurred.argmax())
        raise DataError(
            f"{where}: float32 resolves targets {names[k]!r} only in steps of {steps[k]:g}: subtract "
            f"{np.median(targets[:, k]):.0f} from all of them"
        )


def check_targets(where: str, targets: NDArray[Any], names: Sequence[str]) -> None:
    """Refuse targets that are not (N, K) finite numbers that float32 can hold, one for each name.

    Raises
    ------
    DataError
        Naming the first that is not.
    """
    if targets.ndim != 2 or targets.dtype != np.float64 or targets.shape[1] != len(names):
        raise DataError(
            f"{where}: targets of shape {targets.shape} {targets.dtype}, but (samples, {len(names)}) float64 are needed"
        )
    usable = np.abs(targets) <= float(np.finfo(np.float32).max) / 2  # false for NaN
    if not usable.all():
        row, column = (int(places[0]) for places in np.nonzero(~usable))
        raise DataError(
            f"{where}: target {names[column]!r} of sample {row} is {targets[row, column]:g}; finite numbers are "
            "needed, within the range of float32"
        )
