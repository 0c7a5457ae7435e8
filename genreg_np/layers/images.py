"""Fixed layers: they transform an input before the learning layers and never change in training.

Each is described here and computed by infer_images.py or infer_layers.py, which alone contain the arithmetic:

    Levels        (I,) 0 .. 1       -> (I,) levels: whole numbers 0 .. 255
    Deskew        (H, W) levels     -> (H, W) levels, sheared upright and centred
    Detectors     (C, H, W) levels  -> (C / D, F, signs, rows, columns) levels
    Deviations    (I,) levels       -> (2 I,) levels: the same, and the distance of each from its middle
    Branches      (I,)              -> the outputs of several stacks of layers, end to end
    Standardise   (I,)              -> (I,) float32, mean 0 and deviation 1 in training
    Project       (I,)              -> (O,) float32

Levels are exact: every sum stays below 2**24 (infer_images.py), so the bits are the same for any order of summation,
any backend and any number of threads.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.errors import UsageError
from genreg_np.layers import read_layer
from genreg_np.layers.base import PREDICTING, Array, Arrays, Float32, Kept, Layer, Passing

Int8 = NDArray[np.int8]
UInt8 = NDArray[np.uint8]
FileArrays = Mapping[str, NDArray[np.generic]]
TAP_SUM = 128  # largest sum of a detector's positive taps: 255 * 128 < 2**15


@dataclass(frozen=True)
class FixedLayer(Layer):
    """Base class of fixed layers: they have nothing to learn, and no gradient.

    Raises
    ------
    UsageError
        If its parts do not fit together.
    """

    def __post_init__(self) -> None:
        try:
            self._layer  # noqa: B018 - built now, so that errors are found now
        except infer.ModelError as error:
            raise UsageError(str(error).replace("layer 0", f"a layer of {self.kind}", 1)) from None

    @property
    def whole(self) -> bool:
        """Whether its outputs are levels."""
        return False

    @functools.cached_property
    def _layer(self) -> infer.Layer:
        arrays = {f"layers.0.{name}": array for name, array in self.arrays().items()}
        header = {"kind": self.kind, **self.header()}
        infer.complete([header])
        return infer.LAYERS[self.kind](header, arrays, "layers.0", "layer 0")

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self._layer[0]

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return self._layer[1]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (outputs,); inputs of any shape are flattened."""
        if math.prod(shape) != self.inputs:
            raise UsageError(f"takes {self.inputs} inputs, but {math.prod(shape)} arrive")
        return (self.outputs,)

    def apply(self, features: Float32) -> Float32:
        """Transform (N, inputs) float32 features as the runtime does."""
        transformed: Float32 = self._layer[2](features)
        return transformed

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return outputs (outputs, N) or (P, outputs, N) for NumPy arrays (inputs, N) or (P, inputs, N)."""
        rows = np.ascontiguousarray(np.swapaxes(values, -1, -2))
        found = self.apply(rows.reshape(-1, self.inputs)).reshape(*rows.shape[:-1], self.outputs)
        return np.ascontiguousarray(np.swapaxes(found, -1, -2)), None


@dataclass(frozen=True)
class Levels(FixedLayer):
    """floor(255 x + 1/2): 0 .. 1 to whole numbers."""

    kind: ClassVar[str] = "levels"
    width: int  # I

    @classmethod
    def example(cls) -> tuple[Levels, tuple[int, ...]]:
        """Return an example with six numbers."""
        return cls(6), (6,)

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"inputs": self.width}

    @property
    def whole(self) -> bool:
        """Whether its outputs are levels."""
        return True

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: FileArrays, where: str) -> Levels:
        """Return the layer described in a model file."""
        return cls(described["inputs"])


@dataclass(frozen=True)
class Deskew(FixedLayer):
    """Shear images upright and centre them (infer_images.deskew)."""

    kind: ClassVar[str] = "deskew"
    shape: tuple[int, int]  # H, W
    centred: bool = True  # else sheared only

    @classmethod
    def example(cls) -> tuple[Deskew, tuple[int, ...]]:
        """Return an example that centres."""
        return cls((5, 4)), (5, 4)

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"shape": list(self.shape), "centred": self.centred}

    @property
    def whole(self) -> bool:
        """Whether its outputs are levels."""
        return True

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: FileArrays, where: str) -> Deskew:
        """Return the layer described in a model file."""
        return cls(tuple(described["shape"]), described["centred"])


@dataclass(frozen=True)
class Detectors(FixedLayer):
    """Filters over each channel, or over D at once, rectified, pooled, square-rooted (infer_images.detect)."""

    kind: ClassVar[str] = "detectors"
    shape: tuple[int, int, int]  # C, H, W
    filters: Int8 = field(compare=False, repr=False)  # (F, size, size), or (F, D, size, size)
    margin: int  # dark pixels put around each image
    window: int  # pixels of a pool, each way
    stride: int  # pixels from one pool to the next
    signed: bool  # r and -r rectified and pooled separately; else |r|
    gain: float  # of the square root of a pool's sum; a float32 value

    @classmethod
    def example(cls) -> tuple[Detectors, tuple[int, ...]]:
        """Return an example with a single filter."""
        return cls((1, 5, 4), np.eye(3, dtype=np.int8)[None], 1, 2, 2, True, 0.5), (1, 5, 4)

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {
            "shape": list(self.shape),
            "filters": len(self.filters),
            "size": self.filters.shape[-1],
            "margin": self.margin,
            "window": self.window,
            "stride": self.stride,
            "signed": self.signed,
            "gain": self.gain,
            **({"depth": self.depth} if self.filters.ndim == 4 else {}),
        }

    def arrays(self, values: Sequence[NDArray[np.generic]] = ()) -> Arrays:
        """Return the filters."""
        return {"filters": self.filters}

    @property
    def depth(self) -> int:
        """D, the number of channels that a filter sees at once."""
        return math.prod(self.filters.shape[1:-2])

    @property
    def whole(self) -> bool:
        """Whether its outputs are levels."""
        return True

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of pools."""
        beyond = 2 * self.margin - self.filters.shape[-1] + 1 - self.window
        return (self.shape[1] + beyond) // self.stride + 1, (self.shape[2] + beyond) // self.stride + 1

    @property
    def maps(self) -> int:
        """Number of output maps: C / D * F * signs."""
        return self.shape[0] // self.depth * len(self.filters) * (1 + self.signed)

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: FileArrays, where: str) -> Detectors:
        """Return the layer described in a model file."""
        settings = {name: described[name] for name in ("margin", "window", "stride", "signed", "gain")}
        return cls(tuple(described["shape"]), arrays[f"{where}.filters"].astype(np.int8), **settings)


@dataclass(frozen=True)
class Deviations(FixedLayer):
    """x and |x - middle|: with both, a head can detect values far from the middle on either side."""

    kind: ClassVar[str] = "deviations"
    middle: UInt8 = field(compare=False, repr=False)  # (I,)

    @classmethod
    def example(cls) -> tuple[Deviations, tuple[int, ...]]:
        """Return an example with six numbers."""
        return cls(np.arange(6, dtype=np.uint8)), (6,)

    @classmethod
    def fit(cls, levels: UInt8) -> Deviations:
        """Return the layer with the rounded means of levels (N, I) as the middle."""
        return cls(np.rint(levels.mean(axis=0, dtype=np.float64)).astype(np.uint8))

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"inputs": len(self.middle)}

    def arrays(self, values: Sequence[NDArray[np.generic]] = ()) -> Arrays:
        """Return the middle."""
        return {"middle": self.middle}

    @property
    def whole(self) -> bool:
        """Whether its outputs are levels."""
        return True

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: FileArrays, where: str) -> Deviations:
        """Return the layer described in a model file."""
        return cls(arrays[f"{where}.middle"].astype(np.uint8))


@dataclass(frozen=True)
class Branches(FixedLayer):
    """Several stacks of layers with the same input, their outputs end to end."""

    kind: ClassVar[str] = "branches"
    stacks: tuple[tuple[FixedLayer, ...], ...]

    @classmethod
    def example(cls) -> tuple[Branches, tuple[int, ...]]:
        """Return an example with two stacks of one layer each."""
        return cls(((Levels(6),), (Project(np.eye(2, 6, dtype=np.float32)),))), (6,)

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        described = [[{"kind": layer.kind, **layer.header()} for layer in stack] for stack in self.stacks]
        return {"inputs": self.stacks[0][0].inputs, "branches": described}

    def arrays(self, values: Sequence[NDArray[np.generic]] = ()) -> Arrays:
        """Return the arrays of all stacks."""
        return {
            f"{number}.{index}.{name}": array
            for number, stack in enumerate(self.stacks)
            for index, layer in enumerate(stack)
            for name, array in layer.arrays().items()
        }

    @property
    def whole(self) -> bool:
        """Whether its outputs are levels."""
        return all(layer.whole for stack in self.stacks for layer in stack)

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: FileArrays, where: str) -> Branches:
        """Return the layer described in a model file."""
        stacks = [
            tuple(
                cast(FixedLayer, read_layer(layer, arrays, f"{where}.{number}.{index}"))
                for index, layer in enumerate(stack)
            )
            for number, stack in enumerate(described["branches"])
        ]
        return cls(tuple(stacks))


@dataclass(frozen=True)
class Standardise(FixedLayer):
    """(x - mean) * scale, feature by feature, computed from the training split."""

    kind: ClassVar[str] = "standardise"
    mean: Float32 = field(compare=False)  # (I,)
    scale: Float32 = field(compare=False)  # (I,) 1 / standard deviation, 1 for a constant feature

    @classmethod
    def example(cls) -> tuple[Standardise, tuple[int, ...]]:
        """Return an example with six features."""
        return cls(np.arange(6, dtype=np.float32), np.full(6, 0.5, np.float32)), (6,)

    @classmethod
    def fit(cls, features: NDArray[np.generic]) -> Standardise:
        """Fit to (N, I) features."""
        return cls.of(features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64))

    @classmethod
    def of(cls, mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> Standardise:
        """Return the layer for each feature's mean and standard deviation, (I,)."""
        with np.errstate(divide="ignore", over="ignore"):
            scale = (1 / deviation).astype(np.float32)
        scale[~np.isfinite(scale)] = 1  # constant, or so nearly that 1 / deviation is beyond float32
        return cls(mean.astype(np.float32), scale)

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"inputs": len(self.mean)}

    def arrays(self, values: Sequence[NDArray[np.generic]] = ()) -> Arrays:
        """Return mean and scale."""
        return {"mean": self.mean, "scale": self.scale}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: FileArrays, where: str) -> Standardise:
        """Return the layer described in a model file."""
        return cls(arrays[f"{where}.mean"].astype(np.float32), arrays[f"{where}.scale"].astype(np.float32))


@dataclass(frozen=True)
class Project(FixedLayer):
    """Matrix times x, for example to project onto principal axes."""

    kind: ClassVar[str] = "project"
    matrix: Float32 = field(compare=False)  # (O, I)

    @classmethod
    def example(cls) -> tuple[Project, tuple[int, ...]]:
        """Return an example that keeps the first two numbers."""
        return cls(np.eye(2, 6, dtype=np.float32)), (6,)

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"inputs": self.matrix.shape[1], "outputs": self.matrix.shape[0]}

    def arrays(self, values: Sequence[NDArray[np.generic]] = ()) -> Arrays:
        """Return the matrix."""
        return {"matrix": self.matrix}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: FileArrays, where: str) -> Project:
        """Return the layer described in a model file."""
        return cls(arrays[f"{where}.matrix"].astype(np.float32))


def quantised(taps: NDArray[np.float64], centred: bool = True) -> Int8:
    """Return filters (F, ..., size, size) scaled and truncated to whole numbers, first centred if `centred`.

    A uniform filter then becomes zero.
    """
    rows = taps.reshape(len(taps), -1)
    if centred:
        rows = rows - rows.mean(axis=1, keepdims=True)
    sums = np.maximum(rows, 0).sum(axis=1), np.maximum(-rows, 0).sum(axis=1)
    most = (sums[0] if centred else np.maximum(*sums))[:, None]
    scaled = np.divide(TAP_SUM * rows, most, out=np.zeros_like(rows), where=most > 1e-9)
    whole: Int8 = np.clip(np.trunc(scaled), -127, 127).astype(np.int8)
    return whole.reshape(taps.shape)
