"""What layers that are computed by kernels have in common: memory, and that they are in no file.

Such a layer is one like any other to whoever calls it. It holds memory that every pass uses again (fresh memory costs
as much as the arithmetic), so it belongs to one thread, and what a pass returns is only good until the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.base import Float32, Layer


def up(count: int, to: int) -> int:
    """Return the next multiple."""
    return -(-count // to) * to


@dataclass(frozen=True)
class FastLayer(Layer):
    """A layer with memory of its own."""

    _memory: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False, kw_only=True)

    def header(self) -> dict[str, Any]:
        """It is in no file."""
        raise NotImplementedError

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Layer:
        """It is in no file."""
        raise NotImplementedError

    def _array(self, name: Any, shape: tuple[int, ...], dtype: type = np.float32, zero: bool = False) -> Any:
        """Return memory of its own for a name and shape, the same whenever it is asked for."""
        found = self._memory.get((name, shape))
        if found is None:
            found = self._memory[name, shape] = (np.zeros if zero else np.empty)(shape, dtype)
        return found

    def _whole(self, values: Float32, images: int) -> Float32:
        """Return values (I, n) as (I, N), with zeros after them."""
        if values.shape[-1] == images and values.flags.c_contiguous:
            return values
        whole = np.zeros((len(values), images), np.float32)
        whole[:, : values.shape[-1]] = values
        return whole
