"""Python threads that share tiles of fixed shape, each calling BLAS with a single thread.

Kernels release the interpreter's lock and know nothing of threads. The result depends neither on the number of threads
nor on which of them computes a tile, since the shapes of tiles are fixed. With OpenBLAS's own threads, the bytes would
depend on their number.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

CHUNKS = 4  # pieces of work per thread: so a slow thread does not delay the others for long

Item = TypeVar("Item")
Found = TypeVar("Found")
_pool: ThreadPoolExecutor | None = None
_pool_size = 0


def _helpers(count: int) -> ThreadPoolExecutor:
    """Return a pool of at least `count` threads; they sleep between uses."""
    global _pool, _pool_size
    if _pool is None or _pool_size < count:
        _pool, _pool_size = ThreadPoolExecutor(count, "genreg-np"), count
    return _pool


def _forget_helpers() -> None:
    """Reset the pool in a forked process, which has none of its parent's threads."""
    global _pool, _pool_size
    _pool, _pool_size = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)


def share_out(tiles: int, do: Callable[[int, int], object], threads: int) -> None:
    """Call do(first, last) for ranges that cover tiles 0 .. tiles - 1, on this thread and threads - 1 others.

    An error, or Ctrl-C, stops the work once the ranges in progress are done, and is raised.
    """
    size = max(1, tiles // (CHUNKS * threads))
    starts = iter(range(0, tiles, size))
    lock = threading.Lock()

    def work() -> None:
        try:
            while True:
                with lock:
                    start = next(starts, tiles)
                if start >= tiles:
                    return
                do(start, min(tiles, start + size))
        except BaseException:
            with lock:
                for _ in starts:
                    pass
            raise

    others = [_helpers(threads - 1).submit(work) for _ in range(min(threads, tiles) - 1)]
    try:
        work()
    finally:
        errors = [other.exception() for other in others]
    for error in errors:
        if error is not None:
            raise error


def in_order(function: Callable[[Item], Found], items: Iterable[Item], threads: int) -> Iterator[Found]:
    """Yield function(item) of each item, in order, computed by `threads` threads with single-threaded BLAS.

    At most `threads` items are in progress or waiting to be consumed. A single thread is the calling one.
    """
    with single_threaded_blas(), ThreadPoolExecutor(threads) as pool:
        under_way: deque[Future[Found]] = deque()
        for item in items:
            if threads == 1:
                yield function(item)
                continue
            if len(under_way) == threads:
                yield under_way.popleft().result()
            under_way.append(pool.submit(function, item))
        while under_way:
            yield under_way.popleft().result()


@functools.cache
def _controller() -> Any:
    """Return a controller of all BLAS libraries loaded so far, or None without threadpoolctl."""
    with contextlib.suppress(ImportError):
        import scipy.linalg.blas  # noqa: F401 - Numba's np.dot uses SciPy's BLAS: load it first
    try:
        import threadpoolctl
    except ImportError:
        return None
    return threadpoolctl.ThreadpoolController()


def can_limit_blas() -> bool:
    """Whether results do not depend on the number of threads here (threadpoolctl is installed)."""
    return _controller() is not None


_lock = threading.Lock()
_blocks = 0  # open blocks of this process
_limited: list[tuple[Any, int]] = []  # BLAS libraries that had more threads before, and how many


@contextlib.contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit every BLAS to one thread inside the block; restore the limits after the last of overlapping blocks."""
    global _blocks
    controller = _controller()
    if controller is None:
        yield
        return
    with _lock:
        if _blocks == 0:  # one by one, which is faster than threadpoolctl's own context
            for library in controller.lib_controllers:
                threads = library.get_num_threads() if library.user_api == "blas" else None
                if threads is not None and threads > 1:
                    library.set_num_threads(1)
                    _limited.append((library, threads))
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            while _blocks == 0 and _limited:
                library, threads = _limited.pop()
                library.set_num_threads(threads)
