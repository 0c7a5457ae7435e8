"""Runs kernels: compiles them once, passes numbers as the types they declare, and keeps constants on the device."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import ACTIVATION_CODES, Batch
from genreg_np.backends.cuda.device import library_error
from genreg_np.backends.cuda.source import KERNELS, TYPES, compiler_options, source
from genreg_np.errors import BackendError
from genreg_np.model import Network
from genreg_np.streams import gap_table, normal_table

THREADS = 128  # of a CUDA block
MOST_ARRAYS = 100  # kept on the device because they may be used again

Array = Any  # cupy.ndarray


class Launcher:
    """The kernels of one device.

    Parameters
    ----------
    cupy : module
    """

    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy
        self._constants: dict[object, Array] = {}  # tables of networks and rates
        self._arrays: dict[tuple[str, tuple[int, ...], bytes], Array] = {}

    def activate(self, sums: Array, biases: Array, activation: str, values: Array | None = None) -> None:
        """Write a(sums (..., O, N) + biases (..., O)) to `values`, by default over the sums."""
        rows, images = biases.size, sums.shape[-1]
        into = sums if values is None else values
        self.launch("activate", (rows * images, 1), into, sums, biases, rows, images, ACTIVATION_CODES[activation])

    def send(self, *arrays: NDArray[np.integer]) -> list[Array]:
        """Return integer arrays as flat int32 arrays on the device, sent in one transfer."""
        ends = list(itertools.accumulate((array.size for array in arrays), initial=0))
        places = [slice(*pair) for pair in itertools.pairwise(ends)]
        packed = np.empty(ends[-1], np.int32)
        for place, array in zip(places, arrays, strict=True):
            packed[place] = array.reshape(-1)
        sent = self.cupy.asarray(packed)
        return [sent[place] for place in places]

    def there(self, array: Array) -> Array:
        """Return an array on the device; it may already be there."""
        return array if isinstance(array, self.cupy.ndarray) else self.cupy.asarray(array)

    def gather(self, batch: Batch, rows: Array, shifts: Array | None = None) -> Array:
        """Return a batch's features (N, I), each image rolled by its shift; rows and shifts (N,) are on the device."""
        features, images = self.there(batch.features), len(batch)
        if shifts is None:
            shifts = self.constant(np.zeros(images, np.int32))
        width = features.shape[1]
        gathered = self.cupy.empty((images, width), np.float32)
        self.launch("gather", (images * width, 1), gathered, features, rows, shifts, images, width)
        return gathered

    def targets(self, batch: Batch) -> Array:
        """Return a batch's target numbers on the device, (N, K) float32."""
        return self.cupy.asarray(np.ascontiguousarray(batch.labels, np.float32))

    def judge_errors(
        self, values: Array, batch: Batch, targets: Array, result: Array | None = None, first: int = 0
    ) -> Array:
        """Return fitness and mean squared error (2, P) for outputs (T, K, N), filled from genome `first` on."""
        count, outputs, images = values.shape
        found = self.cupy.empty((2, count), np.float64) if result is None else result
        scores, squares = (self.cupy.empty((count, images), np.float64) for _ in range(2))
        weights = self.constant(batch.weights)
        self.launch(
            "judge_errors", (images, count), scores, squares, values, targets, weights, outputs, images, batch.score
        )
        self.launch("total_errors", (count, 1), found, found.shape[1], first, scores, squares, count, images)
        return found

    def parameters_of(self, network: Network) -> Array:
        """Return the start of each parameter of the layers, and the end of the last, (Q + 1,) int64."""
        if network not in self._constants:
            starts = [place.start for _, place in network.parameter_slices]
            self._constants[network] = self.cupy.asarray(np.array([*starts, network.gene_count], np.int64))
        return self._constants[network]

    def launch(self, kernel: str, threads: tuple[int, int], *arguments: Any) -> None:
        """Run a kernel with (columns, rows) threads; numbers are passed as the types that it declares."""
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
            raise BackendError(f"the CUDA compiler rejected the kernels: {errors or error}") from None
        except (RuntimeError, ImportError, OSError) as error:
            raise library_error(error) from None

    def first_product(self) -> None:
        """Multiply two numbers: this loads cuBLAS, or raises an error if it is missing."""
        one = self.cupy.asarray(np.ones((1, 1), np.float32))
        try:
            self.cupy.matmul(one, one)
        except (ImportError, OSError) as error:
            raise library_error(error) from None

    def table(self, name: str, rate: float = 0.0) -> Array:
        """Return a look-up table on the device, sent once."""
        if (name, rate) not in self._constants:
            table = gap_table(rate) if name == "gaps" else normal_table()
            self._constants[name, rate] = self.cupy.asarray(table)
        return self._constants[name, rate]

    def constant(self, array: NDArray[Any]) -> Array:
        """Return a small array on the device; one that is the same in every generation is sent once."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._arrays:
            if len(self._arrays) > MOST_ARRAYS:
                del self._arrays[next(iter(self._arrays))]  # the oldest: weights of samples differ in every generation
            self._arrays[key] = self.cupy.asarray(array)
        return self._arrays[key]


def classes_of(batch: Batch) -> NDArray[np.integer]:
    """Return a batch's labels to be sent; empty for target numbers, which are sent separately (Launcher.targets)."""
    return np.empty(0, np.int32) if batch.of_numbers else batch.labels
