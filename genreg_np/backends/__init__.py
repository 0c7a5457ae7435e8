"""Backends do the heavy arithmetic: one interface (base.py), one file or folder per backend, one line here.

`cpu` is numba if it is installed, else numpy; `auto` is cupy if there is a usable GPU, else cpu.
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
    """Return all names that `create` accepts."""
    return ("auto", "cpu", *REGISTRY)


def backend_class(name: str) -> type[Backend]:
    """Return a backend class from the registry.

    Raises
    ------
    UsageError
        For an unknown name.
    MissingExtraError
        If a package it needs is missing.
    """
    try:
        found: type[Backend] = look_up(REGISTRY, name, "backend")
    except ImportError as error:
        raise missing_extra(error.name or name, "train", f"train with the {name} backend") from None
    return found


def resolve(name: str) -> str:
    """Return the registry name of the backend that `name` stands for on this machine.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    plain, colon, device = name.partition(":")
    if colon and plain == "cupy":
        if not device.isdecimal():
            raise UsageError(f"backend {name!r}: the colon must be followed by the number of a GPU, as in cupy:1")
        return plain
    if name not in names():
        raise UsageError(f"unknown backend {name!r}" + did_you_mean(name, names()))
    if name == "auto" and _gpu_answers():
        return "cupy"
    if name in ("auto", "cpu"):
        return "numba" if importlib.util.find_spec("numba") and importlib.util.find_spec("scipy") else "numpy"
    return name


def must_compile(name: str, works: Sequence[Work]) -> bool:
    """Whether these works first have to compile kernels (slow, but later processes find them compiled)."""
    try:
        return backend_class(resolve(name)).must_compile(works)
    except GenregError:  # not available here: `create` will say so
        return False


def compiled_how_often() -> str:
    """Return in words how often the kernels of `must_compile` are compiled."""
    from genreg_np.backends.numba.kernels.jit import cache_folder

    return "once on this machine" if cache_folder() else "in every process, as there is no cache"


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
        Number of threads; all by default.

    Raises
    ------
    UsageError
        For an unknown name or an impossible number of threads.
    BackendError
        If the backend cannot run here.
    """
    threads = None if threads is None else whole_number(threads, "threads")
    resolved = resolve("cpu" if name == "auto" and threads else name)  # threads are the CPU's
    device = int(name.partition(":")[2] or 0)
    return backend_class(resolved).create(threads, device, lambda: create("cpu"))
