"""One BLAS thread per call: OpenBLAS changes its bytes with its thread count, and its pool spins against Numba's.

Backends hand out tiles of fixed shape to their own threads; every BLAS call within is single-threaded.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any


@functools.cache
def _controller() -> Any:
    """Return a controller of all BLAS libraries loaded so far, or None without threadpoolctl."""
    with contextlib.suppress(ImportError):
        import scipy.linalg.blas  # noqa: F401 - Numba's np.dot uses SciPy's BLAS: load it before looking
    try:
        import threadpoolctl
    except ImportError:
        return None
    return threadpoolctl.ThreadpoolController()


def can_limit_blas() -> bool:
    """Whether results are independent of the number of threads here (threadpoolctl is installed)."""
    return _controller() is not None


@contextlib.contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit every BLAS to one thread inside the block, and restore it after."""
    controller = _controller()
    if controller is None:
        yield
        return
    with controller.limit(limits=1, user_api="blas"):
        yield
