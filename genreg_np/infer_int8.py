"""Layers of 8-bit integers: for a model that has some, this file lies beside infer.py, or is joined to its end.

    quantise      numbers to 8-bit integers
    dense-int8    8-bit integers to 8-bit integers, or to logits

They compute whole numbers, exact in any order and any language; docs/int8.md says how they are made. What they
compute is defined here: exporters are held to it. infer.py looks for this file when it reads a model that needs it.

Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

if "ModelError" not in globals():  # outside a package, infer.py has put all its names here
    from .infer import (
        CHECKS,
        LAYERS,
        MOST_VALUES,
        Arrays,
        Layer,
        ModelError,
        array_of,
        require,
        weights_of,
        whole_number,
    )

MOST_INT8 = 127  # -128 is not used


def _quantise(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Turn inputs into whole numbers: q = floor(a x + b) in float64, cut to low .. 127."""
    inputs, low = whole_number(layer["inputs"]), whole_number(layer["low"])
    a, b = (weights_of(arrays, f"{where}.{part}", (inputs,)).astype(np.float64) for part in ("a", "b"))
    require(-MOST_INT8 <= low <= 0, f"{name} cuts at {low}, beyond 8 bits")
    return inputs, inputs, lambda x: np.clip(np.floor(a * x + b), low, MOST_INT8).astype(np.float32)


def _dense_int8(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """A dense layer of whole numbers, exact in any order and any language.

        acc = sum over i of weight[o, i] q[i] + bias[o]               int32
        t = floor((acc * multiplier[o] + half) / 2**shift)            half = 2**(shift - 1), or 0 for shift 0
        hidden:  q = table[t - low], t cut to low .. low + T - 1      T entries
        last:    logit = t * unit                                     unit is a power of two

    |acc * multiplier| + half < 2**53, so float64 computes it exactly; so does float32 acc where it stays below 2**24.
    """
    inputs, outputs, shift = (whole_number(layer[key]) for key in ("inputs", "outputs", "shift"))
    weight = array_of(arrays, f"{where}.weight", (outputs, inputs), np.int8)
    bias, multiplier = (array_of(arrays, f"{where}.{part}", (outputs,), np.int32) for part in ("bias", "multiplier"))
    most = MOST_INT8 * np.abs(weight.astype(np.int16)).sum(axis=1, dtype=np.int64) + np.abs(bias.astype(np.int64))
    if not 0 <= shift <= 46 or (most >= 2**31).any() or (multiplier < 0).any():
        raise ModelError(f"{name} has an impossible shift, multiplier or sum")
    half = float(2 ** (shift - 1)) if shift else 0.0
    largest = float((most.astype(np.float64) * multiplier).max()) + half
    require(largest < 2**53, f"{name} has products beyond 53 bits")
    kind = np.float32 if most.max() < 2**24 else np.float64
    columns, added = np.ascontiguousarray(weight.T.astype(kind)), bias.astype(kind)
    factor, scale = multiplier.astype(np.float64), 2.0**-shift

    def steps(q: np.ndarray) -> np.ndarray:
        acc = np.add(q.astype(kind) @ columns, added).astype(np.float64)
        counted: np.ndarray = np.floor((acc * factor + half) * scale)
        return counted

    if "unit" in layer:
        unit = layer["unit"]
        if type(unit) is not float or not 2.0**-40 <= unit <= 2.0**40 or math.frexp(unit)[0] != 0.5:
            raise ModelError(f"{name} has a unit that is no power of two")
        require(largest * scale < 2**24, f"{name} has logits beyond 24 bits")
        return inputs, outputs, lambda q: (steps(q) * unit).astype(np.float32)
    low, entries = whole_number(layer["low"]), arrays.get(f"{where}.table")
    table = array_of(arrays, f"{where}.table", (0 if entries is None else entries.size,), np.int8).astype(np.float32)
    if not len(table) or table.min() < -MOST_INT8 or abs(low) > MOST_VALUES:
        raise ModelError(f"{name} has an impossible table")
    high = low + len(table) - 1
    return inputs, outputs, lambda q: table[np.clip(steps(q), low, high).astype(np.int64) - low]


def _check_int8(layers: list[dict[str, Any]]) -> None:
    """Refuse 8-bit integers that are not taken: quantise and dense-int8 come last, and only the last gives logits."""
    previous = False  # whether 8-bit integers arrive
    for index, layer in enumerate(layers):
        takes, last = layer["kind"] == "dense-int8", "unit" in layer
        arrive, take = ("8-bit integers", "none") if previous else ("other numbers", "8-bit integers")
        require(takes == previous, f"layer {index} takes {take}, but {arrive} arrive")
        if takes and last and index < len(layers) - 1:
            raise ModelError(f"layer {index} has a unit, but only the last layer may")
        previous = layer["kind"] == "quantise" or (takes and not last)
    require(not previous, "the last layer gives 8-bit integers, but no logits")


LAYERS |= {"quantise": _quantise, "dense-int8": _dense_int8}
CHECKS.append(_check_int8)
