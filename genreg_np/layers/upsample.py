"""Larger maps: by repeating every value, or by a transposed convolution.

    upsample      a[c, y, x] = v[c, y // factor, x // factor]                                    da is summed

    transposed    a[f, s y + i - p, s x + j - p] += w[c, f, i, j] v[c, y, x]      over all c, i, j, y, x; then + b[f]
                  dv[c, y, x] = sum over f, i, j of w[c, f, i, j] da[f, s y + i - p, s x + j - p]
                  dw[c, f, i, j] = sum over y, x, images of v[c, y, x] da[f, s y + i - p, s x + j - p]

Shapes: C channels of H x W, F filters of K x K, stride s: v (P, C, H, W, N) or shared, w (P, C, F, K, K), b (P, F),
a (P, F, rows, columns, N). Nearest neighbours only.

A transposed convolution is PyTorch's ConvTranspose2d: rows = (H - 1) s - 2 p + K + q, with padding p and output padding
q. Here p = q = 0, or with "same" they are chosen so that rows = H s: of the K - s excess rows, the larger half is cut
off at the start (p = ceil((K - s) / 2), q = 2 p - (K - s)); if K < s, p = 0 and the last s - K rows are b alone.
PyTorch itself refuses q = s = 1, which an even K needs to keep H.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.base import (
    PREDICTING,
    Array,
    Kept,
    Layer,
    Parameter,
    Passing,
    array_module,
    as_maps,
    by_channel,
    columns_of,
    maps_of,
    maps_shape,
)
from genreg_np.layers.convolution import Filters, tap_places, taps
from genreg_np.layers.groups import Gene, Groups, transposed_groups
from genreg_np.settings import whole_number


@dataclass(frozen=True)
class Upsample(Layer):
    """Repeats every value factor x factor times.

    Raises
    ------
    UsageError
        For inputs that are not maps, or a factor that is not a whole number of at least 1.
    """

    kind: ClassVar[str] = "upsample"
    shape: tuple[int, int, int]  # C, H, W of the input
    factor: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", maps_shape(self.shape, "an upsampling"))
        object.__setattr__(self, "factor", whole_number(self.factor, "factor of an upsampling", least=1))

    @classmethod
    def example(cls) -> tuple[Upsample, tuple[int, ...]]:
        """Return an example with factor 2."""
        return cls((2, 3, 2), 2), (2, 3, 2)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (C, factor H, factor W)."""
        as_maps(shape, self.shape)
        channels, height, width = self.shape
        return channels, height * self.factor, width * self.factor

    def words(self) -> str:
        """Return e.g. "upsample 2"."""
        return f"{self.kind} {self.factor}"

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"shape": list(self.shape), "factor": self.factor}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Upsample:
        """Return the layer described in a model file."""
        return cls(tuple(described["shape"]), described["factor"])

    def check_gradient(self) -> None:
        """Accept the layer: it has a gradient."""

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return a, (P, C * rows * columns, N)."""
        maps = maps_of(values, self.shape)
        return columns_of(maps.repeat(self.factor, axis=-3).repeat(self.factor, axis=-2)), None

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradient with respect to v."""
        (channels, height, width), each = self.shape, range(self.factor)
        maps = maps_of(gradient, (channels, height, self.factor, width, self.factor))
        rows = functools.reduce(operator.add, (maps[..., place, :, :, :] for place in each))  # 3 x as fast as `sum`
        return columns_of(functools.reduce(operator.add, (rows[..., place, :] for place in each))), []


@dataclass(frozen=True)
class TransposedConvolution(Filters):
    """Every value times the filters, summed where they overlap; with `same`, the output is H s x W s."""

    kind: ClassVar[str] = "transposed-convolution"
    noun: ClassVar[str] = "a transposed convolution"
    word: ClassVar[str] = "transposed"

    @classmethod
    def example(cls) -> tuple[TransposedConvolution, tuple[int, ...]]:
        """Return an example that cuts off more at the start than at the end."""
        return cls((2, 3, 2), 3, 3, 2, same=True), (2, 3, 2)

    @property
    def padding(self) -> tuple[int, int]:
        """PyTorch's padding p and output_padding q."""
        excess = self.size - self.stride if self.same else 0
        padding = -(-max(0, excess) // 2)
        return padding, 2 * padding - excess

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        padding, beyond = self.padding
        rows, columns = ((extent - 1) * self.stride - 2 * padding + self.size + beyond for extent in self.shape[1:])
        return rows, columns

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Weights (C, F, K, K) and biases (F,)."""
        channels, area = self.shape[0], self.size**2
        return (
            Parameter("weight", (channels, self.filters, self.size, self.size), self.filters * area),
            Parameter("bias", (self.filters,), self.filters * area, "bias"),
        )

    def groups(self, gene: Gene) -> Groups:
        """Return the groups of genes exchanged together; a unit is a filter with its bias."""
        return transposed_groups(self.shape[0], self.filters, self.size**2, gene)

    def scaled(self, arrays: Sequence[Array], scale: Array, shift: Array) -> list[Array] | None:
        """Return weights and biases that give scale * a + shift; None if channels are not filters."""
        weights, biases = arrays
        if len(scale) != self.filters:
            return None
        return [weights * scale[:, None, None], biases * scale + shift]

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return a (P, F * rows * columns, N), and keep v."""
        weights, biases = parameters
        xp, columns = array_module(weights), by_channel(values, self.shape[0])
        columns = columns.reshape(*columns.shape[:-2], -1)
        whole = xp.zeros((len(weights), self.filters, *self._whole, values.shape[-1]), weights.dtype)
        for i, j in taps(self.size):
            place = whole[tap_places(i, j, self.shape[1:], self.stride)]
            place += xp.matmul(weights[..., i, j].swapaxes(-1, -2), columns).reshape(place.shape)
        return columns_of(whole[self._cut] + biases[:, :, None, None, None]), columns

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to v, w and b."""
        weights, _ = parameters
        xp, by_output = array_module(weights), maps_of(gradient, (self.filters, *self.grid))
        whole = xp.zeros((*by_output.shape[:2], *self._whole, by_output.shape[-1]), weights.dtype)
        whole[self._cut] = by_output
        by_weights = xp.empty(weights.shape, weights.dtype)
        by_columns: Array = 0
        for i, j in taps(self.size):
            seen = whole[tap_places(i, j, self.shape[1:], self.stride)].reshape(*by_output.shape[:2], -1)
            if learning:
                by_weights[..., i, j] = xp.matmul(kept, seen.swapaxes(-1, -2))
            if wanted:
                by_columns = by_columns + xp.matmul(weights[..., i, j], seen)
        by_input = by_columns.reshape(len(weights), -1, gradient.shape[-1]) if wanted else None
        return by_input, [by_weights, by_output.sum(axis=(-3, -2, -1))] if learning else []

    @property
    def _whole(self) -> tuple[int, int]:
        """Rows and columns before cutting."""
        padding, _ = self.padding
        rows, columns = (
            max((extent - 1) * self.stride + self.size, padding + out)
            for extent, out in zip(self.shape[1:], self.grid, strict=True)
        )
        return rows, columns

    @property
    def _cut(self) -> tuple[Any, ...]:
        """The place of the output among them."""
        (padding, _), (rows, columns) = self.padding, self.grid
        return ..., slice(padding, padding + rows), slice(padding, padding + columns), slice(None)
