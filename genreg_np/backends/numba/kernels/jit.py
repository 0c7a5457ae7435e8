"""`kernel`: Numba's njit with a disk cache that notices every edit.

Numba keys its cache by the file of one function and does not see edits in the files that this file imports, so the
cache folder's name contains a hash of all kernel sources. What Numba reads from the folder is code, so nobody else may
have written to it (ownership.py). If that is not certain, or the folder cannot be written, kernels are compiled again
in every process, with one warning.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numba

from genreg_np import streams
from genreg_np.backends.numba.ownership import make_private
from genreg_np.files import user_cache_dir


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder of compiled kernels, or None if it cannot be written or others could have written to it."""
    digest = hashlib.sha256()
    for source in [*sorted(Path(__file__).parent.glob("*.py")), Path(streams.__file__)]:
        digest.update(source.read_bytes())
    try:
        folder = user_cache_dir() / "kernels" / digest.hexdigest()[:16]
        if not (problem := make_private(folder)):
            with tempfile.TemporaryFile(dir=folder):
                return folder
    except OSError as error:
        problem = f"{folder} cannot be written ({error.strerror})"
    except RuntimeError as error:  # a user without a home
        problem = str(error)
    warnings.warn(f"{problem}: kernels are compiled anew in every process", RuntimeWarning, stacklevel=2)
    return None


def is_compiled(work: str) -> bool:
    """Whether the cache holds all kernels of a work (base.Work)."""
    folder = cache_folder()
    return folder is not None and (folder / f"{work}.compiled").exists()


def mark_compiled(work: str) -> None:
    """Record that all kernels of a work are in the cache."""
    folder = cache_folder()
    if folder is not None:
        (folder / f"{work}.compiled").touch()


def kernel(**options: Any) -> Any:
    """Return a decorator that compiles a function on its first call: IEEE arithmetic, no fastmath, cached on disk.

    Kernels are never called from C, so the wrapper for that is not compiled.
    """

    def decorate(function):
        folder = cache_folder()
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = os.fspath(folder or "")
        try:
            return numba.njit(
                cache=folder is not None, error_model="numpy", nogil=True, no_cfunc_wrapper=True, **options
            )(function)
        finally:
            numba.config.CACHE_DIR = before

    return decorate


def part() -> Any:
    """Return a decorator for a function that only kernels call: compiled without the wrapper for Python."""
    return kernel(no_cpython_wrapper=True)
