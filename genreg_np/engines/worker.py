"""Functions for worker processes: unpack arguments, limit memory, report errors."""

from __future__ import annotations

import contextlib
import ctypes
import pickle
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from genreg_np.engines.base import FAILED, MEMORY, OK

PACKAGE = Path(__file__).resolve().parents[1]
Answer = tuple[str, Any, str]  # status, value, why: of an Outcome
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # parameters of glibc's mallopt
MOST_KEPT, MOST_SHARED = 64 << 20, 32 << 20  # bytes: freed memory to keep, and arrays that are put into it


def attempted(function: Callable[..., Any], *arguments: Any) -> Answer:
    """Call a function, and return its result or its exception as an answer."""
    try:
        return OK, function(*arguments), ""
    except MemoryError as error:
        return MEMORY, None, line_of(error)
    except Exception as error:
        return FAILED, None, line_of(error)


def given(packed: bytes, prepare: Callable[[Any], None] | None) -> tuple[Any, int | None]:
    """Return the argument that was sent, after calling `prepare`, and the memory limit of the call in bytes."""
    argument, most = pickle.loads(packed)
    if prepare is not None:
        prepare(argument)
    return argument, most


def held(function: Callable[[Any], Any], argument: Any, most: int | None) -> Any:
    """Call a function with a memory limit in bytes."""
    with _at_most(most):
        return function(argument)


def one_blas_thread() -> None:
    """Limit BLAS to one thread in this process, since workers share the processors."""
    with contextlib.suppress(ImportError):
        import threadpoolctl

        threadpoolctl.threadpool_limits(1)


def keep_freed_memory() -> None:
    """Keep up to 64 MB of freed memory in this process, where the C library is glibc.

    By default it would return the memory of temporary arrays to the system, and request it again, in every step.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        change = ctypes.CDLL(None).mallopt
        change(M_TRIM_THRESHOLD, MOST_KEPT)
        change(M_MMAP_THRESHOLD, MOST_SHARED)


def told_with_place(error: Exception) -> str:
    """Return an exception's message and its place in the user's code, as one line."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename and not _is_ours(frame.filename)]
    place = own[-1] if own else None
    return line_of(error) + (f" ({Path(place.filename).name}, line {place.lineno}, in {place.name})" if place else "")


def _is_ours(path: str) -> bool:
    return Path(path).is_relative_to(PACKAGE)


def line_of(error: Exception) -> str:
    """Return an exception's type and message, as one line."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # a broken __str__
        text = ""
    return f"{type(error).__name__}: {text}".removesuffix(": ")


@contextlib.contextmanager
def _at_most(more: int | None) -> Iterator[None]:
    """Limit this process to `more` bytes beyond its current memory, if the system supports that."""
    pages = Path("/proc/self/statm")
    if more is None or not pages.exists():
        yield
        return
    import resource  # available on systems that have that file

    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(pages.read_text("ascii").split()[0]) * resource.getpagesize()
    most = used + more if before[1] == resource.RLIM_INFINITY else min(used + more, before[1])
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
