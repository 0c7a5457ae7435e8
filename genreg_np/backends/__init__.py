"""Where the heavy arithmetic runs: one contract (base.py), one file per backend, chosen by name.

`cpu` is numba where installed, else numpy; `auto` is cupy where a GPU answers, else cpu.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from genreg_np.backends.base import Backend, Work
from genreg_np.errors import GenregError, UsageError, did_you_mean, missing_extra
from genreg_np.settings import whole_number

NAMES = ("auto", "cpu", "numpy", "numba", "cupy")


def resolve(name: str) -> str:
    """Return the backend that `name` stands for on this machine: numpy, numba or cupy.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    plain, colon, device = name.partition(":")
    if colon and plain == "cupy":
        if not device.isdecimal():
            raise UsageError(f"backend {name!r}: after the colon belongs the number of a GPU, as in cupy:1")
        return plain
    if name not in NAMES:
        raise UsageError(f"unknown backend {name!r}" + did_you_mean(name, NAMES))
    if name == "auto" and _gpu_answers():
        return "cupy"
    if name in ("auto", "cpu"):
        return "numba" if importlib.util.find_spec("numba") and importlib.util.find_spec("scipy") else "numpy"
    return name


def must_compile(name: str, works: Sequence[Work]) -> bool:
    """Whether works of this backend begin with compiling kernels, which takes a while; later processes find them."""
    if resolve(name) != "numba" or not importlib.util.find_spec("numba"):
        return False
    from genreg_np.backends.kernels.jit import is_compiled

    return not all(is_compiled(work.name) for work in works)


def compiled_how_often() -> str:
    """Return in words how often kernels that must_compile speaks of are compiled."""
    from genreg_np.backends.kernels.jit import cache_folder

    return "once on this machine" if cache_folder() else "in every process, for want of a cache"


def _gpu_answers() -> bool:
    if not importlib.util.find_spec("cupy"):
        return False
    from genreg_np.backends.cuda.device import checked_device, import_cupy

    try:
        checked_device(import_cupy(), 0)
    except GenregError:
        return False
    return True


def create(name: str, threads: int | None = None) -> Backend:
    """Create the backend called `name`.

    Parameters
    ----------
    name : str
        auto, cpu, numpy, numba or cupy; cupy:1 is the second GPU.
    threads : int or None
        How many threads; by default all.

    Raises
    ------
    UsageError
        For an unknown name or an impossible number of threads.
    BackendError
        If it cannot run here.
    """
    threads = None if threads is None else whole_number(threads, "threads")
    resolved = resolve("cpu" if name == "auto" and threads else name)  # threads are the CPU's
    if resolved == "cupy":
        if threads is not None:
            raise UsageError(f"threads {threads}: the cupy backend runs on the GPU; leave it out, or use numba")
        from genreg_np.backends.cupy_ import CupyBackend

        return CupyBackend(int(name.partition(":")[2] or 0))
    if resolved == "numpy":
        if threads not in (None, 1):
            raise UsageError(f"threads {threads}: the numpy backend runs in one thread; leave it out, or use numba")
        from genreg_np.backends.numpy_ import NumpyBackend

        return NumpyBackend()
    try:
        from genreg_np.backends.numba_ import NumbaBackend
    except ImportError as error:
        raise missing_extra(error.name or "numba", "train", "train with the numba backend") from None
    return NumbaBackend(threads)
