"""Quantise: a model of float32 weights becomes one of 8-bit integers, after training.

    quantise     q = cut(floor(a x + b))                  a = scale / step,  b = 1/2 - mean scale / step
    each layer   W[o, i] = s[o] w[o, i]                   w = round(W / s), s[o] = max over i of |W[o, i]| / 127
                 acc = sum of w q + round(bias / (s step))
                 pre-activation = acc s[o] step           step: what one unit of q stands for
                 t = floor((acc m[o] + half) / 2**shift)  m[o] = round(s[o] step / grid 2**shift)
    hidden       q = table[t - low] = round(a(t grid) / the activation's step)
    last         logit = t unit

`step` of inputs in 0 .. 1 is 1/127, of others the largest magnitude met in calibration over 127. The grid of a bounded
activation is fixed (GRIDS); that of one without bounds is its step, its largest value met in calibration over 127.
infer.py has the arithmetic these numbers are used in; docs/int8.md defines it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.errors import UsageError
from genreg_np.model import Dense, Float32, Model

LARGEST = infer.MOST_INT8
WIDEST_TABLE = 4096  # entries on either side of 0
LOGIT_BITS = 22  # logits stay below 2**22 units
PRODUCT_BITS = 52  # acc * multiplier stays below 2**52
GRIDS = {  # activation: what one step of t stands for, the largest |t| in the table, what one unit of q stands for
    "tanh": (1 / 128, 512, 1 / LARGEST),
    "sigmoid": (1 / 64, 512, 1 / LARGEST),
}
SWITCHES = ("step", "sign")  # only the sign of acc counts: t = acc


@dataclass(frozen=True)
class Scale:
    """How a layer's whole numbers stand for real ones."""

    grid: float  # pre-activation of one step of t
    low: int  # the first t of the table
    high: int  # and the last
    step: float  # output of one unit of q


def quantise(model: Model, inputs: NDArray[np.generic]) -> Model:
    """Return the model in 8-bit integers.

    Parameters
    ----------
    model : Model
        Dense layers on the inputs themselves, or on standardised ones.
    inputs : (N, *input_shape)
        Images or features to calibrate by: what the model is to meet, best of the validation split.

    Raises
    ------
    UsageError
        For a layer that int8 cannot express; it is named.
    """
    check(model)
    network = model.network
    features = model.prepare(inputs)
    if not len(features):
        raise UsageError("there are no inputs to calibrate by: int8 needs at least one")
    layers: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[np.generic]] = {}

    def add(header: dict[str, Any], **parts: NDArray[np.generic]) -> None:
        arrays.update({f"layers.{len(layers)}.{name}": part for name, part in parts.items()})
        layers.append(header)

    mean, scale = np.zeros(features.shape[1]), np.ones(features.shape[1])
    if network.fixed:
        mean, scale = (np.asarray(part, np.float64) for part in network.fixed[0].arrays().values())
        features = network.fixed[0].apply(features)
    bounded = not network.fixed and features.min() >= 0 and features.max() <= 1 and model.input_range is not None
    step = 1 / LARGEST if bounded else float(np.abs(features).max() or 1) / LARGEST
    add(
        {"kind": "quantise", "inputs": features.shape[1], "low": 0 if bounded else -LARGEST},
        a=(scale / step).astype(np.float32),
        b=(0.5 - mean * scale / step).astype(np.float32),
    )
    values: Float32 = features
    for layer, (weight, bias) in zip(network.dense, network.unpack(model.genes), strict=True):
        before = values @ weight.T + bias
        values = infer.ACTIVATIONS[layer.activation](before)
        last = layer is network.dense[-1]
        if last and layer.activation != "linear":
            raise UsageError(f"the last layer's activation is {layer.activation}, int8 needs linear ones")
        row, whole, added = _rows(weight, bias, step)
        most = LARGEST * np.abs(whole).sum(axis=1) + np.abs(added)
        header: dict[str, Any] = {"kind": "dense-int8", "inputs": layer.inputs, "outputs": layer.outputs}
        header |= {"activation": layer.activation}
        parts: dict[str, NDArray[np.generic]] = {"weight": whole.astype(np.int8), "bias": added.astype(np.int32)}
        if last:
            unit = 2.0 ** (math.ceil(math.log2(float((most * row).max()) * step or 1)) - LOGIT_BITS)
            grid = unit
            header["unit"] = unit
        else:
            used = _scale(layer, before, values)
            grid = used.grid
            header["low"] = used.low
            parts["table"] = _table(layer, used)
        if layer.activation in SWITCHES:
            multiplier, shift = np.ones(layer.outputs), 0
        else:
            multiplier, shift = _multiplier(row * step / grid, most)
        header["shift"] = shift
        add(header, **parts, multiplier=multiplier.astype(np.int32))
        step = step if last else used.step
    whole_header = model.header | {"network": {"input_shape": list(model.input_shape), "layers": layers}}
    return Model(whole_header, arrays)


def check(model: Model) -> None:
    """Raise a UsageError that names the first layer that int8 cannot express."""
    for index, layer in enumerate(model.header["network"]["layers"]):
        if layer["kind"] == "dense-int8":
            raise UsageError("the model is one of 8-bit integers already")
        if layer["kind"] != "dense" and not (layer["kind"] == "standardise" and index == 0):
            raise UsageError(f"layer {index} ({layer['kind']}) cannot be computed in 8-bit integers: leave out --int8")


def _rows(
    weight: Float32, bias: Float32, step: float
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's scale, its weights and its bias as whole numbers."""
    row = np.abs(weight).max(axis=1).astype(np.float64) / LARGEST
    row[row == 0] = 1
    whole = np.rint(weight / row[:, None]).astype(np.int64)
    room = 2**31 - 1 - LARGEST * np.abs(whole).sum(axis=1)
    # A row whose bias is beyond 32 bits in its weights' scale takes the bias's.
    added = bias.astype(np.float64) / (row * step)
    coarse = np.abs(added) > room
    if coarse.any():
        row = np.where(coarse, np.abs(bias) / (step * 2.0**30), row)
        whole = np.rint(weight / row[:, None]).astype(np.int64)
        added = bias.astype(np.float64) / (row * step)
    return row, whole, np.rint(added).astype(np.int64)


def _scale(layer: Dense, before: Float32, values: Float32) -> Scale:
    """Return how a hidden layer's pre-activations and outputs become whole numbers."""
    name = layer.activation
    if name in SWITCHES:
        return Scale(1.0, 0, 1, 1.0)
    if name in GRIDS:
        grid, most, step = GRIDS[name]
        return Scale(grid, -most, most, step)
    step = float(np.abs(values).max() or 1) / LARGEST
    low = 0 if name == "relu" else -min(WIDEST_TABLE, math.ceil(float(np.abs(before).max()) / step))
    return Scale(step, low, LARGEST, step)


def _table(layer: Dense, scale: Scale) -> NDArray[np.int8]:
    """Return the activation of each step of t."""
    t = np.arange(scale.low, scale.high + 1, dtype=np.float64) * scale.grid
    values = infer.ACTIVATIONS[layer.activation](t)
    return np.clip(np.floor(values / scale.step + 0.5), -LARGEST, LARGEST).astype(np.int8)


def _multiplier(ratio: NDArray[np.float64], most: NDArray[np.int64]) -> tuple[NDArray[np.float64], int]:
    """Return m (O,) and shift with m / 2**shift near the ratios, as fine as 31 and 52 bits allow."""
    largest = float(ratio.max())
    room = min(30.0, PRODUCT_BITS - math.log2(float(most.max()) or 1))
    shift = max(0, min(46, math.floor(room - math.log2(largest))))
    return np.rint(ratio * 2.0**shift), shift
