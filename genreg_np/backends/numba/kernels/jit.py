"""`kernel`: Numba's njit with a disk cache that notices every edit.

Numba keys its cache by the path and time of the file of one function: it does not see edits in the files that this file
imports, and compiles again what is installed again, or a second time. So the cache folder's name is a hash of all that
compiled kernels depend on - their sources, Python, Numba, NumPy, the processor - and nothing else decides whether they
are there. What Numba reads from the folder is code, so nobody else may have written to it (ownership.py). If that is
not certain, or the folder cannot be written, kernels are compiled again in every process, with one warning.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import functools
import hashlib
import secrets
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile

from genreg_np import streams
from genreg_np.backends.numba.ownership import make_private
from genreg_np.files import user_cache_dir

PACKAGE = Path(streams.__file__).parent
CONSTANTS = (  # modules besides those of this folder whose constants are compiled into kernels
    "streams.py",
    "fitness.py",
    "infer_images.py",
    "backends/base.py",
    "backends/numpy_.py",
    "layers/groups.py",
    "layers/optimisers.py",
)


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder of compiled kernels, or None if it cannot be written or others could have written to it."""
    try:
        folder = user_cache_dir() / "kernels" / _made_of()
        if not (problem := make_private(folder)):
            with tempfile.TemporaryFile(dir=folder):
                return folder
    except OSError as error:
        problem = f"{folder} cannot be written ({error.strerror})"
    except RuntimeError as error:  # a user without a home, a package without sources
        problem = str(error)
    warnings.warn(f"{problem}: kernels are compiled anew in every process", RuntimeWarning, stacklevel=2)
    return None


def _made_of() -> str:
    """Return a hash of all that compiled kernels depend on, 16 hexadecimal digits."""
    versions = (sys.implementation.cache_tag, numba.__version__, np.__version__)
    processor = (llvmlite.binding.get_host_cpu_name(), llvmlite.binding.get_host_cpu_features().flatten())
    digest = hashlib.sha256(repr((versions, processor)).encode())
    for source in [*sorted(Path(__file__).parent.glob("*.py")), *(PACKAGE / name for name in CONSTANTS)]:
        try:
            digest.update(source.read_bytes())
        except OSError as error:
            raise RuntimeError(f"{source} cannot be read ({error.strerror})") from None
    return digest.hexdigest()[:16]


def is_compiled(work: str) -> bool:
    """Whether the cache holds all kernels of a work (base.Work)."""
    folder = cache_folder()
    return folder is not None and (folder / f"{work}.compiled").exists()


def mark_compiled(work: str) -> None:
    """Record that all kernels of a work are in the cache."""
    folder = cache_folder()
    if folder is not None:
        (folder / f"{work}.compiled").touch()


class _Place:
    """Where Numba keeps a compiled kernel; its methods are those that Numba asks any locator for."""

    def __init__(self, line: int) -> None:
        self._line = line

    @classmethod
    def from_function(cls, function, file):
        return cls(function.__code__.co_firstlineno)

    def get_cache_path(self):
        return str(cache_folder())

    def ensure_cache_path(self):
        """Do nothing: the folder is there and can be written."""

    def get_source_stamp(self):
        """Return the same for every file: the folder's name stands for the sources."""
        return 0

    def get_disambiguator(self):
        return str(self._line)


class _Kept(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_Place,)


class _Files(IndexDataCacheFile):  # type: ignore[misc]
    """Files of one kernel: two processes that save at the same time never give theirs the same name."""

    def _data_name(self, number):
        return f"{super()._data_name(number).removesuffix('.nbc')}.{secrets.token_hex(8)}.nbc"


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's cache of a function, with our place and files, whatever locators the user chose for other functions."""

    _impl_class = _Kept

    def __init__(self, function: Any) -> None:
        chosen = getattr(numba.config, "CACHE_LOCATOR_CLASSES", "")
        numba.config.CACHE_LOCATOR_CLASSES = ""
        try:
            super().__init__(function)
        finally:
            numba.config.CACHE_LOCATOR_CLASSES = chosen
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())


def kernel(**options: Any) -> Any:
    """Return a decorator that compiles a function on its first call: IEEE arithmetic, no fastmath, cached on disk.

    Kernels are never called from C, so the wrapper for that is not compiled.
    """

    def decorate(function):
        compiled = numba.njit(error_model="numpy", nogil=True, no_cfunc_wrapper=True, **options)(function)
        if cache_folder() is not None:
            compiled._cache = _Cache(function)  # as cache=True does, with a place of ours
        return compiled

    return decorate


def part() -> Any:
    """Return a decorator for a function that only kernels call: compiled without the wrapper for Python."""
    return kernel(no_cpython_wrapper=True)
