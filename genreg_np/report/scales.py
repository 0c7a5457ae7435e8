"""The axis for scores of any size: linear if that shows the values that matter, else the first alternative that does.

The values that matter, such as a line of best scores, may take up a hundredth of the picture, or approach 0 by powers
of ten. Then the axis is

    logarithmic     for positive numbers
    symlog          logarithmic on both sides of 0, and linear from -threshold to threshold (Webber 2013), for others
    cut             linear, without the part below the values that matter
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINEAR, LOGARITHMIC, SYMLOG = "linear", "log", "symlog"
LEAST = 0.25  # of the height, which the values that matter must take
DECADES = 3  # that they may span on a linear axis
NEAREST = 1e-9  # of the largest number: closest approach of a logarithmic axis to 0
MARGIN = 0.05  # above the highest number
SMALLEST = 1e-300  # number with an accurate logarithm
FEW = 3  # powers of ten up to which labels are drawn in between
ROOM = 1.0  # of the range that matters, shown below it if the axis is cut


@dataclass(frozen=True)
class Scale:
    """An axis."""

    kind: str
    threshold: float = 1.0  # of symlog
    decades: float = 0.0  # of the logarithmic kinds
    cut: tuple[float, float] | None = None  # the lowest and highest number shown, if not all are

    @property
    def words(self) -> str:
        """A sentence on how to read it, or ""."""
        if self.cut is not None:
            return "Values below the picture are cut off."
        if self.kind == LINEAR:
            return ""
        return f"The axis uses powers of ten{', except near 0' if self.kind == SYMLOG else ''}."

    def put_on(self, panel: Any) -> None:
        """Apply this axis to a panel."""
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, SymmetricalLogLocator

        if self.cut is not None:
            panel.set_ylim(*self.cut)
        if self.kind == LINEAR:
            return
        names = (1.0, 2.0, 5.0) if self.decades <= FEW else (1.0,)
        if self.kind == SYMLOG:
            panel.set_yscale("symlog", linthresh=self.threshold)
            panel.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=self.threshold, subs=names))
        else:
            panel.set_yscale("log")
            panel.yaxis.set_major_locator(LogLocator(base=10, subs=names))
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def scale_of(values: Sequence[float], matters: Sequence[float]) -> Scale:
    """Return the axis for some values.

    Parameters
    ----------
    values : sequence of float
        All values drawn, finite, at least one.
    matters : sequence of float
        Those that must be seen well, at least one.
    """
    all_, inner = np.asarray(values, np.float64), np.asarray(matters, np.float64)
    sizes = np.abs(inner[inner != 0])
    one_sided = len(sizes) > 0 and bool((inner >= 0).all() or (inner <= 0).all())
    if _height(inner, all_) >= LEAST and not (one_sided and sizes.max() > 10**DECADES * sizes.min()):
        return Scale(LINEAR)
    largest = float(np.abs(all_).max())
    if len(sizes):
        nearest = max(float(sizes.min() if one_sided else sizes.max()), NEAREST * largest, SMALLEST)
        threshold = 10.0 ** math.floor(math.log10(nearest))  # the place of a label
        decades = math.log10(largest) - math.log10(threshold)
        bent = [np.sign(part) * np.log1p(np.abs(part) / threshold) for part in (inner, all_)]
        if _height(*bent) >= LEAST:
            return Scale(LOGARITHMIC if (all_ > 0).all() else SYMLOG, threshold, decades)
    low, high, top = float(inner.min()), float(inner.max()), float(all_.max())
    bottom = low - ROOM * (high - low)
    if not (low < high and all_.min() < bottom):
        return Scale(LINEAR)
    return Scale(LINEAR, cut=(bottom, top + MARGIN * (top - bottom)))


def _height(inner: NDArray[np.float64], all_: NDArray[np.float64]) -> float:
    """Return the share of the height of all that some take; 1 if they are a single number, which no axis spreads."""
    some, whole = np.ptp(inner / 2), np.ptp(all_ / 2)  # halves: their difference cannot overflow
    return float(some / whole) if some > 0 and whole > 0 else 1.0
