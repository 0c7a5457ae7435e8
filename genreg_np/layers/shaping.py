"""Other shapes of the same values: maps flattened, or flat values as maps.

Values are stored as columns, and layers take them in any shape, so nothing is computed, and a saved model needs neither
layer. They only define the shape that the next layers see.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.base import PREDICTING, Array, Finished, Kept, Layer, Passing, as_maps
from genreg_np.settings import whole_numbers


@dataclass(frozen=True)
class Reshape(Layer):
    """The same values in another shape, in row-major order.

    Raises
    ------
    UsageError
        For extents that are not whole numbers of at least 1.
    """

    kind: ClassVar[str] = "reshape"
    shape: tuple[int, ...]  # of the output

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", whole_numbers(self.shape, f"shape of {self.kind}", least=1))

    @classmethod
    def example(cls) -> tuple[Reshape, tuple[int, ...]]:
        """Return an example that makes maps."""
        return cls((3, 2, 2)), (12,)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the new shape."""
        as_maps(shape, self.shape)
        return self.shape

    @property
    def needs_finishing(self) -> bool:
        """True: a saved model has nothing in its place."""
        return True

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return nothing."""
        return []

    def words(self) -> str:
        """Return e.g. "reshape 8 7 7"."""
        return " ".join([self.kind, *(str(extent) for extent in self.shape)])

    def header(self) -> dict[str, Any]:
        """Return the layer's description in a checkpoint's header."""
        return {"shape": list(self.shape)}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Reshape:
        """Return the layer described in a checkpoint."""
        return cls(tuple(described["shape"]))

    def check_gradient(self) -> None:
        """Accept the layer: it has a gradient."""

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return the input columns."""
        return values, None

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the same gradient."""
        return gradient, []


@dataclass(frozen=True)
class Flatten(Reshape):
    """All values end to end: channel after channel, row after row."""

    kind: ClassVar[str] = "flatten"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "shape", (math.prod(self.shape),))

    @classmethod
    def example(cls) -> tuple[Flatten, tuple[int, ...]]:
        """Return an example that takes maps."""
        return cls((3, 2, 2)), (3, 2, 2)

    def words(self) -> str:
        """Return "flatten"."""
        return self.kind
