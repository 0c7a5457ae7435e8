"""Quantise: a model of float32 weights becomes one of 8-bit integers, after training.

    quantise     q = cut(floor(a x + b))                  a = scale / step,  b = 1/2 - mean scale / step
    each layer   W[o, i] = s[o] w[o, i]                   w = round(W / s), s[o] = max over i of |W[o, i]| / 127 or more
                 acc = sum of w q + round(bias / (s step))
                 pre-activation = acc s[o] step           step: what one unit of q stands for
                 t = floor((acc m[o] + half) / 2**shift)  m[o] = round(s[o] step / grid 2**shift)
    hidden       q = table[t - low] = round(a(t grid) / the activation's step)
    last         logit = t unit

`step` of inputs in 0 .. 1 is 1/127, of others the largest magnitude met in calibration over 127. The grid of a bounded
activation is fixed (GRIDS); that of one without bounds is its step, its largest value met in calibration over 127.
infer_int8.py has the arithmetic these numbers are used in; docs/int8.md defines it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer, infer_int8
from genreg_np.errors import UsageError
from genreg_np.model import Dense, Float32, Model

Parts = dict[str, NDArray[np.generic]]

LARGEST = infer_int8.MOST_INT8
WIDEST_TABLE = 4096  # entries on either side of 0
BIAS_BITS = 23  # a bias of more units would leave too few bits to its row's multiplier
SUM_BITS = 30  # sums stay below 2**30 units, and a little for rounding
LOGIT_BITS = 22  # logits stay below 2**22 units
MULTIPLIER_BITS = 30
PRODUCT_BITS = 52  # acc * multiplier stays below 2**52
MOST_SHIFT = 46
UNITS = (-40, 40)  # the powers of two that a logit's unit may be
GRIDS = {  # activation: what one step of t stands for, the largest |t| in the table, what one unit of q stands for
    "tanh": (1 / 128, 512, 1 / LARGEST),
    "sigmoid": (1 / 64, 512, 1 / LARGEST),
}
BEYOND = "the model cannot be computed in 8-bit integers"
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

    def add(header: dict[str, Any], parts: Parts) -> None:
        arrays.update({f"layers.{len(layers)}.{name}": part for name, part in parts.items()})
        layers.append(header)

    with np.errstate(over="ignore", invalid="ignore"):
        values = network.fixed[0].apply(features) if network.fixed else features
        header, parts, step = _inputs(model, values)
        add(header, parts)
        for layer, (weight, bias) in zip(network.dense, network.unpack(model.genes), strict=True):
            before = values @ weight.T + bias
            values = infer.ACTIVATIONS[layer.activation](before)
            used = None if layer is network.dense[-1] else _scale(layer, before, values)
            add(*_layer(layer, weight, bias, step, used))
            step = used.step if used else step
    whole_header = model.header | {"network": {"input_shape": list(model.input_shape), "layers": layers}}
    return Model(whole_header, arrays)


def check(model: Model) -> None:
    """Raise a UsageError that names the first layer that int8 cannot express."""
    layers = model.header["network"]["layers"]
    for index, layer in enumerate(layers):
        if layer["kind"] in ("quantise", "dense-int8"):
            raise UsageError("the model is one of 8-bit integers already")
        if layer["kind"] != "dense" and not (layer["kind"] == "standardise" and index == 0):
            raise UsageError(f"layer {index} ({layer['kind']}) cannot be computed in 8-bit integers: leave out --int8")
    if layers[-1]["activation"] != "linear":
        raise UsageError(
            f"layer {len(layers) - 1} (dense, {layers[-1]['activation']}) cannot be computed in 8-bit integers: "
            "the last layer must be linear"
        )


def _inputs(model: Model, features: Float32) -> tuple[dict[str, Any], Parts, float]:
    """Return the layer that turns inputs into whole numbers, and what one of them stands for."""
    mean, scale = np.zeros(features.shape[1]), np.ones(features.shape[1])
    if fixed := model.network.fixed:
        mean, scale = (np.asarray(part, np.float64) for part in fixed[0].arrays().values())
    bounded = not fixed and features.min() >= 0 and features.max() <= 1 and model.input_range is not None
    step = 1 / LARGEST if bounded else _step(features)
    a, b = (scale / step).astype(np.float32), (0.5 - mean * scale / step).astype(np.float32)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError(f"{BEYOND}: inputs are too near 0, or too far from it")
    header = {"kind": "quantise", "inputs": features.shape[1], "low": 0 if bounded else -LARGEST}
    return header, {"a": a, "b": b}, step


def _layer(
    layer: Dense, weight: Float32, bias: Float32, step: float, used: Scale | None
) -> tuple[dict[str, Any], Parts]:
    """Return a dense layer in whole numbers; `used` is None for the last."""
    row, whole, added = _rows(weight, bias, step)
    most = LARGEST * np.abs(whole).sum(axis=1) + np.abs(added)  # no sum is larger
    header: dict[str, Any] = {"kind": "dense-int8", "inputs": layer.inputs, "outputs": layer.outputs}
    header |= {"activation": layer.activation}
    parts: Parts = {"weight": whole.astype(np.int8), "bias": added.astype(np.int32)}
    if used is None:
        header["unit"] = unit = _unit(float((most * row).max()) * step)
        ratio = row * step / unit
    else:
        header["low"], parts["table"] = used.low, _table(layer, used)
        ratio = np.minimum(row * step / used.grid, used.high - used.low + 1)  # there, 1 of acc leaves the table already
    multiplier, header["shift"] = np.ones(layer.outputs), 0
    if layer.activation not in SWITCHES:
        multiplier, header["shift"] = _multiplier(ratio, most)
    parts["multiplier"] = multiplier.astype(np.int32)
    return header, parts


def _step(values: Float32) -> float:
    """Return what one unit of q stands for, so that the largest of the values is 127."""
    largest = float(np.abs(values).max())
    if not math.isfinite(largest):
        raise UsageError(f"{BEYOND}: weights are so large that layers give infinite values")
    return (largest or 1) / LARGEST


def _rows(
    weight: Float32, bias: Float32, step: float
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return each row's scale, its weights and its bias as whole numbers.

    A bias far larger than its row's weights makes the scale coarser: those weights hardly count beside it.
    """
    magnitude, target = np.abs(weight.astype(np.float64)), np.abs(bias.astype(np.float64)) / step
    sums = (LARGEST * magnitude.sum(axis=1) + target) / 2.0**SUM_BITS
    row = np.max([magnitude.max(axis=1) / LARGEST, target / 2.0**BIAS_BITS, sums], axis=0)
    row[row == 0] = row.max() or 1  # all zeros: any scale will do
    return row, np.rint(weight / row[:, None]).astype(np.int64), np.rint(bias / (row * step)).astype(np.int64)


def _unit(largest: float) -> float:
    """Return what one unit of the logits stands for, a power of two; none of them is larger than `largest`."""
    exponent = math.ceil(math.log2(largest or 1)) - LOGIT_BITS
    if exponent > UNITS[1]:
        raise UsageError(f"{BEYOND}: its logits may reach {largest:.0e}")
    return 2.0 ** max(exponent, UNITS[0])


def _scale(layer: Dense, before: Float32, values: Float32) -> Scale:
    """Return how a hidden layer's pre-activations and outputs become whole numbers."""
    name = layer.activation
    if name in SWITCHES:
        return Scale(1.0, 0, 1, 1.0)
    if name in GRIDS:
        grid, most, step = GRIDS[name]
        return Scale(grid, -most, most, step)
    step = _step(values)
    low = 0 if name == "relu" else -min(WIDEST_TABLE, math.ceil(float(np.abs(before).max()) / step))
    return Scale(step, low, LARGEST, step)


def _table(layer: Dense, scale: Scale) -> NDArray[np.int8]:
    """Return the activation of each step of t."""
    t = np.arange(scale.low, scale.high + 1, dtype=np.float64) * scale.grid
    values = infer.ACTIVATIONS[layer.activation](t)
    return np.clip(np.floor(values / scale.step + 0.5), -LARGEST, LARGEST).astype(np.int8)


def _multiplier(ratio: NDArray[np.float64], most: NDArray[np.int64]) -> tuple[NDArray[np.float64], int]:
    """Return m (O,) and shift with m / 2**shift near the ratios, as fine as the bits of m and of acc * m allow.

    A ratio beyond those bits is cut: every acc is then 0, or one unit of it past the end of any table, and stays so.
    """
    room = MULTIPLIER_BITS - math.log2(ratio.max()), PRODUCT_BITS - math.log2(max(float((most * ratio).max()), 1))
    shift = max(0, min(MOST_SHIFT, math.floor(min(room))))
    largest = np.minimum(2.0**MULTIPLIER_BITS, np.floor(2.0**PRODUCT_BITS / np.maximum(most, 1)))
    return np.minimum(np.rint(ratio * 2.0**shift), largest), shift
