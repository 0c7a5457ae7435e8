"""One BLAS thread per call: OpenBLAS changes its bytes with its thread count, and its pool spins against Numba's.

Backends hand out tiles of fixed shape to their own threads; every BLAS call within is single-threaded.
"""

from __future__ import annotations

import contextlib
import functools
import threading
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


_lock = threading.Lock()
_blocks = 0  # open blocks of this process
_limits: Any = None  # what to restore after the last of them


@contextlib.contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit every BLAS to one thread inside the block, and restore it after the last of overlapping blocks."""
    global _blocks, _limits
    controller = _controller()
    if controller is None:
        yield
        return
    with _lock:
        if _blocks == 0:
            _limits = controller.limit(limits=1, user_api="blas")
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0:
                _limits.restore_original_limits()
