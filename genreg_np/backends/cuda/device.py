"""Finds CuPy, its libraries, the driver and the GPU, or says in one line what is missing."""

from __future__ import annotations

import importlib
from typing import Any

from genreg_np.errors import BackendError, UsageError, missing_extra


def import_cupy() -> Any:
    """Return the module cupy.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    BackendError
        If it cannot load its libraries.
    """
    try:
        return importlib.import_module("cupy")
    except ModuleNotFoundError as error:
        if error.name != "cupy":
            raise library_error(error) from None
        raise missing_extra("cupy", "cuda12", "compute on a GPU (with a CUDA 13 driver also cuda13)") from None
    except (ImportError, OSError) as error:
        raise library_error(error) from None


def checked_device(cupy: Any, device: int) -> int:
    """Return the device's number if the device can be used.

    Raises
    ------
    BackendError
        If there is no driver, it is too old for this CuPy, or there is no GPU.
    UsageError
        If no GPU has this number.
    """
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        driver, needed = _driver_version(runtime), runtime.runtimeGetVersion()
        if driver == 0:
            raise BackendError("no NVIDIA driver works on this machine: use --backend cpu") from None
        if "NoDevice" in str(error):
            raise BackendError("the NVIDIA driver finds no GPU: use --backend cpu") from None
        if "InsufficientDriver" in str(error):
            raise BackendError(
                f"the NVIDIA driver supports CUDA {_version(driver)}, but this CuPy is built for CUDA "
                f"{_version(needed)}: update the driver, or install the wheel that matches it (pip install "
                "'genreg-np[cuda12]' or 'genreg-np[cuda13]')"
            ) from None
        raise BackendError(f"the GPU does not answer ({str(error).splitlines()[0]}): use --backend cpu") from None
    if count == 0:
        raise BackendError("the NVIDIA driver finds no GPU: use --backend cpu")
    if not 0 <= device < count:
        raise UsageError(f"device {device} must be from 0 to {count - 1}: this machine has {count} GPU(s)")
    try:
        with cupy.cuda.Device(device):
            runtime.memGetInfo()  # the first call that needs the GPU itself, which may be in use or full
    except runtime.CUDARuntimeError as error:
        raise not_answering(device, error) from None
    return device


def not_answering(device: int, error: Exception) -> BackendError:
    """Return the error for a GPU that is held by another process, full, or broken."""
    return BackendError(f"GPU {device} does not answer ({str(error).splitlines()[0]}): free it, or use --backend cpu")


def _driver_version(runtime: Any) -> int:
    try:
        return int(runtime.driverGetVersion())
    except runtime.CUDARuntimeError:
        return 0


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def library_error(error: Exception) -> BackendError:
    """Return the error for a CuPy that cannot load its CUDA libraries."""
    lines = [line.strip(" =") for line in str(error).splitlines() if line.strip(" =")] or [type(error).__name__]
    return BackendError(
        f"CuPy cannot load its CUDA libraries ({lines[0]}): install one cupy wheel that matches the driver, "
        "with its libraries: pip install 'genreg-np[cuda12]' or 'genreg-np[cuda13]'"
    )
