"""The base class of layers that are computed by kernels: they keep memory and are never written to files.

To its caller, such a layer is like any other. It keeps memory that every pass reuses (allocating it would cost as much
as the arithmetic), so it belongs to one thread, and the results of a pass are valid only until the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.base import Float32, Layer


def up(count: int, to: int) -> int:
    """Round up to the next multiple of `to`."""
    return -(-count // to) * to


@dataclass(frozen=True)
class FastLayer(Layer):
    """A layer with its own memory."""

    _memory: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False, kw_only=True)

    def header(self) -> dict[str, Any]:
        """Not supported: the layer is never written to a file."""
        raise NotImplementedError

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Any:
        """Not supported: the layer is never in a file."""
        raise NotImplementedError

    def _array(self, name: Any, shape: tuple[int, ...], dtype: type = np.float32, zero: bool = False) -> Any:
        """Return the layer's memory for a name and shape, the same in every call."""
        found = self._memory.get((name, shape))
        if found is None:
            found = self._memory[name, shape] = (np.zeros if zero else np.empty)(shape, dtype)
        return found

    def _whole(self, values: Float32, images: int) -> Float32:
        """Return values (I, n) padded with zeros to (I, N)."""
        if values.shape[-1] == images and values.flags.c_contiguous:
            return values
        whole = np.zeros((len(values), images), np.float32)
        whole[:, : values.shape[-1]] = values
        return whole
