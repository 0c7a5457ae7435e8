"""The limits of this machine: the speed of a large GEMM, and the bandwidth of its memory.

    python limits.py        prints JSON

Run it in a separate process, so that BLAS uses its default kernels and all cores. The best of several repetitions
counts: a limit is what the machine can do, not what it did under other load.

gemm       C = A B, square, float32                                   2 n**3 operations
bandwidth  a = b + s c (the triad of McCalpin's STREAM), all threads   3 arrays of 4-byte numbers
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numba
import numpy as np

SIDE = 4096  # of the matrices
LENGTH = 1 << 27  # numbers in an array of the triad: 512 MB, beyond most caches
REPETITIONS = 8


@numba.njit(parallel=True)
def triad(a, b, c, s):
    """Fill a with b + s c."""
    for i in numba.prange(len(a)):
        a[i] = b[i] + s * c[i]


def fastest(action: Callable[[], object]) -> float:
    """Return the seconds of the fastest repetition, not counting the first."""
    action()
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure() -> dict[str, float]:
    """Return both limits, in 10**9 operations and 10**9 bytes per second."""
    rng = np.random.default_rng(0)
    left, right = (rng.random((SIDE, SIDE), np.float32) for _ in range(2))
    out = np.empty_like(left)
    gemm = 2 * SIDE**3 / fastest(lambda: np.matmul(left, right, out=out))
    a, b, c = (np.ones(LENGTH, np.float32) for _ in range(3))
    bandwidth = 3 * 4 * LENGTH / fastest(lambda: triad(a, b, c, np.float32(0.5)))
    return {"gemm_gflops": round(gemm / 1e9, 1), "bandwidth_gb_per_s": round(bandwidth / 1e9, 1)}


if __name__ == "__main__":
    print(json.dumps(measure()))
