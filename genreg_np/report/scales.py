"""The axis for scores, which may be of any size: linear where that shows what matters, else the first that does.

What matters, such as a line of best scores, may be a hundredth of what is drawn beside it, or come near to 0 by powers
of ten. Then the axis is

    logarithmic     of positive numbers
    symlog          logarithmic to both sides of 0, and linear from -threshold to threshold (Webber 2013), of others
    cut             linear, and what lies below what matters goes on outside of the picture
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINEAR, LOGARITHMIC, SYMLOG = "linear", "log", "symlog"
LEAST = 0.25  # of the height, that what matters must take
DECADES = 3  # that it may run through on a linear axis
NEAREST = 1e-9  # to 0, of the largest number, that an axis goes on a logarithm
MARGIN = 0.05  # above the highest number
SMALLEST = 1e-300  # that has a logarithm without loss
FEW = 3  # powers of ten between which there are names, too
ROOM = 1.0  # of what matters, that is shown below it where the axis is cut


@dataclass(frozen=True)
class Scale:
    """An axis."""

    kind: str
    threshold: float = 1.0  # of symlog
    decades: float = 0.0  # of both that are logarithmic
    cut: tuple[float, float] | None = None  # the lowest and the highest number that is shown, where not all are

    @property
    def words(self) -> str:
        """How it is to be read, in a sentence, or nothing where there is nothing to say."""
        if self.cut is not None:
            return "What is lower than the picture is cut off."
        if self.kind == LINEAR:
            return ""
        return f"The axis goes by powers of ten{', but next to 0' if self.kind == SYMLOG else ''}."

    def put_on(self, panel: Any) -> None:
        """Give a panel this axis."""
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
    """Return the axis for what is drawn.

    Parameters
    ----------
    values : sequence of float
        All that is drawn, finite, one or more.
    matters : sequence of float
        What of it must be seen, one or more.
    """
    all_, inner = np.asarray(values, np.float64), np.asarray(matters, np.float64)
    sizes = np.abs(inner[inner != 0])
    one_sided = len(sizes) > 0 and bool((inner >= 0).all() or (inner <= 0).all())
    if _height(inner, all_) >= LEAST and not (one_sided and sizes.max() > 10**DECADES * sizes.min()):
        return Scale(LINEAR)
    largest = float(np.abs(all_).max())
    if len(sizes):
        nearest = max(float(sizes.min() if one_sided else sizes.max()), NEAREST * largest, SMALLEST)
        threshold = 10.0 ** math.floor(math.log10(nearest))  # where a name stands
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
    """Return how much of the height of all is that of some; 1 where they are one number, which no axis spreads."""
    some, whole = np.ptp(inner / 2), np.ptp(all_ / 2)  # halves: their difference cannot overflow
    return float(some / whole) if some > 0 and whole > 0 else 1.0
