"""Where the heavy arithmetic runs: one contract (base.py), one file per backend, chosen by name.

`cpu` is numba where installed, else numpy; `auto` is the best that answers on this machine.
"""

from __future__ import annotations

import importlib.util

from genreg_np.backends.base import Backend
from genreg_np.errors import BackendError, UsageError, did_you_mean, missing_extra

NAMES = ("auto", "cpu", "numpy", "numba", "cupy")


def resolve(name: str) -> str:
    """Return the backend that `name` stands for on this machine: numpy, numba or cupy.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if name not in NAMES:
        raise UsageError(f"unknown backend {name!r}" + did_you_mean(name, NAMES))
    if name in ("auto", "cpu"):
        return "numba" if importlib.util.find_spec("numba") and importlib.util.find_spec("scipy") else "numpy"
    return name


def must_compile(name: str) -> bool:
    """Whether creating this backend begins with compiling kernels, which takes a while; later processes find them."""
    if resolve(name) != "numba" or not importlib.util.find_spec("numba"):
        return False
    from genreg_np.backends.kernels.jit import cache_folder

    folder = cache_folder()
    return folder is None or not any(folder.rglob("*.nbi"))


def create(name: str, threads: int | None = None) -> Backend:
    """Create the backend called `name`.

    Parameters
    ----------
    name : str
        auto, cpu, numpy, numba or cupy.
    threads : int or None
        How many threads; by default all.

    Raises
    ------
    UsageError
        For an unknown name or an impossible number of threads.
    BackendError
        If it cannot run here.
    """
    resolved = resolve(name)
    if resolved == "numpy":
        if threads not in (None, 1):
            raise UsageError(f"threads {threads}: the numpy backend runs in one thread; leave it out, or use numba")
        from genreg_np.backends.numpy_ import NumpyBackend

        return NumpyBackend()
    if resolved == "numba":
        try:
            from genreg_np.backends.numba_ import NumbaBackend
        except ImportError as error:
            raise missing_extra(error.name or "numba", "train", "train with the numba backend") from None
        return NumbaBackend(threads)
    raise BackendError("the cupy backend is not built yet: use --backend cpu")
