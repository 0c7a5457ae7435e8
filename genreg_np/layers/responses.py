"""Fixed layers of GENREG 2.0: filters with their own functions, and statistics of images; float32 from levels.

    Responses     (H, W) levels     -> (F, pools) float32, filters with their own functions
    Statistics    (H, W) levels     -> float32: means of cells and profiles, directions of gradients

infer_images.py has the equations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.base import Arrays, Float32
from genreg_np.layers.images import FileArrays, FixedLayer


@dataclass(frozen=True)
class Responses(FixedLayer):
    """Filters, each with its own function, averaged over grids of cells (infer_images.respond)."""

    kind: ClassVar[str] = "responses"
    shape: tuple[int, int]  # H, W
    filters: Float32 = field(compare=False, repr=False)  # (F, size, size)
    functions: tuple[str, ...]  # (F,) keys of infer_images.RESPONSES
    grids: tuple[tuple[int, int], ...]  # rows and columns of cells

    @classmethod
    def example(cls) -> tuple[Responses, tuple[int, ...]]:
        """Return an example with one filter and one function."""
        return cls((5, 4), np.eye(2, dtype=np.float32)[None], ("tanh",), ((2, 1),)), (5, 4)

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {
            "shape": list(self.shape),
            "size": self.filters.shape[-1],
            "functions": list(self.functions),
            "grids": [list(grid) for grid in self.grids],
        }

    def arrays(self, values: Sequence[NDArray[np.generic]] = ()) -> Arrays:
        """Return the filters."""
        return {"filters": self.filters}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: FileArrays, where: str) -> Responses:
        """Return the layer described in a model file."""
        grids = tuple((rows, columns) for rows, columns in described["grids"])
        taps = arrays[f"{where}.filters"].astype(np.float32)
        return cls(tuple(described["shape"]), taps, tuple(described["functions"]), grids)


@dataclass(frozen=True)
class Statistics(FixedLayer):
    """Means of cells and profiles, and histograms of gradient directions (infer_images.statistics)."""

    kind: ClassVar[str] = "statistics"
    shape: tuple[int, int]  # H, W

    @classmethod
    def example(cls) -> tuple[Statistics, tuple[int, ...]]:
        """Return an example for almost the smallest images."""
        return cls((7, 8)), (7, 8)

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"shape": list(self.shape)}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: FileArrays, where: str) -> Statistics:
        """Return the layer described in a model file."""
        return cls(tuple(described["shape"]))
