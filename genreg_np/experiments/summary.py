"""Summaries over seeds: means, their confidence intervals, and those of differences.

mean of n seeds      +- t s / sqrt(n),  t the 97.5 % point of Student's distribution with n - 1 degrees of freedom
two means            the same for their paired differences, if both were measured with the same seeds

One seed has no interval. Shapes: n seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = Sequence[float] | NDArray[np.floating]


def interval(values: Numbers) -> float:
    """Return half the width of the 95 % confidence interval of the mean of values (n,); NaN for fewer than two."""
    from scipy.stats import t

    count = len(values)
    if count < 2:
        return math.nan
    return float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / math.sqrt(count))


def mean_text(values: Numbers, scale: float = 1.0, digits: int = 2) -> str:
    """Return e.g. "81.2 ± 0.5"; a dash for no values, the value alone for one."""
    if not len(values):
        return "-"
    mean, off = scale * float(np.mean(values)), scale * interval(values)
    return f"{mean:.{digits}f}" if math.isnan(off) else f"{mean:.{digits}f} ± {off:.{digits}f}"


def percent(values: Numbers, digits: int = 1) -> str:
    """Return the mean of shares (n,) in per cent, in the format of mean_text."""
    return mean_text(values, 100.0, digits)


def points(gaps: Numbers) -> str:
    """Return the mean of differences (n,) between shares in points, e.g. "+1.2 ± 0.5"; a dash for none."""
    if not len(gaps):
        return "-"
    off = 100 * interval(gaps)
    text = f"{100 * float(np.mean(gaps)):+.1f}"
    return text if math.isnan(off) else f"{text} ± {off:.1f}"


def exponent(sizes: Numbers, values: Numbers) -> float:
    """Return the exponent of a power law through points (n,): the slope of log values against log sizes."""
    return float(np.polyfit(np.log(np.asarray(sizes, float)), np.log(np.asarray(values, float)), 1)[0])
