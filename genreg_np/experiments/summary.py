"""Summaries over seeds: means, their confidence intervals, and those of differences.

mean of n seeds      +- t s / sqrt(n),  t the 97.5 % point of Student's distribution with n - 1 degrees of freedom
two means            the same for their paired differences, if both were measured with the same seeds

Fewer than three values are shown themselves: of two, the interval reaches 13 standard errors each way. Shapes: n seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FEWEST = 3  # values whose mean and interval are shown
Numbers = Sequence[float] | NDArray[np.floating]


def interval(values: Numbers) -> float:
    """Return half the width of the 95 % confidence interval of the mean of values (n,); NaN for fewer than two."""
    from scipy.stats import t

    count = len(values)
    if count < 2:
        return math.nan
    return float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / math.sqrt(count))


def mean_text(values: Numbers, scale: float = 1.0, digits: int = 2) -> str:
    """Return e.g. "81.2 ± 0.5"; for fewer than FEWEST values all of them, "80.9 / 81.5"; a dash for none."""
    if len(values) < FEWEST:
        return " / ".join(f"{scale * value:.{digits}f}" for value in values) or "-"
    return f"{scale * float(np.mean(values)):.{digits}f} ± {scale * interval(values):.{digits}f}"


def percent(values: Numbers, digits: int = 1) -> str:
    """Return the mean of shares (n,) in per cent, in the format of mean_text."""
    return mean_text(values, 100.0, digits)


def points(gaps: Numbers) -> str:
    """Return the mean of differences (n,) between shares in points, e.g. "+1.2 ± 0.5"; few as by mean_text."""
    if len(gaps) < FEWEST:
        return " / ".join(f"{100 * gap:+.1f}" for gap in gaps) or "-"
    return f"{100 * float(np.mean(gaps)):+.1f} ± {100 * interval(gaps):.1f}"


def differs(gaps: Numbers) -> bool:
    """Return whether the 95 % interval of the mean of differences (n,) excludes 0; False for fewer than two."""
    return len(gaps) > 1 and abs(float(np.mean(gaps))) > interval(gaps)


def listed(words: Sequence[str]) -> str:
    """Return e.g. "a, b and c"."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def exponent(sizes: Numbers, values: Numbers) -> float:
    """Return the exponent of a power law through points (n,): the slope of log values against log sizes."""
    return float(np.polyfit(np.log(np.asarray(sizes, float)), np.log(np.asarray(values, float)), 1)[0])
