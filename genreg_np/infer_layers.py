"""Layers that are not dense. For a model that has some, place this file beside infer.py, or append it to that file.

    standardise   (x - mean) * scale
    project       matrix x
    branches      several stacks of one input, concatenated
    elman         h' = a(W x + U h + b), with h its output of the previous step

and the learning layers of maps (C, H, W): convolution, pooling, normalisation, activations, upsampling, nested stacks.

This file defines what they compute: exporters, backends and kernels must match it. infer.py looks for this file when it
reads a model that needs it. A new kind takes a maker here, an entry of LAYERS below, and one of infer.py's ELSEWHERE.

Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

if "ModelError" not in globals():  # outside a package, infer.py has already put its names here
    from .infer import (
        ACTIVATIONS,
        INT8,
        LAYERS,
        MOST_VALUES,
        Arrays,
        Function,
        Layer,
        ModelError,
        entry_of,
        in_pieces,
        require,
        stack,
        weights_of,
        whole_number,
    )

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # from Klambauer et al. 2017
NEAR_ZERO = 1e-5  # what normalisation adds to a variance


def _standardise(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs = whole_number(layer["inputs"])
    mean, scale = (weights_of(arrays, f"{where}.{part}", (inputs,)) for part in ("mean", "scale"))
    return inputs, inputs, lambda x: (x - mean) * scale


def _project(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs, outputs = whole_number(layer["inputs"]), whole_number(layer["outputs"])
    matrix = weights_of(arrays, f"{where}.matrix", (outputs, inputs))
    return inputs, outputs, lambda x: x @ matrix.T


def _branches(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs = whole_number(layer["inputs"])
    branches: list[Layer] = []
    for number, branch in enumerate(entry_of(layer, "branches", list)):
        if not isinstance(branch, list) or any(part["kind"] in NO_BRANCH for part in branch):
            raise ModelError(f"{name} has a branch that is not a list of fixed layers")
        branches.append(stack(branch, arrays, f"{where}.{number}", inputs))
    if not branches:
        raise ModelError(f"{name} has no branches")
    outputs = sum(width for _, width, _ in branches)
    return inputs, outputs, lambda x: np.concatenate([function(x) for _, _, function in branches], axis=1)


def _elman(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return a(W x + b), or a(W x + U h + b) with h popped from the front of `states` and the output appended."""
    require(where.count(".") == 1, f"{name} (elman) remembers, so it cannot stand within another layer")
    inputs, outputs, activation = whole_number(layer["inputs"]), whole_number(layer["outputs"]), layer["activation"]
    weight, recurrent = (
        weights_of(arrays, f"{where}.{part}", (outputs, width)).T
        for part, width in (("weight", inputs), ("recurrent", outputs))
    )
    bias = weights_of(arrays, f"{where}.bias", (outputs,))[None]
    require(activation in ACTIVATIONS, f"{name} has the unknown activation {activation!r}; use a newer infer.py")
    activate = ACTIVATIONS[activation]

    def run(x: np.ndarray, states: list[np.ndarray] | None = None) -> np.ndarray:
        z: np.ndarray = x.dot(weight)
        if states is None:  # the first step, from zeros
            z += bias
            return activate(z)
        z += states.pop(0)[None].dot(recurrent)
        z += bias
        z = activate(z)
        states.append(z[0].copy())
        return z

    return inputs, outputs, run


# Learning layers, and those between them. Maps (C, H, W) are stored channel by channel, row by row.


def _activation(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs, function = whole_number(layer["inputs"]), layer["function"]
    require(function in FUNCTIONS, f"{name} has the unknown function {str(function)[:40]!r}; use a newer infer.py")
    return inputs, inputs, in_pieces(FUNCTIONS[function], 16 * inputs, name)


def _selu(z: np.ndarray) -> np.ndarray:
    return np.where(z > 0, z * np.float32(SELU_SCALE), _elu(z) * np.float32(SELU_SCALE * SELU_ALPHA))


def _elu(z: np.ndarray) -> np.ndarray:
    return np.where(z > 0, z, np.expm1(np.minimum(z, np.float32(0))))


FUNCTIONS: dict[str, Function] = {
    **{function: activate for function, activate in ACTIVATIONS.items() if function != "linear"},
    "elu": _elu,
    "selu": _selu,
}


def _prelu(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return x, or slope * x where x < 0, with a slope for each channel."""
    shape = _shape(layer, name)
    slope, inputs = weights_of(arrays, f"{where}.slope", shape[:1])[:, None], math.prod(shape)

    def run(x: np.ndarray) -> np.ndarray:
        maps = x.reshape(len(x), shape[0], inputs // shape[0])
        return np.where(maps > 0, maps, maps * slope).reshape(len(x), inputs)

    return inputs, inputs, in_pieces(run, 16 * inputs, name)


def _scale_shift(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return scale * x + shift, with a scale and a shift for each channel."""
    shape = _shape(layer, name)
    scale, shift = (weights_of(arrays, f"{where}.{part}", shape[:1])[:, None] for part in ("scale", "shift"))
    inputs = math.prod(shape)

    def run(x: np.ndarray) -> np.ndarray:
        maps: np.ndarray = x.reshape(len(x), shape[0], inputs // shape[0]) * scale
        maps += shift
        return maps.reshape(len(x), inputs)

    return inputs, inputs, in_pieces(run, 12 * inputs, name)


def _normalisation(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return scale (x - mean) / sqrt(variance + NEAR_ZERO) + shift, with mean and variance taken within each input.

    They are taken over all values in a layer-norm, over each channel in an instance-norm, and over each of `groups`
    groups of channels in a group-norm; scale and shift are per channel.
    """
    shape, kind = _shape(layer, name), layer["kind"]
    scale, shift = (weights_of(arrays, f"{where}.{part}", shape[:1])[:, None] for part in ("scale", "shift"))
    groups = shape[0] if kind == "instance-norm" else 1 if kind == "layer-norm" else whole_number(layer["groups"])
    if groups < 1 or shape[0] % groups:
        raise ModelError(f"{name} cannot split {shape[0]} channels into {groups} equal groups")
    inputs = math.prod(shape)

    def run(x: np.ndarray) -> np.ndarray:
        parts = x.reshape(len(x), groups, inputs // groups)
        parts = parts - parts.mean(axis=2, keepdims=True)
        variance = (parts * parts).mean(axis=2, keepdims=True)
        parts /= np.sqrt(variance + np.float32(NEAR_ZERO))
        maps: np.ndarray = parts.reshape(len(x), shape[0], inputs // shape[0])
        maps *= scale
        maps += shift
        return maps.reshape(len(x), inputs)

    return inputs, inputs, in_pieces(run, 20 * inputs, name)


def _convolution(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return z[f, y, x] = b[f] + sum over c, i, j of w[f, c, i, j] v[c, stride y + i - top, stride x + j - left].

    The patches are written out, one column for each place of z, so that a single matrix product remains. `same` pads v
    with as many zeros as keep its extents, divided by stride; of an odd number the larger half is at the end.
    """
    shape = _shape(layer, name, 3)
    channels, (filters, size, stride) = shape[0], _sizes(layer, name, "filters", "size", "stride")
    grid = [(extent - size) // stride + 1 for extent in shape[1:]]
    if _flag(layer, "same", name):
        grid = [-(-extent // stride) for extent in shape[1:]]
    require(min(grid) >= 1, f"{name} has filters larger than its maps")
    taps, places = channels * size * size, math.prod(grid)
    weight = weights_of(arrays, f"{where}.weight", (filters, channels, size, size)).reshape(filters, taps)
    bias = weights_of(arrays, f"{where}.bias", (filters,))[:, None]
    around = [max(0, (count - 1) * stride + size - extent) for count, extent in zip(grid, shape[1:])]  # noqa: B905
    tall, wide = (extent + zeros for extent, zeros in zip(shape[1:], around))  # noqa: B905
    rows, columns = (slice(zeros // 2, zeros // 2 + extent) for zeros, extent in zip(around, shape[1:]))  # noqa: B905
    steps = (4 * channels * tall * wide, 4 * tall * wide, 4 * wide, 4, 4 * stride * wide, 4 * stride)

    def run(x: np.ndarray) -> np.ndarray:
        maps = np.ascontiguousarray(x, np.float32)
        if any(around):
            maps = np.zeros((len(x), channels, tall, wide), np.float32)
            maps[:, :, rows, columns] = x.reshape(len(x), *shape)
        seen = np.ndarray((len(x), channels, size, size, *grid), np.float32, maps, 0, steps)
        z: np.ndarray = weight @ seen.reshape(len(x), taps, places)
        z += bias
        return z.reshape(len(x), filters * places)

    room = 4 * (channels * tall * wide + (taps + filters) * places)
    return math.prod(shape), filters * places, in_pieces(run, room, name)


def _pooling(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return the largest or the mean value of size x size windows, `stride` apart."""
    shape, (size, stride) = _shape(layer, name, 3), _sizes(layer, name, "size", "stride")
    combine, divide = _method(layer, name)
    rows, columns = ((extent - size) // stride + 1 for extent in shape[1:])
    require(min(rows, columns) >= 1, f"{name} has windows larger than its maps")
    down, across = (
        [slice(at, at + (count - 1) * stride + 1, stride) for at in range(size)] for count in (rows, columns)
    )

    def run(x: np.ndarray) -> np.ndarray:
        maps = x.reshape(len(x), *shape)
        strips = maps[:, :, down[0]]
        for places in down[1:]:
            strips = combine(strips, maps[:, :, places])
        pooled = strips[..., across[0]]
        for places in across[1:]:
            pooled = combine(pooled, strips[..., places])
        if divide:
            pooled = pooled / np.float32(size * size)
        return pooled.reshape(len(x), shape[0] * rows * columns)

    return math.prod(shape), shape[0] * rows * columns, in_pieces(run, 12 * math.prod(shape), name)


def _adaptive_pooling(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return the largest or the mean values of size x size evenly spread windows that cover a map."""
    shape, (size,) = _shape(layer, name, 3), _sizes(layer, name, "size")
    combine, divide = _method(layer, name)
    require(size <= min(shape[1:]), f"{name} has more windows than its maps have rows or columns")
    first = [np.arange(size) * extent // size for extent in shape[1:]]
    end = [-(-np.arange(1, size + 1) * extent // size) for extent in shape[1:]]
    # reduceat takes a list of starts and ends; its results from each end to the next start are dropped.
    ends = [np.stack(pair, axis=1).ravel()[:-1] for pair in zip(first, end)]  # noqa: B905
    counts = np.outer(end[0] - first[0], end[1] - first[1]).astype(np.float32)

    def run(x: np.ndarray) -> np.ndarray:
        strips = combine.reduceat(x.reshape(len(x), *shape), ends[0], axis=2)[:, :, ::2]
        pooled = combine.reduceat(strips, ends[1], axis=3)[..., ::2]
        return (pooled / counts if divide else pooled).reshape(len(x), shape[0] * size * size)

    return math.prod(shape), shape[0] * size * size, in_pieces(run, 12 * math.prod(shape), name)


def _upsample(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Repeat each value `factor` times along both axes."""
    shape, (factor,) = _shape(layer, name, 3), _sizes(layer, name, "factor")
    channels, height, width = shape
    outputs = math.prod(shape) * factor * factor

    def run(x: np.ndarray) -> np.ndarray:
        maps = np.empty((len(x), channels, height, factor, width, factor), np.float32)
        maps[:] = x.reshape(len(x), channels, height, 1, width, 1)
        return maps.reshape(len(x), outputs)

    return math.prod(shape), outputs, in_pieces(run, 4 * outputs, name)


def _minibatch_deviation(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return the maps and a channel of zeros, which in training holds how much the images of a batch differ."""
    shape = _shape(layer, name)
    inputs, area = math.prod(shape), math.prod(shape[1:])
    return inputs, inputs + area, lambda x: np.concatenate([x, np.zeros((len(x), area), np.float32)], axis=1)


def _transposed_convolution(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Add w[c, f, i, j] v[c, y, x] to a[f, stride y + i - before, stride x + j - before], and b[f] to all of a[f].

    Nothing is cut off, unless `same` asks for stride H rows: of an odd excess the larger half is cut at the start, and
    where rows are missing, the last ones are b alone.
    """
    shape = _shape(layer, name, 3)
    (channels, height, width), (filters, size, stride) = shape, _sizes(layer, name, "filters", "size", "stride")
    tall, wide = ((extent - 1) * stride + max(size, stride) for extent in shape[1:])
    before, rows, columns = 0, tall - max(size, stride) + size, wide - max(size, stride) + size
    if _flag(layer, "same", name):
        before, rows, columns = max(0, size - stride + 1) // 2, height * stride, width * stride
    weight = weights_of(arrays, f"{where}.weight", (channels, filters, size, size)).reshape(channels, -1).T
    bias = weights_of(arrays, f"{where}.bias", (filters,))[:, None, None]
    spans = [[slice(at, at + (extent - 1) * stride + 1, stride) for at in range(size)] for extent in shape[1:]]
    kept = (slice(None), slice(None), slice(before, before + rows), slice(before, before + columns))

    def run(x: np.ndarray) -> np.ndarray:
        products = weight @ x.reshape(len(x), channels, height * width)
        products = products.reshape(len(x), filters, size, size, height, width)
        sums = np.zeros((len(x), filters, tall, wide), np.float32)
        for i, down in enumerate(spans[0]):
            for j, across in enumerate(spans[1]):
                sums[:, :, down, across] += products[:, :, i, j]
        added: np.ndarray = sums[kept] + bias
        return added.reshape(len(x), filters * rows * columns)

    room = 4 * filters * (size * size * height * width + tall * wide + rows * columns)
    return math.prod(shape), filters * rows * columns, in_pieces(run, room, name)


def _residual(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return x plus the output of a stack of layers for x."""
    inputs = math.prod(_shape(layer, name))
    _, outputs, function = stack(entry_of(layer, "layers", list), arrays, where, inputs)
    require(outputs == inputs, f"{name} adds {outputs} values to {inputs}")
    return inputs, inputs, lambda x: x + function(x)


def _concatenate(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return the outputs of several stacks of layers for the same input, concatenated."""
    inputs = math.prod(_shape(layer, name))
    stacks = [
        stack(entry_of({"branch": branch}, "branch", list), arrays, f"{where}.{number}", inputs)
        for number, branch in enumerate(entry_of(layer, "branches", list))
    ]
    require(stacks, f"{name} has no branches")
    outputs = sum(width for _, width, _ in stacks)
    return inputs, outputs, lambda x: np.concatenate([function(x) for _, _, function in stacks], axis=1)


def _shape(layer: dict[str, Any], name: str, axes: int = 0) -> tuple[int, ...]:
    """Return a layer's `shape`, channels first: `axes` extents, or at least one if 0, each at least 1."""
    shape = tuple(whole_number(extent) for extent in entry_of(layer, "shape", list))
    require(len(shape) == (axes or max(1, len(shape))) and min(shape) >= 1, f"{name} has impossible extents")
    require(math.prod(shape) <= MOST_VALUES, f"{name} takes {shape} values, more than the limit of {MOST_VALUES:,}")
    return shape


def _sizes(layer: dict[str, Any], name: str, *keys: str) -> list[int]:
    """Return entries that are whole numbers from 1 to MOST_VALUES."""
    sizes = [whole_number(layer[key]) for key in keys]
    require(min(sizes) >= 1 and max(sizes) <= MOST_VALUES, f"{name} has impossible extents")
    return sizes


def _flag(layer: dict[str, Any], key: str, name: str) -> bool:
    """Return an entry that is true or false."""
    require(type(layer[key]) is bool, f"{name} has {key!r} that is neither true nor false")
    return bool(layer[key])


def _method(layer: dict[str, Any], name: str) -> tuple[np.ufunc, bool]:
    """Return the function with which pooling combines two values, and whether it divides by their number.

    Sums of integers are not divided: rescaling does that as well.
    """
    require(layer["method"] in ("max", "avg"), f"{name} pools in an unknown way; use a newer infer.py")
    return (np.maximum, False) if layer["method"] == "max" else (np.add, layer["kind"] not in INT8)


NO_BRANCH = ("branches", "dense", *INT8)  # kinds that are not allowed in a branch
LAYERS |= {
    "standardise": _standardise,
    "project": _project,
    "branches": _branches,
    "elman": _elman,
    "activation": _activation,
    "prelu": _prelu,
    "scale-shift": _scale_shift,
    "group-norm": _normalisation,
    "instance-norm": _normalisation,
    "layer-norm": _normalisation,
    "convolution": _convolution,
    "transposed-convolution": _transposed_convolution,
    "pooling": _pooling,
    "adaptive-pooling": _adaptive_pooling,
    "upsample": _upsample,
    "minibatch-deviation": _minibatch_deviation,
    "residual": _residual,
    "concatenate": _concatenate,
}
