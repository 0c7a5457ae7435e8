"""The layers of 8-bit integers in ONNX, exactly as docs/int8.md defines them.

Each function takes whole numbers (N, I) float32 and returns whole numbers (N, O). Sums are exact in any order and with
any instruction set: those in float32 stay below 2**24, those in float64 below 2**53. MatMulInteger would take less
memory, but on processors without VNNI some of its kernels add pairs of products in 16 bits, which saturate.
"""

from __future__ import annotations

import math

import numpy as np

from genreg_np import infer_int8
from genreg_np.export import onnx_maps
from genreg_np.export.onnx_graph import Value, ints
from genreg_np.export.onnx_layers import Layer


def quantise(x: Value, layer: Layer) -> Value:
    """Add q = floor(a x + b), cut to low .. 127."""
    a, b = (layer.constant(part).cast(np.float64) for part in ("a", "b"))
    return _cut(x.cast(np.float64) * a + b, layer)


def dense(q: Value, layer: Layer) -> Value:
    """Add W q + bias, rescaled; q are levels if `levels` is true."""
    weight, bias = (layer.array(part).astype(np.int64) for part in ("weight", "bias"))
    largest = infer_int8.MOST_LEVEL if layer.header.get("levels") else infer_int8.MOST_INT8
    most = largest * np.abs(weight).sum(axis=1) + np.abs(bias)
    kind = np.float32 if most.max() < infer_int8.EXACT else np.float64
    acc = q.cast(kind).op("Gemm", layer.constant("weight").cast(kind), layer.constant("bias").cast(kind), transB=1)
    return _rescaled(acc, layer)


def convolution(q: Value, layer: Layer) -> Value:
    """Add the sums of filters, rescaled."""
    return onnx_maps.flat(_rescaled(onnx_maps.convolved(q, layer), layer, -1, 1, 1))


def transposed_convolution(q: Value, layer: Layer) -> Value:
    """Add the sums of transposed filters, rescaled."""
    return onnx_maps.flat(_rescaled(onnx_maps.transposed(q, layer), layer, -1, 1, 1))


def pooling(q: Value, layer: Layer) -> Value:
    """Add the sums of windows, computed with a filter of ones and rescaled."""
    (channels, height, width), size, stride = (layer.header[key] for key in ("shape", "size", "stride"))
    rows, columns = ((extent - size) // stride + 1 for extent in (height, width))
    maps = q.reshape(-1, 1, height, width)
    sums = maps.op("Conv", np.ones((1, 1, size, size), np.float32), strides=[stride] * 2)
    return _rescaled(sums.reshape(-1, channels * rows * columns), layer)


def adaptive_pooling(q: Value, layer: Layer) -> Value:
    """Add the sums of windows that cover a map, rescaled."""
    size = layer.header["size"]
    sums = onnx_maps.covered(q, layer, lambda window, axis: window.op("ReduceSum", ints(axis)))
    return onnx_maps.flat(_rescaled(sums, layer, size, size))


def lookup(q: Value, layer: Layer) -> Value:
    """Add table[c, q + 127]."""
    shape, (rows, entries) = layer.header["shape"], layer.array("table").shape
    first = np.arange(infer_int8.MOST_INT8, rows * entries, entries)[:, None]
    places = q.reshape(0, rows, math.prod(shape) // rows).cast(np.int64) + first
    return onnx_maps.flat(layer.constant("table").cast(np.float32).reshape(-1).op("Gather", places))


def normalisation(q: Value, layer: Layer) -> Value:
    """Add r = float32((n q - S) (1 / sqrt(n Q - S**2 + near_zero))), and floor(a r + b), cut to low .. 127."""
    shape, groups, near_zero = (layer.header[key] for key in ("shape", "groups", "near_zero"))
    n = math.prod(shape) // groups
    parts = q.reshape(0, groups, n).cast(np.float64)
    total, squares = (values.op("ReduceSum", ints(2), keepdims=0) for values in (parts, parts * parts))
    root = (squares * n - total * total + near_zero).op("Sqrt")
    # The reshape between 1 / root and the product keeps runtimes from fusing them into one, which rounds otherwise.
    share = (1 / root).reshape(0, groups, 1)
    ratio = ((parts * n - total.reshape(0, groups, 1)) * share).cast(np.float32)
    a, b = (layer.constant(part).cast(np.float64).reshape(-1, 1) for part in ("a", "b"))
    each = ratio.reshape(0, shape[0], math.prod(shape[1:])).cast(np.float64)
    return onnx_maps.flat(_cut(each * a + b, layer))


def residual(q: Value, inner: Value, layer: Layer) -> Value:
    """Add floor((m q + k f(q) + half) / 2**shift), cut to low .. 127."""
    own, other = layer.header["multipliers"]
    return _cut(_shifted(q.cast(np.float64) * own + inner.cast(np.float64) * other, layer), layer)


def _rescaled(acc: Value, layer: Layer, *shape: int) -> Value:
    """Return t = floor((acc multiplier + half) / 2**shift) as q or as logits; multipliers are reshaped to `shape`."""
    multiplier = layer.constant("multiplier").cast(np.float64)
    steps = _shifted(acc.cast(np.float64) * (multiplier.reshape(*shape) if shape else multiplier), layer)
    if "unit" in layer.header:
        unit: float = layer.header["unit"]  # a power of two, and t has at most 24 bits
        return steps.floor_to_int64().cast(np.float32) * unit
    if f"{layer.where}.table" not in layer.arrays:
        return _cut(steps, layer)
    low, entries = layer.header["low"], len(layer.array("table"))
    t = steps.clip(low, low + entries - 1).floor_to_int64()
    return layer.constant("table").cast(np.float32).op("Gather", t - low)


def _shifted(product: Value, layer: Layer) -> Value:
    """Return (product + half) / 2**shift."""
    shift: int = layer.header["shift"]
    return (product + (2.0 ** (shift - 1) if shift else 0.0)) * 2.0**-shift


def _cut(steps: Value, layer: Layer) -> Value:
    """Return float64 rounded down and cut to low .. 127; cut first, since large values do not fit into int64."""
    return steps.clip(layer.header["low"], infer_int8.MOST_INT8).floor_to_int64().cast(np.float32)
