"""A stand-in for CuPy where there is no GPU: the few names the cupy backend uses, and stricter than the real ones.

Arrays of the device are a class of their own: they never become NumPy arrays by themselves, nor NumPy arrays theirs.
Kernels are compiled by g++ (shim.py) and take typed numbers only, of exactly the declared type. `transfers` counts what
is sent up and brought down, in bytes; a test may lower `memory_limit`, the device's memory, or make `runtime` fail.
"""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import shim

sys.path.pop(0)

__version__ = "stand-in"
transfers: dict[str, list[int]] = {"up": [], "down": []}
memory = SimpleNamespace(limit=1 << 34, used=0, most=0)


class OutOfMemoryError(MemoryError):
    """The device is full."""


class CUDARuntimeError(RuntimeError):
    """The driver says no."""


class CompileException(Exception):
    """The source does not compile."""


class ndarray:
    """An array on the device."""

    __array_ufunc__ = None

    def __init__(self, values: np.ndarray, owner: ndarray | None = None) -> None:
        self._values, self._owner, self._held = values, owner, 0
        if owner is None:
            if memory.used + values.nbytes > memory.limit:
                raise OutOfMemoryError(f"Out of memory allocating {values.nbytes} bytes")
            self._held = values.nbytes
            memory.used += self._held
            memory.most = max(memory.most, memory.used)

    def __del__(self) -> None:
        memory.used -= self._held

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __bool__(self) -> bool:
        raise TypeError("the truth of an array would be a transfer")

    def __len__(self) -> int:
        return len(self._values)

    def _view(self, values: np.ndarray) -> ndarray:
        return ndarray(values, self if np.shares_memory(values, self._values) else None)

    def __getitem__(self, key: Any) -> ndarray:
        if isinstance(key, ndarray):
            return ndarray(self._values[key._values])
        _plain(key)
        return self._view(self._values[key])

    def __setitem__(self, key: Any, value: ndarray) -> None:
        parts = key if isinstance(key, tuple) else (key,)
        _plain(tuple(part for part in parts if not isinstance(part, ndarray)))
        self._values[tuple(part._values if isinstance(part, ndarray) else part for part in parts)] = _values(value)

    def copy(self) -> ndarray:
        return ndarray(self._values.copy())

    def astype(self, dtype: Any) -> ndarray:
        return ndarray(self._values.astype(dtype))

    def reshape(self, *shape: Any) -> ndarray:
        return self._view(self._values.reshape(*shape))

    def swapaxes(self, one: int, other: int) -> ndarray:
        return self._view(self._values.swapaxes(one, other))

    def sum(self, axis: Any, keepdims: bool = False) -> ndarray:
        return ndarray(self._values.sum(axis=axis, keepdims=keepdims))

    def max(self, axis: Any, keepdims: bool = False) -> ndarray:
        return ndarray(self._values.max(axis=axis, keepdims=keepdims))

    def argmax(self, axis: Any) -> ndarray:
        return ndarray(self._values.argmax(axis=axis))

    def mean(self, axis: Any, dtype: Any = None, keepdims: bool = False) -> ndarray:
        return ndarray(self._values.mean(axis=axis, dtype=dtype, keepdims=keepdims))

    def var(self, axis: Any, dtype: Any = None, ddof: int = 0, keepdims: bool = False) -> ndarray:
        return ndarray(self._values.var(axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims))

    def repeat(self, count: int, axis: int) -> ndarray:
        return ndarray(self._values.repeat(count, axis=axis))

    def all(self, axis: Any) -> ndarray:
        return ndarray(self._values.all(axis=axis))

    @property
    def T(self) -> ndarray:
        return self._view(self._values.T)


for _name in ("shape", "dtype", "size", "ndim", "strides", "nbytes"):
    setattr(ndarray, _name, property(lambda self, name=_name: getattr(self._values, name)))


def _operand(other: Any) -> Any:
    """Return the other side of an operation: an array of the device or one of Python's own numbers."""
    if type(other) in (int, float):
        return other
    return _values(other)


def _operator(name: str) -> Any:
    def operate(self: ndarray, other: Any) -> ndarray:
        return ndarray(getattr(self._values, name)(_operand(other)))

    return operate


def _in_place(name: str) -> Any:
    def operate(self: ndarray, other: Any) -> ndarray:
        getattr(self._values, name)(_operand(other))
        return self

    return operate


for _name in ("add", "sub", "mul", "truediv"):
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(ndarray, f"__r{_name}__", _operator(f"__r{_name}__"))
    setattr(ndarray, f"__i{_name}__", _in_place(f"__i{_name}__"))
for _name in ("eq", "ne", "gt", "lt", "ge", "le", "and", "or"):
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in ("neg", "abs"):
    setattr(ndarray, f"__{_name}__", lambda self, name=f"__{_name}__": ndarray(getattr(self._values, name)()))
ndarray.__hash__ = None


def _plain(key: Any) -> None:
    for part in key if isinstance(key, tuple) else (key,):
        if part is not None and not isinstance(part, (int, slice, type(...))):
            raise TypeError(f"an index of type {type(part).__name__} would be a transfer")


def _values(array: Any) -> np.ndarray:
    if not isinstance(array, ndarray):
        raise TypeError(f"Unsupported type {type(array)}")
    return array._values


def asarray(array: Any) -> ndarray:
    if isinstance(array, ndarray):
        return array
    if not isinstance(array, np.ndarray):
        raise TypeError(f"a {type(array).__name__} is no array")
    transfers["up"].append(array.nbytes)
    return ndarray(np.array(array, order="K"))


def array(values: Any, order: str = "K") -> ndarray:
    return ndarray(values._values.copy(order)) if isinstance(values, ndarray) else asarray(values)


def asnumpy(array: ndarray) -> np.ndarray:
    transfers["down"].append(array.nbytes)
    return _values(array).copy()


def empty(shape: Any, dtype: Any) -> ndarray:
    made = ndarray(np.empty(shape, dtype))
    made._values.view(np.uint8).fill(0xFF)  # reading it before writing shall be noticed
    return made


def zeros(shape: Any, dtype: Any) -> ndarray:
    return ndarray(np.zeros(shape, dtype))


def zeros_like(array: ndarray) -> ndarray:
    return ndarray(np.zeros_like(_values(array)))


def arange(count: int) -> ndarray:
    return ndarray(np.arange(count))


def ascontiguousarray(array: ndarray) -> ndarray:
    return ndarray(np.array(_values(array), order="C"))


def concatenate(arrays: list[ndarray], axis: int = 0) -> ndarray:
    return ndarray(np.concatenate([_values(array) for array in arrays], axis=axis))


def broadcast_to(array: ndarray, shape: Any) -> ndarray:
    return array._view(np.broadcast_to(_values(array), shape))


def where(condition: ndarray, one: Any, other: Any) -> ndarray:
    return ndarray(np.where(_values(condition), _operand(one), _operand(other)))


def moveaxis(array: ndarray, source: int, destination: int) -> ndarray:
    return array._view(np.moveaxis(_values(array), source, destination))


def pad(array: ndarray, widths: Any) -> ndarray:
    return ndarray(np.pad(_values(array), widths))


def _function(name: str) -> Any:
    return lambda first, *others: ndarray(getattr(np, name)(_values(first), *map(_operand, others)))


exp, log, log1p, expm1 = map(_function, ("exp", "log", "log1p", "expm1"))
sqrt, square, tanh, sign = map(_function, ("sqrt", "square", "tanh", "sign"))
maximum, minimum, clip, isfinite = map(_function, ("maximum", "minimum", "clip", "isfinite"))


def matmul(first: ndarray, second: ndarray) -> ndarray:
    if _values(first).dtype != _values(second).dtype or _values(first).dtype.kind != "f":
        raise TypeError("only floats of one type are multiplied here")
    return ndarray(np.matmul(_values(first), _values(second)))


class RawModule:
    """Kernels, compiled when first asked for one."""

    def __init__(self, *, code: str, options: tuple[str, ...]) -> None:
        self._code, self._options = code, options

    def get_function(self, name: str) -> RawKernel:
        try:
            library = shim.library(self._code, self._options)
        except RuntimeError as error:
            raise CompileException(str(error)) from None
        return RawKernel(getattr(library, f"launch_{name}"), shim.signatures(self._code)[name])


class RawKernel:
    """One kernel; checks its arguments as no compiler can."""

    def __init__(self, launch: Any, types: list[str]) -> None:
        self._launch, self._types = launch, types

    def __call__(self, grid: tuple[int, int], block: tuple[int], arguments: tuple[Any, ...]) -> None:
        columns, rows = grid
        if not (0 < columns < 1 << 31 and 0 < rows <= 65_535 and 0 < block[0] <= 1024):
            raise CUDARuntimeError(f"cudaErrorInvalidConfiguration: grid {grid}, block {block}")
        if len(arguments) != len(self._types):
            raise TypeError(f"{len(arguments)} arguments for {len(self._types)}")
        held = [_argument(value, kind) for value, kind in zip(arguments, self._types, strict=True)]
        pointers = (ctypes.c_void_p * len(held))(*[ctypes.addressof(one) for one in held])
        self._launch(columns, rows, block[0], pointers)


def _argument(value: Any, kind: str) -> Any:
    """Return a C value for an argument declared as `kind`."""
    expected = shim.NUMBERS[kind.removeprefix("const ").removesuffix("*").strip()]
    if kind.endswith("*"):
        if _values(value).dtype != expected:
            raise TypeError(f"an array of {value.dtype} for {kind}")
        return ctypes.c_void_p(_values(value).ctypes.data)
    if not isinstance(value, np.generic) or value.dtype != expected:
        raise TypeError(f"{value!r} ({type(value).__name__}) for {kind}: its type must be said")
    return np.ctypeslib.as_ctypes_type(value.dtype)(value.item())


class Device:
    """A context manager that does nothing here."""

    def __init__(self, number: int) -> None:
        if number not in range(runtime.getDeviceCount()):
            raise CUDARuntimeError("cudaErrorInvalidDevice")

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def synchronize(self) -> None: ...


class Event:
    """A moment; here all is done when it is asked for."""

    def record(self) -> None:
        self.moment = time.perf_counter()


def get_elapsed_time(before: Event, after: Event) -> float:
    return 1e3 * (after.moment - before.moment)


runtime = SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    getDeviceCount=lambda: 1,
    driverGetVersion=lambda: 12_090,
    runtimeGetVersion=lambda: 12_090,
    getDeviceProperties=lambda number: {"name": b"no GPU, but g++", "totalGlobalMem": memory.limit},
    memGetInfo=lambda: (memory.limit - memory.used, memory.limit),
)
cuda = SimpleNamespace(
    Device=Device,
    Event=Event,
    get_elapsed_time=get_elapsed_time,
    runtime=runtime,
    memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    compiler=SimpleNamespace(CompileException=CompileException),
)


def _as_strided(array: ndarray, shape: Any, strides: Any) -> ndarray:
    return array._view(np.lib.stride_tricks.as_strided(_values(array), shape, strides))


lib = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=_as_strided))


def get_default_memory_pool() -> SimpleNamespace:
    return SimpleNamespace(total_bytes=lambda: memory.used, used_bytes=lambda: memory.used)
