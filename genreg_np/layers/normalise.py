"""Normalisation to mean 0 and variance 1, followed by a learned scale and shift per channel.

    n = (v - mean) / sqrt(variance + 1e-5),     a = scale n + shift

    dscale = sum of da n,     dshift = sum of da
    dv = (dn - mean of dn - n * mean of (dn n)) / sqrt(variance + 1e-5),     dn = scale da

    batch norm      mean and variance per channel, over all images and positions          (Ioffe & Szegedy 2015)
    group norm      per image, over the positions of a group of channels                  (Wu & He 2018)
    instance norm   group norm with one channel per group                                 (Ulyanov et al. 2016)
    layer norm      group norm with all channels in one group                             (Ba et al. 2016)
    scale-shift     neither mean nor variance: a = scale v + shift

Variances are biased. In training, batch norm tracks running values per channel: running = .9 running + .1 batch's, with
the unbiased variance, as in PyTorch. Predictions use these, so that only a scale and a shift are left.

Shapes: C channels of any number of positions, v (P, C, positions, N) or shared (C, positions, N); scale, shift, mean,
variance (P, C). Flat inputs are channels of one position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
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
from genreg_np.layers.groups import Gene, Groups, channel_groups
from genreg_np.settings import whole_number, whole_numbers

EPSILON = 1e-5
MOMENTUM = 0.1


@dataclass(frozen=True)
class _Scaled(Layer):
    """Base class of all: a learned scale and shift per channel.

    Raises
    ------
    UsageError
        For a shape that is neither flat values (C,) nor maps (C, H, W).
    """

    shape: tuple[int, ...]  # C, or C, H, W

    def __post_init__(self) -> None:
        shape = whole_numbers(self.shape, f"shape of {self.kind}", least=1)
        if len(shape) not in (1, 3):
            raise UsageError(f"{self.kind} takes flat values (C,) or maps (C, H, W), not {shape}")
        object.__setattr__(self, "shape", shape)

    @property
    def channels(self) -> int:
        """C."""
        return self.shape[0]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the input shape."""
        as_maps(shape, self.shape)
        return self.shape

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Scales (C,), initially 1, and shifts (C,), initially 0."""
        return (
            Parameter("scale", (self.channels,), role="scale", first=1.0),
            Parameter("shift", (self.channels,), role="shift"),
        )

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"shape": list(self.shape)}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> _Scaled:
        """Return the layer described in a model file."""
        return cls(tuple(described["shape"]))

    def groups(self, gene: Gene) -> Groups:
        """Return the groups of genes exchanged together: a channel's scale and shift, or all."""
        return channel_groups(2, self.channels, gene)

    def check_gradient(self) -> None:
        """Accept the layer: it has a gradient."""

    def normalised(self, values: Array, statistics: Sequence[Array], passing: Passing) -> tuple[Array, Kept]:
        """Return n (..., C, positions, N), and what its gradient needs; statistics are updated in place."""
        raise NotImplementedError

    def denormalised(self, kept: Kept, gradient: Array) -> Array:
        """Return the gradient with respect to v, given that with respect to n."""
        raise NotImplementedError

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return a (P, I, N), and keep n."""
        scale, shift, *statistics = parameters
        normal, kept = self.normalised(by_channel(values, self.channels), statistics, passing)
        scaled = normal * scale[:, :, None, None] + shift[:, :, None, None]
        return scaled.reshape(len(scale), -1, values.shape[-1]), (normal, kept)

    def backward(
        self, parameters: Sequence[Array], kept: Kept, gradient: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to v, scale and shift."""
        normal, needed = kept
        by_output = by_channel(gradient, self.channels)
        gradients = [(by_output * normal).sum(axis=(-2, -1)), by_output.sum(axis=(-2, -1))] if learning else []
        if not wanted:
            return None, gradients
        by_normal = by_output * parameters[0][:, :, None, None]
        return self.denormalised(needed, by_normal).reshape(gradient.shape), gradients


@dataclass(frozen=True)
class ScaleShift(_Scaled):
    """scale v + shift: batch norm in a saved model, unless the layer before it can take it over."""

    kind: ClassVar[str] = "scale-shift"

    @classmethod
    def example(cls) -> tuple[ScaleShift, tuple[int, ...]]:
        """Return an example with three channels."""
        return cls((3, 2, 2)), (3, 2, 2)

    def joined_to(self, before: Layer, arrays_before: Sequence[Array], arrays: Sequence[Array]) -> list[Array] | None:
        """Return arrays of the preceding layer that scale and shift its outputs; None if there are none."""
        scale, shift = arrays
        return before.scaled(arrays_before, scale, shift)

    def scaled(self, arrays: Sequence[Array], scale: Array, shift: Array) -> list[Array] | None:
        """Return the combined scale and shift."""
        own_scale, own_shift = arrays
        return [own_scale * scale, own_shift * scale + shift] if len(scale) == self.channels else None

    def normalised(self, values: Array, statistics: Sequence[Array], passing: Passing) -> tuple[Array, Kept]:
        """Return v."""
        return values, None

    def denormalised(self, kept: Kept, gradient: Array) -> Array:
        """Return the gradient."""
        return gradient


@dataclass(frozen=True)
class BatchNorm(_Scaled):
    """Normalises each channel over all images and positions of a batch; in prediction, by the running statistics."""

    kind: ClassVar[str] = "batch-norm"

    @classmethod
    def example(cls) -> tuple[BatchNorm, tuple[int, ...]]:
        """Return an example with three channels."""
        return cls((3, 2, 2)), (3, 2, 2)

    @property
    def statistics(self) -> tuple[Parameter, ...]:
        """Running means (C,) and variances (C,)."""
        return (
            Parameter("mean", (self.channels,), role="statistic"),
            Parameter("variance", (self.channels,), role="statistic", first=1.0),
        )

    @property
    def needs_finishing(self) -> bool:
        """True: a saved model has a scale and a shift in its place."""
        return True

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return a scale and a shift."""
        scale, shift, mean, variance = arrays
        scale = scale / array_module(variance).sqrt(variance + EPSILON)
        return [(ScaleShift(self.shape), [scale, shift - mean * scale])]

    def normalised(self, values: Array, statistics: Sequence[Array], passing: Passing) -> tuple[Array, Kept]:
        """Return n, in training by the batch's statistics, and keep 1 / deviation, and in training n."""
        mean, variance = (running[:, :, None, None] for running in statistics)
        if passing.training:
            mean = values.mean(axis=(-2, -1), keepdims=True)
            variance = values.var(axis=(-2, -1), keepdims=True)
            count = values.shape[-2] * values.shape[-1]
            unbiased = variance * (count / (count - 1)) if count > 1 else statistics[1][..., None, None]
            for running, now in zip(statistics, (mean, unbiased), strict=True):
                running += MOMENTUM * (now[..., 0, 0] - running)
        inverse = 1 / array_module(values).sqrt(variance + EPSILON)
        normal = (values - mean) * inverse
        return normal, (inverse, normal if passing.training else None)

    def denormalised(self, kept: Kept, gradient: Array) -> Array:
        """Return the gradient with respect to v; running means and variances are constants."""
        inverse, normal = kept
        return inverse * (gradient if normal is None else _centred(gradient, normal, (-2, -1)))


@dataclass(frozen=True)
class _PerImage(_Scaled):
    """Normalises each image over the positions of a group of channels.

    Raises
    ------
    UsageError
        For channels that cannot be grouped equally, or groups of a single value, which would become 0.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels % self.parts:
            raise UsageError(f"{self.channels} channels cannot be put into {self.parts} equal groups")
        if np.prod(self.shape) == self.parts:
            raise UsageError(f"{self.kind} of groups of a single value leaves nothing of it: use fewer groups")

    @property
    def parts(self) -> int:
        """G, the number of groups."""
        raise NotImplementedError

    def normalised(self, values: Array, statistics: Sequence[Array], passing: Passing) -> tuple[Array, Kept]:
        """Return n, and keep 1 / deviation and n, grouped."""
        grouped = self._grouped(values)
        inverse = 1 / array_module(values).sqrt(grouped.var(axis=-2, keepdims=True) + EPSILON)
        normal = (grouped - grouped.mean(axis=-2, keepdims=True)) * inverse
        return normal.reshape(values.shape), (inverse, normal)

    def denormalised(self, kept: Kept, gradient: Array) -> Array:
        """Return the gradient with respect to v."""
        inverse, normal = kept
        return (inverse * _centred(self._grouped(gradient), normal, (-2,))).reshape(gradient.shape)

    def _grouped(self, values: Array) -> Array:
        """Return (..., C, positions, N) as (..., G, values of a group, N)."""
        return values.reshape(*values.shape[:-3], self.parts, -1, values.shape[-1])


def _centred(gradient: Array, normal: Array, axes: tuple[int, ...]) -> Array:
    """Return a gradient without its mean and its component along n."""
    mean, along = (part.mean(axis=axes, keepdims=True) for part in (gradient, gradient * normal))
    return gradient - mean - normal * along


@dataclass(frozen=True)
class InstanceNorm(_PerImage):
    """Normalises each channel of each image."""

    kind: ClassVar[str] = "instance-norm"

    @classmethod
    def example(cls) -> tuple[InstanceNorm, tuple[int, ...]]:
        """Return an example with two channels."""
        return cls((2, 3, 2)), (2, 3, 2)

    @property
    def parts(self) -> int:
        """C."""
        return self.channels


@dataclass(frozen=True)
class LayerNorm(_PerImage):
    """Normalises all values of each image; for maps, scale and shift are per channel, not per value.

    This is PyTorch's GroupNorm with one group. PyTorch's LayerNorm learns a scale and a shift per value, so the two are
    the same only for flat values.
    """

    kind: ClassVar[str] = "layer-norm"

    @classmethod
    def example(cls) -> tuple[LayerNorm, tuple[int, ...]]:
        """Return an example with three channels."""
        return cls((3, 2, 2)), (3, 2, 2)

    @property
    def parts(self) -> int:
        """1."""
        return 1


@dataclass(frozen=True)
class GroupNorm(_PerImage):
    """Normalises groups of channels of each image."""

    kind: ClassVar[str] = "group-norm"
    count: int = 1  # G

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", whole_number(self.count, "groups of a group norm", least=1))
        super().__post_init__()

    @classmethod
    def example(cls) -> tuple[GroupNorm, tuple[int, ...]]:
        """Return an example with two groups of two channels."""
        return cls((4, 2, 1), 2), (4, 2, 1)

    @property
    def parts(self) -> int:
        """G."""
        return self.count

    def words(self) -> str:
        """Return e.g. "group-norm 4"."""
        return f"{self.kind} {self.count}"

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {**super().header(), "groups": self.count}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> GroupNorm:
        """Return the layer described in a model file."""
        return cls(tuple(described["shape"]), described["groups"])
