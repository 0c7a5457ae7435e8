"""What keeps a network that judges from winning too easily: weights of norm 1, and how alike the images of a batch are.

    spectral norm   W / sigma in place of W, sigma = u^T W v, with v = W^T u / |W^T u|; each training pass makes one
                    step of power iteration: u = W v / |W v|. Gradients hold u and v:
                    dW = (G - (sum of G W / sigma) u v^T) / sigma, with G the gradient by W / sigma
                    Source: Miyato, Kataoka, Koyama & Yoshida 2018, equations 8 to 12.

    minibatch       a channel more, the same number everywhere: the standard deviation over the images of a batch, mean
    deviation       over channels and positions; s = mean over i of sqrt(variance of v_i + 1e-8)
                    dv_i = ds (v_i - mean of v_i) / (I N sqrt(variance of v_i + 1e-8))
                    Source: Karras, Aila, Laine & Lehtinen 2018, section 3, of the whole batch as one group.

Shapes: W (P, R, M), a unit or filter a row; u (P, R), v (P, M). Values (P, C, positions, N) or shared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
from genreg_np.layers import read_layer
from genreg_np.layers.base import (
    PREDICTING,
    Array,
    Finished,
    Kept,
    Layer,
    Parameter,
    Passing,
    array_module,
    as_maps,
    by_channel,
)
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.groups import Gene, Groups
from genreg_np.layers.upsample import TransposedConvolution
from genreg_np.settings import whole_numbers

EPSILON = 1e-8  # of the variance that a deviation is the root of
TINY = 1e-12  # what is divided by instead of 0, which weights of 0 would give
ROW_AXES = {"dense": 0, "convolution": 0, "transposed-convolution": 1}  # along which units or filters lie


@dataclass(frozen=True)
class SpectralNorm(Layer):
    """A linear layer whose weights are divided by their largest singular value, as power iteration has it so far.

    Raises
    ------
    UsageError
        Of a layer that is not linear.
    """

    kind: ClassVar[str] = "spectral-norm"
    layer: Layer  # one of ROW_AXES

    def __post_init__(self) -> None:
        if not isinstance(self.layer, (Dense, Convolution, TransposedConvolution)):
            raise UsageError(f"a spectral norm is of one layer of {', '.join(ROW_AXES)}, not of {self.layer!r:.60}")

    @classmethod
    def example(cls) -> tuple[SpectralNorm, tuple[int, ...]]:
        """Return one of a dense layer."""
        return cls(Dense(6, 4, "tanh")), (6,)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return what the layer gives."""
        return self.layer.output_shape(shape)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The layer's: W and biases."""
        return self.layer.parameters

    @property
    def statistics(self) -> tuple[Parameter, ...]:
        """The direction u (R,), which begins with equal parts."""
        rows = self.layer.parameters[0].shape[ROW_AXES[self.layer.kind]]
        return (Parameter("direction", (rows,), role="statistic", first=rows**-0.5),)

    @property
    def needs_finishing(self) -> bool:
        """A saved model has the layer itself in its place."""
        return True

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return the layer, with W / sigma."""
        weights, *biases, direction = arrays
        _, sigma = self._measured(weights[None], direction[None], PREDICTING)
        return [(self.layer, [weights / sigma, *biases])]

    def words(self) -> str:
        """Return e.g. "spectral-norm (dense 4)": to be read, for the network line has no such word."""
        return f"{self.kind} ({self.layer.words()})"

    def header(self) -> dict[str, Any]:
        """Return the layer as a checkpoint's header describes it."""
        return {"layer": {"kind": self.layer.kind, **self.layer.header()}}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> SpectralNorm:
        """Return the layer that a checkpoint describes."""
        return cls(read_layer(described["layer"], arrays, where))

    def groups(self, gene: Gene) -> Groups:
        """Return the layer's."""
        return self.layer.groups(gene)

    def check_gradient(self) -> None:
        """Refuse what the layer refuses."""
        self.layer.check_gradient()

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return what the layer gives with W / sigma; in training u is brought one step nearer."""
        weights, *biases, direction = parameters
        right, sigma = self._measured(weights, direction, passing)
        divided = weights / sigma.reshape(-1, *(1,) * (weights.ndim - 1))
        found, kept = self.layer.forward([divided, *biases], values, passing)
        return found, (kept, divided, direction.copy(), right, sigma)

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients by the input, W and biases."""
        needed, divided, left, right, sigma = kept
        arrays = [divided, *parameters[1:-1]]
        back, gradients = self.layer.backward(arrays, needed, gradient, wanted=wanted, learning=learning)
        if not learning:
            return back, []
        by_divided, *others = gradients
        share = (by_divided * divided).reshape(len(sigma), -1).sum(axis=-1)[:, None, None]
        by_rows = self._rows(by_divided) - share * left[..., None] * right[:, None]
        by_weights = (by_rows / sigma[:, None, None]).reshape(self._units_first(divided).shape)
        return back, [array_module(divided).moveaxis(by_weights, 1, 1 + ROW_AXES[self.layer.kind]), *others]

    def _measured(self, weights: Array, left: Array, passing: Passing) -> tuple[Array, Array]:
        """Return v and sigma; in training u, on the left, changes in place before sigma is taken."""
        rows = self._rows(weights)
        right = _unit((rows * left[..., None]).sum(axis=-2))
        sums = (rows * right[:, None]).sum(axis=-1)
        if passing.training:
            left[...] = _unit(sums)
        return right, array_module(weights).maximum((left * sums).sum(axis=-1), TINY)

    def _units_first(self, weights: Array) -> Array:
        return array_module(weights).moveaxis(weights, 1 + ROW_AXES[self.layer.kind], 1)

    def _rows(self, weights: Array) -> Array:
        """Return W (P, R, M)."""
        units_first = self._units_first(weights)
        return units_first.reshape(*units_first.shape[:2], -1)


def _unit(vectors: Array) -> Array:
    """Return vectors (P, n) of length 1; those without a length stay 0."""
    xp = array_module(vectors)
    return vectors / xp.maximum(xp.sqrt((vectors * vectors).sum(axis=-1, keepdims=True)), TINY)


@dataclass(frozen=True)
class MinibatchDeviation(Layer):
    """How much the images of a batch differ, as a channel of its own; of an image alone, in prediction, that is 0.

    Raises
    ------
    UsageError
        For a shape that is none of flat values (C,) or of maps (C, H, W).
    """

    kind: ClassVar[str] = "minibatch-deviation"
    shape: tuple[int, ...]  # C, or C, H, W, of what goes in

    def __post_init__(self) -> None:
        shape = whole_numbers(self.shape, f"shape of {self.kind}", least=1)
        if len(shape) not in (1, 3):
            raise UsageError(f"{self.kind} takes flat values (C,) or maps (C, H, W), not {shape}")
        object.__setattr__(self, "shape", shape)

    @classmethod
    def example(cls) -> tuple[MinibatchDeviation, tuple[int, ...]]:
        """Return one of two channels."""
        return cls((2, 2, 3)), (2, 2, 3)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return a channel more."""
        as_maps(shape, self.shape)
        return (self.shape[0] + 1, *self.shape[1:])

    @property
    def only_by_gradient(self) -> bool:
        """What is judged without gradients is judged image by image."""
        return True

    def header(self) -> dict[str, Any]:
        """Return the layer as the model file's header describes it."""
        return {"shape": list(self.shape)}

    @classmethod
    def read(
        cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str
    ) -> MinibatchDeviation:
        """Return the layer that a model file describes."""
        return cls(tuple(described["shape"]))

    def check_gradient(self) -> None:
        """Nothing to refuse."""

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return v and s; in training keep the values less their means, and their deviations."""
        xp, channels = array_module(values), by_channel(values, self.shape[0])
        beside, kept = xp.zeros((*values.shape[:-2], channels.shape[-2], values.shape[-1]), values.dtype), None
        if passing.training:
            centred = values - values.mean(axis=-1, keepdims=True)
            deviations = xp.sqrt((centred * centred).mean(axis=-1, keepdims=True) + EPSILON)
            beside += deviations.mean(axis=(-2, -1), keepdims=True)
            kept = centred, deviations
        return xp.concatenate([values, beside], axis=-2), kept

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradient by v."""
        inputs = math.prod(self.shape)
        by_values = gradient[:, :inputs]
        if kept is None:
            return by_values, []
        centred, deviations = kept
        by_deviation = gradient[:, inputs:].sum(axis=(-2, -1), keepdims=True)
        return by_values + by_deviation * centred / (deviations * (inputs * gradient.shape[-1])), []
