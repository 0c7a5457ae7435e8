"""Layers of 8-bit integers. For a model that has some, place this file beside infer.py, or append it to that file.

    quantise                                            numbers to 8-bit integers
    dense-int8, convolution-int8 and so on              to sums; these to 8-bit integers, or to logits
    lookup-int8, normalisation-int8, residual-int8      8-bit integers to 8-bit integers

Layers that only move values or take the largest, such as max pooling, are in infer_layers.py and accept integers too.
All compute whole numbers, exact in any order and any language; docs/int8.md explains how they are made. This file
defines what they compute: exporters must match it. infer.py looks for this file when it reads a model that needs it.

Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

if "ModelError" not in globals():  # outside a package, infer.py has already put its names here
    from .infer import (
        CHECKS,
        INT8,
        LAYERS,
        MOST_VALUES,
        SUMS,
        Arrays,
        Function,
        Layer,
        ModelError,
        array_of,
        complete,
        entry_of,
        in_pieces,
        require,
        stack,
        weights_of,
        whole_number,
    )

MOST_INT8, MOST_LEVEL = 127, 255  # -128 is not used
MOST_SHIFT, MOST_NEAR_ZERO = 46, 2**52
EXACT = 2**24  # whole numbers below it are exact in float32


def _quantise(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Turn inputs into whole numbers: q = floor(a x + b) in float64, cut to low .. 127."""
    inputs, low = whole_number(layer["inputs"]), _low(layer, name)
    a, b = (weights_of(arrays, f"{where}.{part}", (inputs,)).astype(np.float64) for part in ("a", "b"))
    return inputs, inputs, lambda x: np.clip(np.floor(a * x + b), low, MOST_INT8).astype(np.float32)


def _dense_int8(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return acc[o] = sum over i of weight[o, i] q[i] + bias[o], rescaled; q are levels if `levels` is true."""
    inputs, outputs = whole_number(layer["inputs"]), whole_number(layer["outputs"])
    weight = array_of(arrays, f"{where}.weight", (outputs, inputs), np.int8)
    bias = array_of(arrays, f"{where}.bias", (outputs,), np.int32)
    levels = layer.get("levels", False)
    require(type(levels) is bool, f"{name} has 'levels' that is neither true nor false")
    most = _most(weight, bias, MOST_LEVEL if levels else MOST_INT8)
    finish = _rescaled(layer, arrays, where, name, most)
    kind = np.float32 if most.max() < EXACT else np.float64
    columns, added = np.ascontiguousarray(weight.T.astype(kind)), bias.astype(kind)
    return inputs, outputs, lambda q: finish(np.add(q.astype(kind) @ columns, added))


def _convolution_int8(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return the rescaled sums of a convolution, transposed or not, with integer weights and biases."""
    (channels, *_), kind = entry_of(layer, "shape", list), layer["kind"][: -len("-int8")]
    filters, size = whole_number(layer["filters"]), whole_number(layer["size"])
    across = kind == "transposed-convolution"
    shape = (channels, filters, size, size) if across else (filters, channels, size, size)
    weight = array_of(arrays, f"{where}.weight", shape, np.int8)
    bias = array_of(arrays, f"{where}.bias", (filters,), np.int32)
    most = _most(weight.swapaxes(0, 1) if across else weight, bias, MOST_INT8)
    require(most.max() < EXACT, f"{name} has sums beyond 24 bits")
    complete([{"kind": kind}])
    floats = {f"{where}.{part}": array.astype(np.float32) for part, array in (("weight", weight), ("bias", bias))}
    inputs, outputs, sums = LAYERS[kind](layer, floats, where, name)
    return _of_maps(layer, arrays, where, name, (inputs, outputs, sums), most, filters)


def _pooling_int8(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return sums over windows, rescaled and divided by their sizes; one multiplier, or one for each window."""
    require(layer["method"] == "avg", f"{name} takes no mean; max pooling of integers is a layer of another kind")
    (channels, *_), kind = entry_of(layer, "shape", list), layer["kind"][: -len("-int8")]
    complete([{"kind": kind}])
    inputs, outputs, sums = LAYERS[kind](layer, arrays, where, name)
    most = MOST_INT8 * counts_of(layer)
    require(most.max() < EXACT, f"{name} has sums beyond 24 bits")
    return _of_maps(layer, arrays, where, name, (inputs, outputs, sums), most, channels)


def counts_of(layer: dict[str, Any]) -> np.ndarray:
    """Return the number of values in the windows of a pooling layer: (1,), or (R * R,) if it is adaptive."""
    size = layer["size"]
    if layer["kind"] == "pooling-int8":
        return np.array([size * size])
    tall, wide = (
        [-(-(place + 1) * extent // size) - place * extent // size for place in range(size)]
        for extent in layer["shape"][1:]
    )
    return np.outer(tall, wide).ravel()


def _of_maps(
    layer: dict[str, Any], arrays: Arrays, where: str, name: str, found: Layer, most: np.ndarray, channels: int
) -> Layer:
    """Return a layer of maps whose sums are rescaled, with a multiplier per channel, or per place for all channels."""
    inputs, outputs, sums = found
    finish = _rescaled(layer, arrays, where, name, most, by_place="pooling" in layer["kind"])

    def run(q: np.ndarray) -> np.ndarray:
        return finish(sums(q).reshape(len(q), channels, outputs // channels)).reshape(len(q), outputs)

    return inputs, outputs, in_pieces(run, 32 * outputs, name)


def _most(weight: np.ndarray, bias: np.ndarray, largest: int) -> np.ndarray:
    """Return the largest magnitude that each output's sum can have."""
    most: np.ndarray = largest * np.abs(weight.astype(np.int16)).reshape(len(bias), -1).sum(axis=1, dtype=np.int64)
    most += np.abs(bias.astype(np.int64))
    return most


def _rescaled(
    layer: dict[str, Any], arrays: Arrays, where: str, name: str, most: np.ndarray, by_place: bool = False
) -> Function:
    """Return a function that rescales sums (n, O), or (n, O, places), whose magnitudes are at most `most`.

        t = floor((acc multiplier + half) / 2**shift)                 half = 2**(shift - 1), or 0 for shift 0
        q = table[t - low], t cut to low .. low + T - 1               T entries
        q = t cut to low .. 127                                       without a table
        logit = t unit                                                a power of two

    |acc * multiplier| + half < 2**53, so float64 computes it exactly.
    """
    multiplier = array_of(arrays, f"{where}.multiplier", (len(most),), np.int32)
    shift = whole_number(layer["shift"])
    if not 0 <= shift <= MOST_SHIFT or (most >= 2**31).any() or (multiplier < 0).any():
        raise ModelError(f"{name} has an impossible shift, multiplier or sum")
    half = float(2 ** (shift - 1)) if shift else 0.0
    largest = float((most.astype(np.float64) * multiplier).max()) + half
    require(largest < 2**53, f"{name} has products beyond 53 bits")
    factor, scale = multiplier.astype(np.float64), 2.0**-shift

    def steps(acc: np.ndarray) -> np.ndarray:
        each = factor if by_place or acc.ndim == 2 else factor[:, None]
        counted: np.ndarray = np.floor((acc.astype(np.float64) * each + half) * scale)
        return counted

    if "unit" in layer:
        unit = layer["unit"]
        if type(unit) is not float or not 2.0**-40 <= unit <= 2.0**40 or math.frexp(unit)[0] != 0.5:
            raise ModelError(f"{name} has a unit that is not a power of two")
        require(largest * scale < EXACT, f"{name} has logits beyond 24 bits")
        return lambda acc: (steps(acc) * unit).astype(np.float32)
    entries = arrays.get(f"{where}.table")
    if entries is None:
        low = _low(layer, name)
        return lambda acc: np.clip(steps(acc), low, MOST_INT8).astype(np.float32)
    low, table = whole_number(layer["low"]), _table(arrays, where, name, (entries.size,))
    require(len(table) and abs(low) <= MOST_VALUES, f"{name} has an impossible table")
    high = low + len(table) - 1
    return lambda acc: table[np.clip(steps(acc), low, high).astype(np.int64) - low]


def _lookup_int8(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return q = table[c, q + 127], with one row for all channels, or one for each."""
    shape, inputs = _extents(layer, name)
    entries = arrays.get(f"{where}.table")
    rows = shape[0] if entries is not None and len(entries) == shape[0] else 1
    table = _table(arrays, where, name, (rows, 2 * MOST_INT8 + 1)).ravel()
    first = np.arange(MOST_INT8, table.size, 2 * MOST_INT8 + 1)[:, None]

    def run(q: np.ndarray) -> np.ndarray:
        maps: np.ndarray = table[q.reshape(len(q), rows, inputs // rows).astype(np.int64) + first]
        return maps.reshape(len(q), inputs)

    return inputs, inputs, in_pieces(run, 16 * inputs, name)


def _normalisation_int8(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return q normalised over groups of channels: of a group's n values, S is the sum and Q that of their squares.

    r = float32((n q - S) * (1 / sqrt(n Q - S**2 + near_zero)))         in float64
    q = floor(a[c] r + b[c]) in float64, cut to low .. 127
    """
    shape, inputs = _extents(layer, name)
    groups, near_zero, low = whole_number(layer["groups"]), whole_number(layer["near_zero"]), _low(layer, name)
    if groups < 1 or shape[0] % groups:
        raise ModelError(f"{name} cannot split {shape[0]} channels into {groups} equal groups")
    a, b = (weights_of(arrays, f"{where}.{part}", shape[:1]).astype(np.float64)[:, None] for part in ("a", "b"))
    n = inputs // groups
    require(0 < near_zero < MOST_NEAR_ZERO and (n * MOST_INT8) ** 2 < 2**52, f"{name} has sums beyond 53 bits")

    def run(q: np.ndarray) -> np.ndarray:
        parts = q.reshape(len(q), groups, n).astype(np.float64)
        total = parts.sum(axis=2, keepdims=True)
        spread = n * (parts * parts).sum(axis=2, keepdims=True) - total * total + near_zero
        ratio = ((n * parts - total) * (1 / np.sqrt(spread))).astype(np.float32)
        maps = ratio.reshape(len(q), shape[0], inputs // shape[0])
        values: np.ndarray = np.clip(np.floor(a * maps + b), low, MOST_INT8)
        return values.astype(np.float32).reshape(len(q), inputs)

    return inputs, inputs, in_pieces(run, 40 * inputs, name)


def _residual_int8(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Return floor((m q + k f(q) + half) / 2**shift), cut to low .. 127; m and k are the `multipliers`."""
    _, inputs = _extents(layer, name)
    low, shift = _low(layer, name), whole_number(layer["shift"])
    multipliers = [whole_number(value) for value in entry_of(layer, "multipliers", list)]
    if len(multipliers) != 2 or not all(0 <= value < 2**31 for value in multipliers) or not 0 <= shift <= MOST_SHIFT:
        raise ModelError(f"{name} has impossible multipliers or an impossible shift")
    half = float(2 ** (shift - 1)) if shift else 0.0
    _, outputs, function = stack(entry_of(layer, "layers", list), arrays, where, inputs)
    require(outputs == inputs, f"{name} adds {outputs} values to {inputs}")
    own, other = (float(value) for value in multipliers)

    def run(q: np.ndarray) -> np.ndarray:
        sums = q.astype(np.float64) * own + function(q).astype(np.float64) * other
        return np.clip(np.floor((sums + half) * 2.0**-shift), low, MOST_INT8).astype(np.float32)

    return inputs, inputs, in_pieces(run, 32 * inputs, name)


def _extents(layer: dict[str, Any], name: str) -> tuple[tuple[int, ...], int]:
    """Return a layer's `shape`, channels first, and its number of values."""
    shape = tuple(whole_number(extent) for extent in entry_of(layer, "shape", list))
    require(shape and min(shape) >= 1 and math.prod(shape) <= MOST_VALUES, f"{name} has impossible extents")
    return shape, math.prod(shape)


def _low(layer: dict[str, Any], name: str) -> int:
    """Return the smallest 8-bit integer that a layer outputs."""
    low = whole_number(layer["low"])
    require(-MOST_INT8 <= low <= 0, f"{name} cuts at {low}, beyond 8 bits")
    return low


def _table(arrays: Arrays, where: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a table of 8-bit integers."""
    table = array_of(arrays, f"{where}.table", shape, np.int8).astype(np.float32)
    require(table.min(initial=0) >= -MOST_INT8, f"{name} has an impossible table")
    return table


WHOLE, LEVELS, OTHER, LOGITS = "8-bit integers", "levels", "other numbers", "logits"
MOVING = ("pooling", "adaptive-pooling", "upsample", "minibatch-deviation")  # take any values, if they compute no mean


def _check_int8(layers: list[dict[str, Any]]) -> None:
    """Refuse 8-bit integers where a layer cannot take them, or at the end of a model."""
    require(_given(layers, OTHER, "layer ", True) != WHOLE, "the last layer gives 8-bit integers, not logits")


def _given(layers: list[dict[str, Any]], arrive: str, before: str, outermost: bool = False) -> str:
    """Return what a sequence of layers outputs; ModelError if a layer cannot take its input."""
    for index, layer in enumerate(layers):
        kind, name = layer["kind"], f"{before}{index}"
        if kind in ("levels", "deskew", "detectors") or (kind == "deviations" and arrive == LEVELS):
            given = LEVELS
        elif kind in MOVING and layer.get("method") != "avg":
            given = arrive
        elif kind in ("branches", "concatenate"):
            branches = enumerate(entry_of({"branches": [], **layer}, "branches", list))
            ends = {_given(part, arrive, f"{name}.{number}.") for number, part in branches if isinstance(part, list)}
            given = ends.pop() if len(ends) == 1 else OTHER
            require(WHOLE not in ends, f"{name} has branches that give 8-bit integers, and others that do not")
        else:
            given = WHOLE if kind in INT8 else OTHER
        wanted = WHOLE if kind in INT8[1:] else ""
        if kind == "dense-int8" and layer.get("levels") is True:
            wanted = LEVELS
        if (wanted and arrive != wanted) or (not wanted and arrive == WHOLE and (given != WHOLE or kind in INT8)):
            raise ModelError(f"{name} takes {wanted or 'none'}, but {arrive} arrive")
        if kind in ("residual", "residual-int8"):
            inner = _given(layer["layers"], arrive, f"{name}.")
            require((inner == WHOLE) == (given == WHOLE), f"{name} adds {inner} to {arrive}")
        if kind in INT8 and "unit" in layer:
            require(kind in SUMS, f"{name} has a unit, but only sums may")
            if not outermost or index < len(layers) - 1:
                raise ModelError(f"{name} has a unit, but only the last layer may")
            given = LOGITS
        arrive = given
    return arrive


LAYERS |= {
    "quantise": _quantise,
    "dense-int8": _dense_int8,
    "convolution-int8": _convolution_int8,
    "transposed-convolution-int8": _convolution_int8,
    "pooling-int8": _pooling_int8,
    "adaptive-pooling-int8": _pooling_int8,
    "lookup-int8": _lookup_int8,
    "normalisation-int8": _normalisation_int8,
    "residual-int8": _residual_int8,
}
CHECKS.append(_check_int8)
