"""The size of each number, whatever its sign: a fixed layer, and what the runtime needs to compute it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from genreg_np.infer import ModelError
from genreg_np.layers.base import PREDICTING, Array, Kept, Passing, array_module
from genreg_np.layers.images import FixedLayer


@dataclass(frozen=True)
class Absolute(FixedLayer):
    """|x|."""

    kind: ClassVar[str] = "absolute"
    width: int  # I

    @classmethod
    def example(cls) -> tuple[Absolute, tuple[int, ...]]:
        return cls(6), (6,)

    def header(self) -> dict[str, Any]:
        return {"inputs": self.width}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, Any], where: str) -> Absolute:
        return cls(described["inputs"])

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        return abs(values), values

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        return gradient * array_module(kept).sign(kept), []

    def check_gradient(self) -> None:
        """It has one."""


def absolute(layer: dict[str, Any], arrays: dict[str, Any], where: str, name: str) -> Any:  # the runtime's
    width = layer["inputs"]
    if type(width) is not int or width < 1:
        raise ModelError(f"{name} takes {str(width)[:40]!r} inputs, not a whole number from 1 on")
    return width, width, np.abs  # inputs, outputs, function of (n, inputs) float32
