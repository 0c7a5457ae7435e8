"""Layers of GAN discriminators: weights of spectral norm 1, and the deviation within a batch of images.

    spectral norm   W / sigma instead of W, sigma = u^T W v, with v = W^T u / |W^T u|; each training pass makes one
                    step of power iteration: u = W v / |W v|. In gradients, u and v are constant:
                    dW = (G - (sum of G W / sigma) u v^T) / sigma, with G the gradient of W / sigma
                    Source: Miyato, Kataoka, Koyama & Yoshida 2018, equations 8 to 12.

    minibatch       an extra channel, the same number everywhere: the standard deviation over the images of a batch,
    deviation       averaged over channels and positions; s = mean over i of sqrt(variance of v_i + 1e-8)
                    dv_i = ds (v_i - mean of v_i) / (I N sqrt(variance of v_i + 1e-8))
                    Source: Karras, Aila, Laine & Lehtinen 2018, section 3, with the whole batch as one group.

Shapes: W (P, R, M), one row per unit or filter; u (P, R), v (P, M). Values (P, C, positions, N) or shared.
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

EPSILON = 1e-8  # added to the variance before the square root
TINY = 1e-12  # divisor instead of 0, if weights are 0
ROW_AXES = {"dense": 0, "convolution": 0, "transposed-convolution": 1}  # axis of units or filters


@dataclass(frozen=True)
class SpectralNorm(Layer):
    """A linear layer whose weights are divided by their largest singular value, estimated by power iteration.

    Raises
    ------
    UsageError
        For a layer that is not linear.
    """

    kind: ClassVar[str] = "spectral-norm"
    layer: Layer  # one of ROW_AXES

    def __post_init__(self) -> None:
        if not isinstance(self.layer, (Dense, Convolution, TransposedConvolution)):
            raise UsageError(f"spectral-norm takes one layer of {', '.join(ROW_AXES)}, not {self.layer!r:.60}")

    @classmethod
    def example(cls) -> tuple[SpectralNorm, tuple[int, ...]]:
        """Return an example with a dense layer."""
        return cls(Dense(6, 4, "tanh")), (6,)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the inner layer's output shape."""
        return self.layer.output_shape(shape)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The inner layer's parameters: W and biases."""
        return self.layer.parameters

    @property
    def statistics(self) -> tuple[Parameter, ...]:
        """The direction u (R,), initially with equal components."""
        rows = self.layer.parameters[0].shape[ROW_AXES[self.layer.kind]]
        return (Parameter("direction", (rows,), role="statistic", first=rows**-0.5),)

    @property
    def needs_finishing(self) -> bool:
        """True: a saved model has the inner layer in its place."""
        return True

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return the inner layer, with W / sigma."""
        weights, *biases, direction = arrays
        _, sigma = self._measured(weights[None], direction[None], PREDICTING)
        return [(self.layer, [weights / sigma, *biases])]

    def words(self) -> str:
        """Return e.g. "spectral-norm (dense 4)", for display only: the network line has no such word."""
        return f"{self.kind} ({self.layer.words()})"

    def header(self) -> dict[str, Any]:
        """Return the layer's description in a checkpoint's header."""
        return {"layer": {"kind": self.layer.kind, **self.layer.header()}}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> SpectralNorm:
        """Return the layer described in a checkpoint."""
        return cls(read_layer(described["layer"], arrays, where))

    def groups(self, gene: Gene) -> Groups:
        """Return the inner layer's groups."""
        return self.layer.groups(gene)

    def check_gradient(self) -> None:
        """Refuse an inner layer that has no gradient."""
        self.layer.check_gradient()

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return the inner layer's outputs with W / sigma; in training, update u by one step."""
        weights, *biases, direction = parameters
        right, sigma = self._measured(weights, direction, passing)
        divided = weights / sigma.reshape(-1, *(1,) * (weights.ndim - 1))
        found, kept = self.layer.forward([divided, *biases], values, passing)
        return found, (kept, divided, direction.copy(), right, sigma)

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to the input, W and biases."""
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
        """Return v and sigma; in training, u (`left`) is updated in place before sigma is computed."""
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
    """Return vectors (P, n) scaled to length 1; zero vectors stay 0."""
    xp = array_module(vectors)
    return vectors / xp.maximum(xp.sqrt((vectors * vectors).sum(axis=-1, keepdims=True)), TINY)


@dataclass(frozen=True)
class MinibatchDeviation(Layer):
    """The deviation of values over the images of a batch, as an extra channel; 0 in prediction.

    Raises
    ------
    UsageError
        For a shape that is neither flat values (C,) nor maps (C, H, W).
    """

    kind: ClassVar[str] = "minibatch-deviation"
    shape: tuple[int, ...]  # C, or C, H, W, of the input

    def __post_init__(self) -> None:
        shape = whole_numbers(self.shape, f"shape of {self.kind}", least=1)
        if len(shape) not in (1, 3):
            raise UsageError(f"{self.kind} takes flat values (C,) or maps (C, H, W), not {shape}")
        object.__setattr__(self, "shape", shape)

    @classmethod
    def example(cls) -> tuple[MinibatchDeviation, tuple[int, ...]]:
        """Return an example with two channels."""
        return cls((2, 2, 3)), (2, 2, 3)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape with one more channel."""
        as_maps(shape, self.shape)
        return (self.shape[0] + 1, *self.shape[1:])

    @property
    def only_by_gradient(self) -> bool:
        """True: without gradients, images are scored one by one."""
        return True

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"shape": list(self.shape)}

    @classmethod
    def read(
        cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str
    ) -> MinibatchDeviation:
        """Return the layer described in a model file."""
        return cls(tuple(described["shape"]))

    def check_gradient(self) -> None:
        """Accept the layer: it has a gradient."""

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return v and s; in training, keep the centred values and their deviations."""
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
        """Return the gradient with respect to v."""
        inputs = math.prod(self.shape)
        by_values = gradient[:, :inputs]
        if kept is None:
            return by_values, []
        centred, deviations = kept
        by_deviation = gradient[:, inputs:].sum(axis=(-2, -1), keepdims=True)
        return by_values + by_deviation * centred / (deviations * (inputs * gradient.shape[-1])), []
