"""Running kernels: compiled once, their numbers typed as they declare, what never changes kept on the device."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import ACTIVATION_CODES
from genreg_np.backends.cuda.device import library_error
from genreg_np.backends.cuda.source import KERNELS, TYPES, compiler_options, source
from genreg_np.errors import BackendError
from genreg_np.streams import gap_table, normal_table

THREADS = 128  # of a CUDA block

Array = Any  # cupy.ndarray


class Launcher:
    """The kernels of one device.

    Parameters
    ----------
    cupy : module
    """

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        self._constants: dict[object, Array] = {}

    def activate(self, values: Array, biases: Array, activation: str) -> None:
        """Replace values (..., O, N) by a(values + biases (..., O)), in place."""
        rows, images = biases.size, values.shape[-1]
        self.launch("activate", (rows * images, 1), values, biases, rows, images, ACTIVATION_CODES[activation])

    def launch(self, kernel: str, threads: tuple[int, int], *arguments: Any) -> None:
        """Run a kernel with (columns, rows) threads; a number is passed as the type the kernel declares."""
        columns, rows = threads
        if columns and rows:
            typed = zip(KERNELS[kernel], arguments, strict=True)
            passed = tuple(value if kind == "p" else TYPES[kind](value) for kind, value in typed)
            self.kernels[kernel]((-(-columns // THREADS), rows), (THREADS,), passed)

    @functools.cached_property
    def kernels(self) -> dict[str, Any]:
        """The compiled kernels by name."""
        module = self.cupy.RawModule(code=source(), options=compiler_options())
        try:
            return {name: module.get_function(name) for name in KERNELS}
        except self.cupy.cuda.compiler.CompileException as error:
            errors = "; ".join(line.strip() for line in str(error).splitlines() if "error" in line)
            raise BackendError(f"the CUDA compiler refused the kernels: {errors or error}") from None
        except (RuntimeError, ImportError, OSError) as error:
            raise library_error(error) from None

    def first_product(self) -> None:
        """Multiply two numbers: loads cuBLAS, or says that it is not there."""
        one = self.cupy.asarray(np.ones((1, 1), np.float32))
        try:
            self.cupy.matmul(one, one)
        except (ImportError, OSError) as error:
            raise library_error(error) from None

    def table(self, name: str, rate: float = 0.0) -> Array:
        """Return a look-up table on the device, sent there once."""
        if (name, rate) not in self._constants:
            table = gap_table(rate) if name == "gaps" else normal_table()
            self._constants[name, rate] = self.cupy.asarray(table)
        return self._constants[name, rate]

    def constant(self, array: NDArray[Any]) -> Array:
        """Return a small array that is the same in every generation on the device, sent there once."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            if len(self._constants) > 100:
                self._constants.clear()
            self._constants[key] = self.cupy.asarray(array)
        return self._constants[key]
