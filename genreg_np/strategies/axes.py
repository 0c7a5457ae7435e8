"""Principal axes: the directions along which values vary most, from their scatter matrix; no labels are used.

Shapes: scatter (I, I), the sum of x x' over values x; axes (O, I), each of length 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.threads import single_threaded_blas

Float64 = NDArray[np.float64]


def longest_axes(scatter: Float64, count: int) -> Float64:
    """Return the `count` longest axes of a scatter, or all if there are fewer, the longest first.

    The sign of an axis is arbitrary: its entry of largest magnitude is made positive, so it is the same everywhere.
    """
    with single_threaded_blas():
        _, axes = np.linalg.eigh(scatter)
    best = axes.T[::-1][:count]
    signs = np.sign(best[np.arange(len(best)), np.abs(best).argmax(axis=1)])
    longest: Float64 = best * signs[:, None]
    return longest
