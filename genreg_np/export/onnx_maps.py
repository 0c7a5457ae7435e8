"""The trainable layers for maps (C, H, W) in ONNX: convolution, pooling, normalisation, upsampling and so on.

Each function takes a value (N, C * H * W) float32 and returns (N, O) float32, as defined in infer_layers.py.
Normalisation is written out, since ONNX has group normalisation only from operator set 18 on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from genreg_np import infer_layers
from genreg_np.export.onnx_graph import Value, concatenate, ints
from genreg_np.export.onnx_layers import ACTIVATIONS, Layer
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.pooling import AdaptivePooling
from genreg_np.layers.upsample import TransposedConvolution

FUNCTIONS: dict[str, Callable[[Value], Value]] = ACTIVATIONS | {
    "elu": lambda z: z.op("Elu"),
    "selu": lambda z: z.op("Selu", alpha=infer_layers.SELU_ALPHA, gamma=infer_layers.SELU_SCALE),
}


def activation(x: Value, layer: Layer) -> Value:
    """Add a function of each value."""
    return FUNCTIONS[layer.header["function"]](x)


def prelu(x: Value, layer: Layer) -> Value:
    """Add x, or slope x where x < 0."""
    return flat(_channels(x, layer).op("PRelu", _of_channels(layer, "slope")))


def scale_shift(x: Value, layer: Layer) -> Value:
    """Add scale x + shift."""
    return flat(_scaled(_channels(x, layer), layer))


def normalisation(x: Value, layer: Layer) -> Value:
    """Add scale (x - mean) / sqrt(variance + NEAR_ZERO) + shift, for groups of channels."""
    shape: list[int] = layer.header["shape"]
    groups: int = {"instance-norm": shape[0], "layer-norm": 1}.get(layer.header["kind"]) or layer.header["groups"]
    parts = x.reshape(0, groups, math.prod(shape) // groups)
    parts = parts - parts.op("ReduceMean", axes=[2])
    variance = (parts * parts).op("ReduceMean", axes=[2])
    parts = parts / (variance + infer_layers.NEAR_ZERO).op("Sqrt")
    return flat(_scaled(_channels(parts, layer), layer))


def convolution(x: Value, layer: Layer) -> Value:
    """Add a convolution of the maps."""
    return flat(convolved(x, layer))


def convolved(x: Value, layer: Layer) -> Value:
    """Return the convolution of the maps, (N, F, rows, columns); weights may have any type."""
    (top, bottom), (left, right) = Convolution.read(layer.header, {}, layer.where).margins
    pads, stride = [top, left, bottom, right], layer.header["stride"]
    return as_maps(x, layer).op("Conv", *_filters(layer), pads=pads, strides=[stride] * 2)


def transposed_convolution(x: Value, layer: Layer) -> Value:
    """Add a transposed convolution of the maps."""
    return flat(transposed(x, layer))


def transposed(x: Value, layer: Layer) -> Value:
    """Return the transposed convolution of the maps, (N, F, rows, columns); weights may have any type."""
    padding, beyond = TransposedConvolution.read(layer.header, {}, layer.where).padding
    stride: int = layer.header["stride"]
    # Rows added at the end are cut off less, as long as any are cut off: ONNX can only add less than a stride.
    cut, added = max(0, padding - beyond), max(0, beyond - padding)
    shape = {"pads": [padding, padding, cut, cut], "strides": [stride] * 2, "output_padding": [added] * 2}
    return as_maps(x, layer).op("ConvTranspose", *_filters(layer), **shape)


def pooling(x: Value, layer: Layer) -> Value:
    """Add the largest or mean values of windows."""
    size, stride = layer.header["size"], layer.header["stride"]
    op = "MaxPool" if layer.header["method"] == "max" else "AveragePool"
    return flat(as_maps(x, layer).op(op, kernel_shape=[size] * 2, strides=[stride] * 2))


def adaptive_pooling(x: Value, layer: Layer) -> Value:
    """Add the largest or mean values of windows that cover a map."""
    op = "ReduceMax" if layer.header["method"] == "max" else "ReduceMean"
    return flat(covered(x, layer, lambda window, axis: window.op(op, axes=[axis])))


def covered(x: Value, layer: Layer, reduce: Callable[[Value, int], Value]) -> Value:
    """Return the windows that cover a map, reduced along one axis after the other: (N, C, R, R)."""
    maps = as_maps(x, layer)
    for axis, spans in enumerate(AdaptivePooling.read(layer.header, {}, layer.where).spans, 2):
        windows = [maps.op("Slice", ints(span.start), ints(span.stop), ints(axis)) for span in spans]
        maps = concatenate([reduce(window, axis) for window in windows], axis=axis)
    return maps


def upsample(x: Value, layer: Layer) -> Value:
    """Add each value `factor` times along both axes."""
    (channels, height, width), factor = layer.header["shape"], layer.header["factor"]
    apart = x.reshape(0, channels, height, 1, width, 1)
    return flat(apart.op("Expand", ints(1, 1, 1, factor, 1, factor)))


def minibatch_deviation(x: Value, layer: Layer) -> Value:
    """Add a channel of zeros."""
    return x.op("Pad", ints(0, 0, 0, math.prod(layer.header["shape"][1:])))


def as_maps(x: Value, layer: Layer) -> Value:
    """Return values as (N, C, H, W)."""
    return x.reshape(0, *layer.header["shape"])


def flat(x: Value) -> Value:
    """Return values of any shape as (N, O)."""
    return x.op("Flatten", axis=1)


def _filters(layer: Layer) -> tuple[Value, Value]:
    """Return weights and biases cast to float32; integers are stored as integers."""
    return layer.constant("weight").cast(np.float32), layer.constant("bias").cast(np.float32)


def _channels(x: Value, layer: Layer) -> Value:
    """Return values as (N, C, rest)."""
    shape: list[int] = layer.header["shape"]
    return x.reshape(0, shape[0], math.prod(shape[1:]))


def _of_channels(layer: Layer, name: str) -> Value:
    """Return a value for each channel as (C, 1)."""
    return layer.constant(name).reshape(-1, 1)


def _scaled(x: Value, layer: Layer) -> Value:
    """Return scale x + shift for x (N, C, rest)."""
    return x * _of_channels(layer, "scale") + _of_channels(layer, "shift")
