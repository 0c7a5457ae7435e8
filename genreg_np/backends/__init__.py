"""Where the heavy arithmetic runs: one contract (base.py), one file or folder a backend, one line here.

`cpu` is numba where installed, else numpy; `auto` is cupy where a GPU answers, else cpu.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from genreg_np.backends.base import Backend, Work
from genreg_np.errors import GenregError, UsageError, did_you_mean, missing_extra
from genreg_np.settings import look_up, whole_number

REGISTRY = {
    "numpy": "genreg_np.backends.numpy_:NumpyBackend",
    "numba": "genreg_np.backends.numba.backend:NumbaBackend",
    "cupy": "genreg_np.backends.cuda.backend:CupyBackend",
}


def names() -> tuple[str, ...]:
    """Return all names that `create` takes."""
    return ("auto", "cpu", *REGISTRY)


def backend_class(name: str) -> type[Backend]:
    """Return a backend of the registry.

    Raises
    ------
    UsageError
        For an unknown name.
    MissingExtraError
        If packages that it needs are missing.
    """
    try:
        found: type[Backend] = look_up(REGISTRY, name, "backend")
    except ImportError as error:
        raise missing_extra(error.name or name, "train", f"train with the {name} backend") from None
    return found


def resolve(name: str) -> str:
    """Return the backend that `name` stands for on this machine: one of the registry.

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
    if name not in names():
        raise UsageError(f"unknown backend {name!r}" + did_you_mean(name, names()))
    if name == "auto" and _gpu_answers():
        return "cupy"
    if name in ("auto", "cpu"):
        return "numba" if importlib.util.find_spec("numba") and importlib.util.find_spec("scipy") else "numpy"
    return name


def must_compile(name: str, works: Sequence[Work]) -> bool:
    """Whether works of this backend begin with compiling kernels, which takes a while; later processes find them."""
    try:
        return backend_class(resolve(name)).must_compile(works)
    except GenregError:  # it is not here at all, as whoever creates it will hear
        return False


def compiled_how_often() -> str:
    """Return in words how often kernels that must_compile speaks of are compiled."""
    from genreg_np.backends.numba.kernels.jit import cache_folder

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
    device = int(name.partition(":")[2] or 0)
    return backend_class(resolved).create(threads, device, lambda: create("cpu"))
